"""Models: an encoder and a decoder, each chosen by name. `make_model` builds one.

make_model(7, 7, encoder={"kind": "recurrent"}, decoder={"kind": "bahdanau", "attention": {"score": "dot"}})
make_model(7, 7, encoder={"kind": "nothing"}, decoder={"kind": "transformer"})
"""

import functools
import inspect
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from attention_lab.mechanism import make_attention
from attention_lab.models.base import Model, Output, look_up
from attention_lab.models.decoders import DECODERS
from attention_lab.models.embeddings import TIES, make_scales
from attention_lab.models.encoder_decoder import make_encoder_decoder
from attention_lab.models.encoders import ENCODERS
from attention_lab.models.shape import Shape

__all__ = ["DECODERS", "ENCODERS", "TIES", "Model", "Output", "make_model"]

Words = Mapping[str, Any]


def make_model(
    source_size: int,
    target_vocabulary: int,
    *,
    encoder: Words,
    decoder: Words,
    tie: str = "nothing",
    embeddings: Words = MappingProxyType({}),
) -> Model:
    """Returns the model of an encoder and a decoder, each {"kind": .., option: value, ..}; it is cached by its arguments.

    source_size: the number of source tokens, or of features of a frame, or of channels of an image. An option that is a dict describes an attention: {"score": "additive"}. tie: which tables of embeddings are shared,
    one of `TIES`. embeddings: fields of `Scales`. Raises ValueError if a kind, an option or a name does not exist, with
    the nearest that does, and where encoder and decoder do not fit each other.
    """
    if tie not in TIES:
        raise ValueError(f"tie={tie!r} is not one of {', '.join(TIES)}")
    words = (_options("encoder", ENCODERS, encoder), _options("decoder", DECODERS, decoder))
    scales = make_scales(**embeddings)
    return _made(source_size, target_vocabulary, tie, scales, *words)


@functools.cache
def _made(source_size, target_vocabulary, tie, scales, encoder, decoder):
    reader = ENCODERS[encoder[0]](**dict(encoder[1]))
    writer = DECODERS[decoder[0]](reader.features, **dict(decoder[1]))
    return make_encoder_decoder(reader, writer, source_size, target_vocabulary, tie, scales)


def _options(side: str, registry: Mapping[str, Callable[..., Any]], words: Words) -> Any:
    """Returns (kind, ((option, value), ..)), which is hashable, with attentions built."""
    if "kind" not in words:
        raise ValueError(f"{side} needs a kind: {' or '.join(registry)}")
    factory = look_up(side, registry, words["kind"])
    known = _known(factory)
    options = {name: value for name, value in words.items() if name != "kind"}
    if options and not known:
        raise ValueError(
            f"{side} {words['kind']} takes no options, but was given {', '.join(options)}"
        )
    for name in options:
        look_up(f"option of {side} {words['kind']}", known, name)
    built = {
        name: make_attention(**value) if isinstance(value, Mapping) else value
        for name, value in options.items()
    }
    return words["kind"], tuple(sorted(built.items()))


def _known(factory: Callable[..., Any]) -> list[str]:
    """Returns the names of a factory's options; `shape` is replaced by the fields of `Shape`."""
    parameters = inspect.signature(factory).parameters
    names = [
        name for name, parameter in parameters.items() if parameter.kind == parameter.KEYWORD_ONLY
    ]
    return [*names, *(Shape._fields if "shape" in parameters else ())]
