"""Captions of the embedded pictures: Show, Attend and Tell (Xu et al. 2015), without attention, or a Transformer over patches.

python -m experiments.train --config=configs/captions.py:soft
python -m experiments.train --config=configs/captions.py:hard        # each word reads one cell, which is drawn
python -m experiments.train --config=configs/captions.py:luong       # the word before is read before it looks
python -m experiments.train --config=configs/captions.py:none
python -m experiments.train --config=configs/captions.py:patches
"""

from configs import defaults

MODELS = ("soft", "hard", "luong", "none", "patches")


def get_config(model: str = "soft"):
    if model not in MODELS:
        raise ValueError(f"there is no model {model!r}; known are {', '.join(MODELS)}")
    config = defaults.captioning()
    config.name = f"captions_{model}"
    config.training.tokens = 3_000_000
    config.training.batch_tokens = 600
    config.training.buckets = 2
    config.training.learning_rate = 2e-3
    config.training.label_smoothing = 0.0
    config.model.decoder.hard = model == "hard"
    if model == "luong":
        config.model.decoder.kind = "luong"
    if model == "none":
        config.model.decoder.kind = "fixed"
    if model == "patches":
        config.model = defaults.patches()
        defaults.both_stacks(config.model, features=128, feed_forward=512, layers=3)
        config.model.encoder.stride = 8
    return config
