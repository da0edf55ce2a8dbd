"""The quickstart with a tenth of its budget and greedy decoding, for timing whole runs.

python -m experiments.train --config=configs/quickstart_small.py
"""

from configs import quickstart


def get_config():
    config = quickstart.get_config()
    config.name = "quickstart_small"
    config.showcase = ()
    config.training.tokens = 150_000
    config.training.batch_tokens = 800
    config.training.buckets = 3
    config.training.validations = 3
    config.training.validation_sentences = 200
    config.decoding.beam = 1
    return config
