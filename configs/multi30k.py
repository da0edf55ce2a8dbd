"""Multi30k, German to English, 8k joint BPE: a GRU with attention, a GRU with a fixed context, and a Transformer.

    python -m experiments.train --config=configs/multi30k.py:gru
    python -m experiments.train --config=configs/multi30k.py:none
    python -m experiments.train --config=configs/multi30k.py:transformer

--config.data.options.path is the folder of the files {train,val,test_2016_flickr}.{de,en}.gz of
github.com/multi30k/dataset. The expected BLEU is 38.2 for gru, 38.8 for transformer (an hour on two cores) and, with a
softmax over all pieces (--config.tokenizer.restrict=False), 24.8 for none.
"""

from ml_collections import ConfigDict

from configs import defaults

# Target tokens: seven epochs for the recurrent models, twelve for the Transformer.
TOKENS = {"gru": 3_100_000, "none": 3_100_000, "transformer": 5_200_000}


def get_config(which: str = "gru"):
    if which not in TOKENS:
        raise ValueError(f"there is no model {which!r}; known are {', '.join(TOKENS)}")
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
