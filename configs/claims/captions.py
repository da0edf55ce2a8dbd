"""The study that decides the claims about pictures: five arms that describe the embedded pictures, with three seeds each.

    python -m experiments.claims --config=configs/claims/captions.py

All arms are Show, Attend and Tell (Xu et al. 2015) but for what their names say. Fewer nouns are used than in
configs/captions.py, so that a fifth of its budget suffices.
"""

from ml_collections import ConfigDict

from configs import captions, defaults


def get_config():
    config = defaults.study()
    config.name = "claims_captions"
    config.base = captions.get_config("soft")
    config.base.data.options = ConfigDict({"vocabulary": 4})
    config.base.training.tokens = 600_000
    config.base.training.batch_tokens = 400
    config.base.training.warmup = 100
    config.arms = {
        "soft": {},
        "hard": {"model.decoder.hard": True},
        "no attention": {"model.decoder.kind": "fixed"},
        "doubly stochastic": {"model.decoder.doubly_stochastic": 1.0},
        "gate": {"model.decoder.gate": True},
    }
    config.seeds = (0, 1, 2)
    return config
