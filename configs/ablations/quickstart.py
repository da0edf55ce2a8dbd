"""Is attention worth it? No attention, general and additive, five seeds each, on the embedded corpus.

python -m experiments.ablate --config=configs/ablations/quickstart.py

A small budget, and greedy translation: what it compares are early differences, not the best that each can do.
"""

from configs import defaults, quickstart_small


def get_config():
    config = defaults.study()
    config.name = "quickstart"
    config.base = quickstart_small.get_config()
    config.arms = {
        "no attention": {"model.decoder.kind": "fixed"},
        "general": {"model.decoder.attention.score": "general"},
        "additive": {"model.decoder.attention.score": "additive"},
    }
    config.seeds = (0, 1, 2, 3, 4)
    return config
