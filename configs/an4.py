"""AN4: read speech, 846 utterances to learn from, with the models of speech.py; the words are tokens.

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
    config.data.augment.update(
        frequency_masks=1, frequency_width=3, time_masks=2, time_width=20, time_share=0.1
    )
    config.tokenizer.update(kind="word", size=200)
    config.training.update(tokens=400_000, batch_tokens=160, dropout=0.3, warmup=100)
    config.training.label_smoothing = 0.1
    return config
