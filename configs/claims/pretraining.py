"""The study that decides the claims about pre-training: models that write headlines, from scratch or pre-trained.

    python -m experiments.ablate --config=configs/ablations/pretraining.py
    python -m experiments.claims --config=configs/claims/pretraining.py

There are few headlines to learn from: EXAMPLES stories with headlines. The stories without headlines on which the
models were pre-trained, by the first command, are thirty times as many.
"""

from ml_collections import ConfigDict

from configs import defaults
from configs.ablations import pretraining

EXAMPLES = 2000
RUN = "runs/studies/pretraining/groups/{arm}/{arm}_seed_{{seed}}"


def get_config():
    config = defaults.study()
    config.name = "claims_pretraining"
    config.base = base()
    config.arms = {"scratch": {}} | {
        name: {"initialize_from": RUN.format(arm=name.replace(" ", "_"))}
        for name in pretraining.OBJECTIVES
    }
    config.seeds = (0, 1, 2)
    return config


def base():
    """Returns the config of a model that writes headlines, as large as those that were pre-trained."""
    config = defaults.summarization()
    model = pretraining.base().model
    config.model = model
    config.data.options = ConfigDict({**pretraining.WORLD, "size": {"train": EXAMPLES}})
    config.tokenizer.extra = 40
    config.training.tokens = 150_000
    config.training.batch_tokens = 200
    config.training.warmup = 50
    config.training.buckets = 2
    config.training.validations = 8
    config.decoding.beam = 1
    return config
