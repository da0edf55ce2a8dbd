"""SCAN (Lake & Baroni 2018): commands to sequences of actions, with splits that test whether a model generalizes.

    python -m experiments.train --config=configs/scan.py:simple
    python -m experiments.train --config=configs/scan.py:length
    python -m experiments.train --config=configs/scan.py:addprim_jump --config.model.decoder.kind=fixed

--config.data.options.path is the folder of SCAN's files. The model is a GRU with additive attention.
"""

from ml_collections import ConfigDict

from configs import defaults


def get_config(which: str = "simple"):
    config = defaults.answering()
    config.name = f"scan_{which}"
    config.data.name = "scan"
    config.data.options = ConfigDict({"path": "data/scan", "kind": which})
    config.tokenizer.kind = "word"
    config.tokenizer.joint = False
    config.model = defaults.recurrent()
    config.model.tie = "output"
    config.model.encoder.update(embedding=64, features=256)
    config.model.decoder.update(embedding=64, hidden=128)
    config.training.tokens = 3_000_000
    config.training.batch_tokens = 1500
    config.training.learning_rate = 2e-3
    config.training.label_smoothing = 0.0
    config.decoding.beam = 1
    config.decoding.longest = (60, 0.0)
    return config
