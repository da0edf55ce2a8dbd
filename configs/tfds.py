"""Translation on a dataset of TensorFlow Datasets, which is chosen by its name.

    python -m experiments.prepare tfds:ted_hrlr_translate/pt_to_en --data_dir=data/tfds
    python -m experiments.train --config=configs/tfds.py:ted_hrlr_translate/pt_to_en --config.data.options.data_dir=data/tfds

If the dataset has no validation or test split, options such as --config.data.options.validation="train[98%:99%]"
define them; --config.data.options.source and target choose the languages. The model is a GRU of 256 features with
additive attention, trained on five million target tokens. No score has been measured.
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
