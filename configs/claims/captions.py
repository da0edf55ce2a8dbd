"""The study that decides the claims about pictures: five arms that describe the embedded pictures, with three seeds each.

    python -m experiments.claims --config=configs/claims/captions.py

All arms are Show, Attend and Tell (Xu et al. 2015) but for what their names say. They have half of the budget of
configs/captions.py.
"""

from configs import captions, defaults


def get_config():
    config = defaults.study()
    config.name = "claims_captions"
    config.base = captions.get_config("soft")
    config.base.training.tokens = 1_500_000
    config.arms = {
        "soft": {},
        "hard": {"model.decoder.hard": True},
        "no attention": {"model.decoder.kind": "fixed"},
        "doubly stochastic": {"model.decoder.doubly_stochastic": 1.0},
        "gate": {"model.decoder.gate": True},
    }
    config.seeds = (0, 1, 2)
    return config
