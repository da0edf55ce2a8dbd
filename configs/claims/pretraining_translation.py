"""The study that decides what translation gains from pre-training on one language: four arms with three seeds each.

    python -m experiments.ablate --config=configs/ablations/pretraining_sentences.py
    python -m experiments.claims --config=configs/claims/pretraining_translation.py

All arms are Transformers of one size, which translate the sentences of the first study's smaller world. With few pairs,
they see each of FEW pairs often. The models were pre-trained, by the first command, on the source sentences alone.
"""

from ml_collections import ConfigDict

from configs import defaults, small_world
from configs.ablations import pretraining_sentences

FEW = 1000
PRETRAINED = {
    "initialize_from": "runs/studies/pretraining_sentences/groups/spans/spans_seed_{seed}"
}


def get_config():
    config = defaults.study()
    config.name = "claims_pretraining_translation"
    config.base = base()
    few = {"data.options.size": {"train": FEW}, "training.tokens": 100_000}
    config.arms = {
        "many pairs": {},
        "many pairs, pre-trained": PRETRAINED,
        "few pairs": few,
        "few pairs, pre-trained": {**few, **PRETRAINED},
    }
    config.seeds = (0, 1, 2)
    return config


def base():
    """Returns the config of a Transformer that translates, as large as the one that was pre-trained."""
    config = small_world.get_config()
    pretrained = pretraining_sentences.base()
    config.showcase = ()
    config.model = pretrained.model
    config.data.options = ConfigDict({"size": None, **config.data.options})
    config.tokenizer = pretrained.tokenizer
    config.training.learning_rate = 2e-3
    return config
