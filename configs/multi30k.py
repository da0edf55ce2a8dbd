"""Multi30k, German to English, 8k joint BPE: attention, the bottleneck without it, and a Transformer.

    python -m experiments.train --config=configs/multi30k.py:gru
    python -m experiments.train --config=configs/multi30k.py:none
    python -m experiments.train --config=configs/multi30k.py:transformer

The folder of the files, {train,val,test_2016_flickr}.{de,en}.gz of github.com/multi30k/dataset, is
--config.data.options.path. To expect on two cores: gru BLEU 38.2; transformer an hour, 38.8.
With a softmax over all pieces, --config.tokenizer.restrict=False, none 24.8.
"""

from ml_collections import ConfigDict

from configs import defaults

# Target tokens to see: seven epochs, and twelve.
TOKENS = {"gru": 3_100_000, "none": 3_100_000, "transformer": 5_200_000}


def get_config(which: str = "gru"):
    if which not in TOKENS:
        raise ValueError(f"there is no {which!r} here; known are {', '.join(TOKENS)}")
    config = defaults.translation()
    config.name = f"multi30k_{which}"
    config.data.name = "multi30k"
    config.data.options = ConfigDict({"path": "data/multi30k", "source": "de", "target": "en"})
    config.data.max_length = 64
    config.tokenizer.restrict = True
    config.training.tokens = TOKENS[which]
    config.training.buckets = 10
    config.training.dropout = 0.3
    config.training.validation_sentences = 1014
    if which == "transformer":
        config.model = defaults.transformer()
        config.training.learning_rate = 7e-4
        config.training.warmup = 600
    elif which == "none":
        config.model = defaults.recurrent("fixed")
    return config
