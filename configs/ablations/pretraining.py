"""Objectives of T5, BART and PEGASUS: twelve models that are trained on stories without headlines, three seeds each.

    python -m experiments.ablate --config=configs/ablations/pretraining.py
    python -m experiments.claims --config=configs/claims/pretraining.py     # then fine-tunes all of them

The perplexities of the arms are not comparable, since each objective has its own targets. The claims compare the models
after fine-tuning.
"""

from ml_collections import ConfigDict

from configs import defaults

# By the name of an arm, its objective; BART's noises have the rates of attention_lab.data.noise.
OBJECTIVES = {
    "spans": {"kind": "span_corruption", "rate": 0.15, "mean": 3},
    "spans of a tenth": {"kind": "span_corruption", "rate": 0.1, "mean": 3},
    "spans of a quarter": {"kind": "span_corruption", "rate": 0.25, "mean": 3},
    "spans of half": {"kind": "span_corruption", "rate": 0.5, "mean": 3},
    "prefix": {"kind": "prefix"},
    "masking": {"kind": "denoising", "noise": ["masking"]},
    "deletion": {"kind": "denoising", "noise": ["deletion"]},
    "rotation": {"kind": "denoising", "noise": ["rotation"]},
    "permutation": {"kind": "denoising", "noise": ["permutation"]},
    "infilling": {"kind": "denoising", "noise": ["infilling"]},
    "infilling and permutation": {"kind": "denoising", "noise": ["permutation", "infilling"]},
    "gap sentences": {"kind": "gap_sentences", "select": "rouge"},
    "random sentences": {"kind": "gap_sentences", "select": "random"},
    "first sentences": {"kind": "gap_sentences", "select": "lead"},
}
# Small enough that models learn it within the budget.
WORLD = {"vocabulary": 4, "sentences": (3, 5)}
# Target tokens of a batch: about thirty documents of any objective. The targets of spans are shorter than documents.
BATCH = {"prefix": 1000, "denoising": 1000, "gap_sentences": 1000}


def get_config():
    config = defaults.study()
    config.name = "pretraining"
    config.base = base()
    config.arms = {
        name: {"objective": objective, "training.batch_tokens": BATCH.get(objective["kind"], 400)}
        for name, objective in OBJECTIVES.items()
    }
    config.seeds = (0, 1, 2)
    # Targets differ in length: with equal numbers of target tokens, some arms would read far fewer documents.
    config.budget["equal"] = "flops"
    return config


def base():
    """Returns the config of a denoising model of the embedded stories."""
    config = defaults.denoising()
    config.name = "pretraining"
    config.data.options = ConfigDict(WORLD)
    config.tokenizer.extra = 40
    defaults.both_stacks(config.model, features=64, heads=4, feed_forward=256, layers=2)
    config.training.tokens = 400_000
    config.training.batch_tokens = 400
    config.training.learning_rate = 2e-3
    config.training.warmup = 100
    config.training.dropout = 0.0
    config.training.buckets = 3
    config.training.label_smoothing = 0.0
    return config
