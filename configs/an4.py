"""AN4: read speech, 846 utterances to learn from, with the models of speech.py; characters are tokens.

python -m experiments.train --config=configs/an4.py --config.data.options.path=data/speech
python -m experiments.train --config=configs/an4.py:additive --config.data.options.path=data/speech
"""

from ml_collections import ConfigDict

from configs import speech


def get_config(model: str = "location"):
    config = speech.get_config(model)
    config.name = f"an4_{model}"
    config.data.name = "an4"
    config.data.options = ConfigDict({"path": "data/speech"})
    config.data.mels = 13  # the frames are given: 13 MFCCs
    config.training.update(tokens=2_000_000, batch_tokens=500, learning_rate=1e-3, warmup=100)
    return config
