"""Models: what turns attention into translation. `make_model` builds one from words."""

import inspect
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from attention_lab.mechanism import make_attention
from attention_lab.models.base import Model, Output, look_up
from attention_lab.models.recurrent import recurrent
from attention_lab.models.transformer import transformer

MODELS: Mapping[str, Callable[..., Model]] = MappingProxyType(
    {"recurrent": recurrent, "transformer": transformer}
)

__all__ = ["MODELS", "Model", "Output", "make_model"]


def make_model(kind: str, source_vocabulary: int, target_vocabulary: int, **options: Any) -> Model:
    """The model of that kind. An option that is a dict of words is an attention: {"score": "additive"}.

    Raises ValueError where the kind, an option or a word in it does not exist, with the nearest that does.
    """
    factory = look_up("model", MODELS, kind)
    known = dict(list(inspect.signature(factory).parameters.items())[2:])
    for name in options:
        look_up(f"option of {kind}", known, name)
    built = {
        name: make_attention(**value) if isinstance(value, Mapping) else value
        for name, value in options.items()
    }
    return factory(source_vocabulary, target_vocabulary, **built)
