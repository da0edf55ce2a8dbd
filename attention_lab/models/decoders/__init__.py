"""Decoders generate a target. `DECODERS[kind](source, **options)` makes one; source: the features of its states.

A decoder is a Linen module of ONE example:

    decoder.embedding                                     features E of embeddings and readouts
    decoder.label                                         its name and the names of its pieces
    decoder(encoded, embedded, dropout, weights, starts) -> Readout  teacher forcing, embedded [T, E]; starts: bool[T],
                                                                     where documents start, None: there is one
    decoder.start(encoded, length) -> source, state                  once per source
    decoder.step(source, state, embedded, weights) -> state, Readout one more token, embedded [E]
    decoder.source_limit(params), decoder.target_limit(params)       the most states and tokens; None: any number
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from attention_lab.models.decoders.bahdanau import bahdanau
from attention_lab.models.decoders.fixed import fixed
from attention_lab.models.decoders.luong import luong
from attention_lab.models.decoders.transformer import transformer

DECODERS: Mapping[str, Callable[..., Any]] = MappingProxyType(
    {"fixed": fixed, "bahdanau": bahdanau, "luong": luong, "transformer": transformer}
)
