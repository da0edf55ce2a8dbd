"""What every config starts from, as fields of ml_collections; a config file changes what it is about."""

from typing import Any

from ml_collections import ConfigDict, config_dict

from attention_lab.runs import defaults
from attention_lab.studies.defaults import study as plain_study


def translation() -> ConfigDict:
    """A recurrent encoder-decoder with Bahdanau's attention on the embedded corpus."""
    return fields(defaults.translation())


def study() -> ConfigDict:
    """A study of nothing yet. Arms stay plain dicts: their fields have dots in their names."""
    config = ConfigDict({**plain_study(), "base": None}, convert_dict=False)
    config.base = translation()
    return config


def recurrent(decoder: str = "bahdanau", score: str = "additive") -> ConfigDict:
    """A recurrent encoder, and one of the decoders fixed, bahdanau and luong."""
    return fields(defaults.recurrent(decoder, score))


def transformer(score: str = "scaled_dot") -> ConfigDict:
    """A small Transformer."""
    return fields(defaults.transformer(score))


def both_stacks(model: ConfigDict, **sizes: Any) -> None:
    """Sets the sizes in encoder and decoder alike."""
    for stack in (model.encoder, model.decoder):
        stack.update(sizes)


def fields(plain: dict[str, Any]) -> ConfigDict:
    """Plain data as fields that a command line can set; None is a whole number that is still to be chosen."""
    return ConfigDict(
        {
            name: fields(value)
            if isinstance(value, dict)
            else config_dict.placeholder(int)
            if value is None
            else value
            for name, value in plain.items()
        }
    )
