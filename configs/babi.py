"""bAbI (Weston et al. 2015): questions about short stories; which sentences support the answer is known.

    python -m experiments.train --config=configs/babi.py:1                                  # tasks 1 to 20
    python -m experiments.train --config=configs/babi.py:2 --config.data.options.size=1k    # 10k by default

--config.data.options.path is the folder of en/ and en-10k/ of the corpus.
"""

from ml_collections import ConfigDict

from configs import defaults


def get_config(task: str = "1"):
    if not task.isdecimal():
        raise ValueError(f"the task of bAbI is a number from 1 to 20, not {task!r}")
    config = defaults.answering()
    config.name = f"babi_{task}"
    config.data.name = "babi"
    size = "1k" if task == "3" else "10k"  # the corpus has no more for task 3
    config.data.options = ConfigDict({"path": "data/babi", "task": int(task), "size": size})
    config.data.max_length = 512
    config.tokenizer.kind = "word"
    for stack in (config.model.encoder, config.model.decoder):
        stack.update(features=64, feed_forward=256, layers=3, encoding="no_encoding")
        stack.attention.score = "rotary(scaled_dot)"
    config.training.batch_tokens = 128  # an answer has two tokens, with END
    config.training.tokens = 400_000
    config.training.learning_rate = 1e-3
    config.training.warmup = 200
    return config
