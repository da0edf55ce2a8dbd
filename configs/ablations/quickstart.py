"""Is attention worth it? No attention, general and additive, five seeds each, on the embedded corpus.

python -m experiments.ablate --config=configs/ablations/quickstart.py

A small world, few words and short sentences, which models learn within 350,000 target tokens each; greedy translation.
"""

from configs import defaults, small_world


def get_config():
    config = defaults.study()
    config.name = "quickstart"
    config.base = small_world.get_config()
    config.arms = {
        "no attention": {"model.decoder.kind": "fixed"},
        "general": {"model.decoder.attention.score": "general"},
        "additive": {"model.decoder.attention.score": "additive"},
    }
    config.seeds = (0, 1, 2, 3, 4)
    return config
