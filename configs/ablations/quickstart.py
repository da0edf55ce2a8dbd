"""Is attention worth it? No attention, general and additive, five seeds each, on the embedded corpus.

python -m experiments.ablate --config=configs/ablations/quickstart.py

A small budget, and greedy translation: what it compares are early differences, not the best that each can do.
"""

from configs import defaults, quickstart


def get_config():
    config = defaults.study()
    config.name = "quickstart"
    config.base = quickstart.get_config()
    config.base.showcase = ()
    config.base.training.tokens = 150_000
    config.base.training.batch_tokens = 800
    config.base.training.buckets = 3
    config.base.training.validations = 3
    config.base.training.validation_sentences = 200
    config.base.decoding.beam = 1
    config.arms = {
        "no attention": {"model.timing": "none"},
        "general": {"model.attention.score": "general"},
        "additive": {"model.attention.score": "additive"},
    }
    config.seeds = (0, 1, 2, 3, 4)
    return config
