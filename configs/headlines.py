"""Headlines of the embedded stories: a small Transformer, or a GRU with or without attention.

    python -m experiments.train --config=configs/headlines.py:transformer
    python -m experiments.train --config=configs/headlines.py:additive          # or another score
    python -m experiments.train --config=configs/headlines.py:none

The words of a story from which each word of its headline comes are known, so the alignment error is measured too.
"""

from ml_collections import ConfigDict

from configs import defaults


def get_config(which: str = "additive"):
    config = defaults.summarization()
    config.name = f"headlines_{which}"
    config.data.options = ConfigDict({"vocabulary": 4, "sentences": (3, 5)})
    if which == "transformer":
        for stack in (config.model.encoder, config.model.decoder):
            stack.update(features=64, feed_forward=256, layers=3, encoding="no_encoding")
            stack.attention.score = "rotary(scaled_dot)"
    else:
        config.model = defaults.recurrent("fixed" if which == "none" else "bahdanau")
        config.model.encoder.update(embedding=128, features=256)
        config.model.decoder.update(embedding=128, hidden=256)
        if which != "none":
            config.model.decoder.attention.score = which
    config.training.tokens = 900_000
    config.training.batch_tokens = 400
    config.training.buckets = 2
    config.training.learning_rate = 2e-3
    config.training.dropout = 0.0
    config.training.label_smoothing = 0.0
    config.decoding.beam = 1
    return config
