"""A study for tests: two arms that share a program, and one of another structure."""

from configs import defaults
from tests.experiments import tiny


def get_config(which="whole"):
    config = defaults.study()
    config.name = "tiny"
    config.base = base = tiny.get_config()
    base.showcase = ()
    base.tokenizer.kind, base.tokenizer.size = "word", 50
    base.model.encoder.embedding = base.model.encoder.features = 16
    base.model.decoder.embedding = base.model.decoder.hidden = 16
    base.training.tokens = 12_000
    base.training.batch_tokens = 200
    base.training.buckets = 1
    base.training.learning_rate = 0.02
    base.training.warmup = 10
    base.training.validations = 3
    config.arms = {
        "no attention": {"model.decoder.kind": "fixed"},
        "additive": {},
        "additive, no dropout": {"training.dropout": 0.0},
    }
    config.seeds = (0, 1)
    if which == "diverging":
        base.training.warmup = 0
        broken = {"training.learning_rate": 1e30, "model.decoder.layers": 2}
        config.arms = {"broken": broken, "additive": {}}
    if which == "limits":
        base.training.tokens = 400
        base.data.max_length = base.model.decoder.positions = 24
        config.arms = {"location": {"model.decoder.attention.score": "location"}, "additive": {}}
    return config
