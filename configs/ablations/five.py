"""The quickstart study with two more arms: dot scores, and a Transformer.

python -m experiments.ablate --config=configs/ablations/five.py
"""

from configs import defaults
from configs.ablations import quickstart


def get_config():
    config = quickstart.get_config()
    config.name = "five"
    transformer = defaults.transformer()
    defaults.both_stacks(transformer, features=128, feed_forward=256, layers=2)
    transformer.tie = "output"
    config.arms = {
        **config.arms,
        "dot": {"model.decoder.attention.score": "dot"},
        "Transformer": {"model": transformer.to_dict(), "training.learning_rate": 1e-3},
    }
    return config
