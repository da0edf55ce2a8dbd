"""The study that decides all claims, on the embedded corpus: 15 arms with four seeds each.

python -m experiments.claims --config=configs/claims/rosetta.py

The models and the budget are small, and decoding is greedy, so the study compares models early in training and not at
their best. It takes 53 minutes on two cores.
"""

from configs import defaults, quickstart

LUONG = {"model.decoder.kind": "luong", "model.decoder.attention.score": "general"}


def transformer(**changes):
    """Returns an arm with a Transformer as small as the recurrent models; `changes` are sizes of both stacks."""
    model = defaults.transformer()
    defaults.both_stacks(model, features=128, feed_forward=256, layers=2, **changes)
    model.tie = "output"
    return {"model": model.to_dict(), "training.learning_rate": 1e-3}


def words_alone():
    """Returns an arm with a Transformer whose encoder attends, for each word, to that word only."""
    arm = transformer()
    arm["model"]["encoder"]["attention"]["mask"] = "window(0)"
    return arm


def get_config():
    config = defaults.study()
    config.name = "claims_rosetta"
    config.base = quickstart.get_config()
    config.base.showcase = ()
    config.base.training.tokens = 180_000
    config.base.training.batch_tokens = 800
    config.base.training.buckets = 3
    config.base.training.validations = 2
    config.base.training.validation_sentences = 200
    config.base.decoding.beam = 1
    config.also = ("test_long",)
    config.arms = {
        "no attention": {"model.decoder.kind": "fixed"},
        **{
            score: {"model.decoder.attention.score": score}
            for score in ("additive", "dot", "general", "concat")
        },
        "Luong": LUONG,
        "Luong, no input feeding": {**LUONG, "model.decoder.input_feeding": False},
        "Luong, local-p": {**LUONG, "model.decoder.attention.locality": "local_p(5)"},
        "Transformer": transformer(),
        "Transformer, no dropout": {**transformer(), "training.dropout": 0.0},
        "Transformer, no smoothing": {**transformer(), "training.label_smoothing": 0.0},
        "Transformer, learned positions": transformer(encoding="learned"),
        "Transformer, no positions": transformer(encoding="no_encoding"),
        "Transformer, one head": transformer(heads=1),
        "Transformer, words alone": words_alone(),
    }
    config.seeds = (0, 1, 2, 3)
    return config
