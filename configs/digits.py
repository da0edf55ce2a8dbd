"""Strings of spoken digits, with the models of speech.py; the words are tokens.

python -m experiments.train --config=configs/digits.py --config.data.options.path=data/speech
python -m experiments.train --config=configs/digits.py --config.data.options.scheme=speaker     # another speaker
"""

from ml_collections import ConfigDict

from configs import speech


def get_config(model: str = "additive"):
    config = speech.get_config(model)
    config.name = "digits" if model == "additive" else f"digits_{model}"
    config.data.name = "fsdd_strings"
    config.data.options = ConfigDict({"path": "data/speech", "scheme": "take"})
    config.tokenizer.update(kind="word", size=20)
    config.training.update(tokens=400_000, batch_tokens=160)
    return config
