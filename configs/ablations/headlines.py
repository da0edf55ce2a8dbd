"""Headlines without attention and with each score function: nine arms with three seeds each.

    python -m experiments.ablate --config=configs/ablations/headlines.py
    python -m experiments.ablate --config=configs/ablations/headlines.py --config.seeds='(0,)'

The models have half the size of those in configs/headlines.py, and smaller batches. The report has ROUGE, and how often a word of a headline
attends to the word of the story from which it comes; it compares all arms with additive attention.
"""

from attention_lab.mechanism import SCORES
from configs import headlines
from configs.defaults import study


def get_config():
    config = study()
    config.name = "headlines"
    config.base = headlines.get_config("additive")
    config.base.model.encoder.update(embedding=64, features=128)
    config.base.model.decoder.update(embedding=64, hidden=128)
    config.base.training.batch_tokens = 200
    config.base.training.tokens = 1_100_000
    score = "model.decoder.attention.score"
    config.arms = {
        "additive": {},
        "no attention": {"model.decoder.kind": "fixed"},
        **{name: {score: name} for name in SCORES if name != "additive"},
    }
    config.seeds = (0, 1, 2)
    return config
