"""The embedded speech: a recurrent encoder over convolutions, Chorowski's features, a pyramid, a Transformer, or no attention.

python -m experiments.train --config=configs/speech.py
python -m experiments.train --config=configs/speech.py:location      # features of the weights before (Chorowski et al. 2015)
python -m experiments.train --config=configs/speech.py:las           # a pyramidal encoder (Chan et al. 2016): slower
python -m experiments.train --config=configs/speech.py:transformer
python -m experiments.train --config=configs/speech.py:none
"""

from ml_collections import ConfigDict

from configs import defaults

MODELS = ("additive", "location", "las", "transformer", "none")


def get_config(model: str = "additive"):
    if model not in MODELS:
        raise ValueError(f"there is no model {model!r}; known are {', '.join(MODELS)}")
    config = defaults.speech()
    config.name = "speech" if model == "additive" else f"speech_{model}"
    config.data.options = ConfigDict({"vocabulary": 2, "longest": 8})
    config.training.tokens = 2_000_000
    config.training.batch_tokens = 800
    config.training.buckets = 4
    config.training.learning_rate = 2e-3
    config.training.label_smoothing = 0.0
    if model == "location":
        config.model.decoder.attention.feedback = "location_aware"
    if model == "none":
        config.model.decoder.kind = "fixed"
    if model == "las":
        config.model.encoder = defaults.pyramidal()
        config.model.decoder.update(kind="luong", layers=2)
        config.training.sampled_inputs = 0.1
        config.training.label_smoothing = 0.1
    if model == "transformer":
        config.model = defaults.transformer()
        config.model.tie = "output"
        config.model.encoder.update(reads="frames", stride=4)
        defaults.both_stacks(config.model, features=128, feed_forward=512)
    return config
