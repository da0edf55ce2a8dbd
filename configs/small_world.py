"""One seed of the quickstart study: a smaller vocabulary and budget than the quickstart's, and greedy decoding.

python -m experiments.train --config=configs/small_world.py
"""

from configs import quickstart


def get_config():
    config = quickstart.get_config()
    config.name = "small_world"
    # The two most frequent words of each table and at most ten words per sentence; models learn this within the budget.
    config.data.options = {"vocabulary": 2, "longest": 10}
    config.tokenizer.kind = "word"
    config.training.tokens = 350_000
    config.training.batch_tokens = 400
    config.training.buckets = 2
    config.training.warmup = 50
    config.training.learning_rate = 4e-3
    config.training.validations = 6
    config.training.validation_sentences = 200
    config.decoding.beam = 1
    return config
