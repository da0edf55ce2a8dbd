"""Translation on a dataset of TensorFlow Datasets, by its name.

    python -m experiments.prepare tfds:ted_hrlr_translate/pt_to_en --data_dir=data/tfds
    python -m experiments.train --config=configs/tfds.py:ted_hrlr_translate/pt_to_en --config.data.options.data_dir=data/tfds

Where it has no validation or test split, --config.data.options.validation="train[98%:99%]" and its kin cut them out;
--config.data.options.source and target choose the languages. A GRU of 256 with additive attention sees five million target
tokens; no score to expect is given here, since none was measured.
"""

from ml_collections import ConfigDict, config_dict

from configs import defaults


def get_config(name: str = "ted_hrlr_translate/pt_to_en"):
    config = defaults.translation()
    config.name = f"tfds_{name.replace('/', '_')}"
    config.data.name = f"tfds:{name}"
    words = ("data_dir", "source", "target", "train", "validation", "test")
    config.data.options = ConfigDict({word: config_dict.placeholder(str) for word in words})
    config.data.max_length = 64
    config.tokenizer.restrict = True
    config.training.tokens = 5_000_000
    config.training.buckets = 10
    return config
