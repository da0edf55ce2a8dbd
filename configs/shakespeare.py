"""Shakespeare by characters: nanoGPT's small setting, a wider model with rotary positions, and nanoGPT's large one.

    python -m experiments.train --config=configs/shakespeare.py:small
    python -m experiments.train --config=configs/shakespeare.py:longer
    python -m experiments.train --config=configs/shakespeare.py:large       # for a GPU

--config.data.options.path is the folder of tinyshakespeare.txt or input.txt, gzipped or not, of
github.com/karpathy/char-rnn. The last tenth of the text is for validation, and there is no test set: the score
after training is of the validation set, in consecutive windows, and in nats per character.
"""

from ml_collections import ConfigDict

from configs import defaults

UPDATES = {"small": 2000, "longer": 9000, "large": 5000}


def get_config(which: str = "small"):
    if which not in UPDATES:
        raise ValueError(f"there is no setting {which!r}; known are {', '.join(UPDATES)}")
    config = defaults.language()
    config.name = f"shakespeare_{which}"
    config.data.name = "shakespeare"
    config.data.options = ConfigDict({"path": "data/shakespeare"})
    config.training.validation_sentences = 240  # as many windows as nanoGPT estimates the loss on
    config.training.learning_rate = 1e-3 if which == "large" else 2e-3
    if which == "longer":
        config.data.max_length = config.model.decoder.positions = 128
        config.model.decoder.update(features=160, feed_forward=640, encoding="no_encoding")
        config.model.decoder.attention.score = "rotary(scaled_dot)"
        config.training.batch_tokens = 12 * 128
    if which == "large":
        config.data.max_length = config.model.decoder.positions = 256
        config.model.decoder.update(layers=6, heads=6, features=384, feed_forward=1536)
        config.training.batch_tokens = 64 * 256
        config.training.dropout = 0.2
        config.model.decoder.attention_dropout = True
    config.training.tokens = UPDATES[which] * config.training.batch_tokens
    return config
