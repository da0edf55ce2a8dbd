"""Encoders read a source. `ENCODERS[kind](**options)` makes one.

An encoder is a Linen module of ONE source, an `Encoder`:

    encoder.reads                                the kind of its source: "tokens", "frames", "image" or "nothing"
    encoder.embedding                            features of a token's embedding that it reads; None: no tokens
    encoder.features                             features D of its states; None: it has none
    encoder.stride                               the positions of the source, along each axis, that one state replaces
    encoder(source, dropout, weights) -> Encoded # source: Padded embeddings [K, E], frames [L, F] or an image [Y, X, C]
    encoder.label                                its name and the names of its pieces
    encoder.limit(params)                        the most states that it can have; None: any number
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from attention_lab.models.encoders.convolutional import convolutional
from attention_lab.models.encoders.nothing import nothing
from attention_lab.models.encoders.pyramidal import pyramidal
from attention_lab.models.encoders.recurrent import recurrent
from attention_lab.models.encoders.transformer import patches, transformer

ENCODERS: Mapping[str, Callable[..., Any]] = MappingProxyType(
    {
        "recurrent": recurrent,
        "transformer": transformer,
        "nothing": nothing,
        "convolutional": convolutional,
        "patches": patches,
        "pyramidal": pyramidal,
    }
)
