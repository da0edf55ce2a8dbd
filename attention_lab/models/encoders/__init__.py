"""Encoders read a source. `ENCODERS[kind](**options)` makes one.

An encoder is a Linen module of ONE source:

    encoder.embedding                            features of a token's embedding that it reads; None: no tokens
    encoder.features                             features D of its states; None: it has none
    encoder(source, dropout, weights) -> Encoded # source: Padded embeddings [K, E]
    encoder.label                                its name and the names of its pieces
    encoder.limit(params)                        the most source positions that it can read; None: any number
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from attention_lab.models.encoders.nothing import nothing
from attention_lab.models.encoders.recurrent import recurrent
from attention_lab.models.encoders.transformer import transformer

ENCODERS: Mapping[str, Callable[..., Any]] = MappingProxyType(
    {"recurrent": recurrent, "transformer": transformer, "nothing": nothing}
)
