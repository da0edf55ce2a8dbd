"""The quickstart study: no attention, general and additive scores on the embedded corpus, with five seeds each.

python -m experiments.ablate --config=configs/ablations/quickstart.py

The vocabulary is small and the sentences are short, so that a model learns them within 350,000 target tokens. Decoding
is greedy.
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
