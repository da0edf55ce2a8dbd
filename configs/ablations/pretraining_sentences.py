"""T5's objective on the source sentences of the embedded pairs, for claims about translation: one arm, three seeds.

python -m experiments.ablate --config=configs/ablations/pretraining_sentences.py
python -m experiments.claims --config=configs/claims/pretraining_translation.py
"""

from ml_collections import ConfigDict

from configs import defaults, small_world
from configs.ablations import pretraining


def get_config():
    config = defaults.study()
    config.name = "pretraining_sentences"
    config.base = base()
    config.arms = {"spans": {}}
    config.seeds = (0, 1, 2)
    return config


def base():
    """Returns the config of a denoising model of the sentences of the smaller world of the first study."""
    config = pretraining.base()
    config.name = "pretraining_sentences"
    config.data.name = "rosetta"
    config.data.options = ConfigDict(small_world.get_config().data.options)
    config.training.tokens = 200_000
    return config
