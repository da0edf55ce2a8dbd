"""Default configs as ml_collections; a config file changes some of their fields."""

from typing import Any

from ml_collections import ConfigDict, config_dict

from attention_lab.runs import defaults
from attention_lab.studies.defaults import study as plain_study


def translation() -> ConfigDict:
    """Returns the config of a recurrent encoder-decoder with Bahdanau's attention on the embedded corpus."""
    return fields(defaults.translation())


def language() -> ConfigDict:
    """Returns the config of a small GPT over the characters of the target sentences of the embedded corpus."""
    return fields(defaults.language())


def summarization() -> ConfigDict:
    """Returns the config of a small Transformer that writes the headlines of the embedded stories."""
    return fields(defaults.summarization())


def answering() -> ConfigDict:
    """Returns the config of a small Transformer that answers questions about the embedded stories."""
    return fields(defaults.answering())


def denoising() -> ConfigDict:
    """Returns the config of a small Transformer that is trained with T5's spans on the embedded stories."""
    return fields(defaults.denoising())


def captioning() -> ConfigDict:
    """Returns the config of a small Show, Attend and Tell on the embedded pictures."""
    return fields(defaults.captioning())


def speech() -> ConfigDict:
    """Returns the config of a small recurrent network that transcribes the embedded speech."""
    return fields(defaults.speech())


def pyramidal() -> ConfigDict:
    """Returns the config of a small pyramidal encoder of frames."""
    return fields(defaults.pyramidal())


def patches() -> ConfigDict:
    """Returns the config of a small Transformer over patches of an image."""
    return fields(defaults.patches())


def study() -> ConfigDict:
    """Returns the config of a study without arms. Arms are plain dicts, because their keys contain dots."""
    config = ConfigDict({**plain_study(), "base": None}, convert_dict=False)
    config.base = translation()
    return config


def recurrent(decoder: str = "bahdanau", score: str = "additive") -> ConfigDict:
    """Returns the config of a recurrent encoder with one of the decoders fixed, bahdanau and luong."""
    return fields(defaults.recurrent(decoder, score))


def transformer(score: str = "scaled_dot") -> ConfigDict:
    """Returns the config of a small Transformer."""
    return fields(defaults.transformer(score))


def both_stacks(model: ConfigDict, **sizes: Any) -> None:
    """Sets the sizes in the encoder and in the decoder."""
    for stack in (model.encoder, model.decoder):
        stack.update(sizes)


def fields(plain: dict[str, Any]) -> ConfigDict:
    """Converts plain data to a ConfigDict, whose fields a command line can set. None becomes an integer placeholder."""
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
