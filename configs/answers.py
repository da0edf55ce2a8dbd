"""Questions about the embedded stories, in which persons move, and take, give and leave things.

    python -m experiments.train --config=configs/answers.py

Which sentences support the answer is known, so the report says how often attention points to one of them.
"""

from ml_collections import ConfigDict

from configs import defaults


def get_config():
    config = defaults.answering()
    config.data.options = ConfigDict(
        {
            "vocabulary": 6,
            "sentences": (2, 4),
            "questions": ("where_person", "who_has", "color"),
        }
    )
    for stack in (config.model.encoder, config.model.decoder):
        stack.update(features=64, feed_forward=256, layers=3, encoding="no_encoding")
        stack.attention.score = "rotary(scaled_dot)"
    config.training.tokens = 2_000_000  # an answer has two tokens, with END
    config.training.batch_tokens = 128
    config.training.buckets = 2
    config.training.warmup = 200
    config.training.dropout = 0.0
    config.training.label_smoothing = 0.0
    config.decoding.beam = 1
    return config
