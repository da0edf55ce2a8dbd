"""A study that decides claims on Multi30k, German to English: eight arms with three seeds each, an hour on 2 cores.

python -m experiments.claims --config=configs/claims/multi30k.py

--config.base.data.options.path is the folder of the files. Each seed is trained on a million target tokens.
"""

from configs.ablations import multi30k_scores
from configs.claims import rosetta


def get_config():
    config = multi30k_scores.get_config()
    config.name = "claims_multi30k"
    config.base.training.tokens = 1_000_000
    config.base.training.validations = 4
    bahdanau = ("no attention", "additive", "dot", "general", "concat")
    luong = ("Luong", "Luong, no input feeding", "Luong, local-p")
    arms = rosetta.get_config().arms
    config.arms = {name: arms[name] for name in (*bahdanau, *luong)}
    return config
