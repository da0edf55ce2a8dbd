"""Fine-tuning of a pre-trained model, on the corpus and task of another config.

    python -m experiments.train --config=configs/fine_tuning.py:models/bart-base,scitldr:scratch
    python -m experiments.train --config=configs/fine_tuning.py:models/opus-mt-en-de,multi30k
    python -m experiments.train --config=configs/fine_tuning.py:models/gpt2,shakespeare

Before the comma is the folder of a GPT-2, T5, BART, PEGASUS or Marian model (docs/pretrained.md); after it, the name of a
config here. The model, its parameters and its tokenizers are those of the folder, and Adam's rate is small and constant.
"""

import importlib
import pathlib

from attention_lab import pretrained
from configs import defaults


def get_config(which: str = ""):
    folder, _, other = which.rpartition(",")
    name, _, argument = other.partition(":")
    here = pathlib.Path(__file__).parent
    known = sorted(path.stem for path in here.glob("*.py") if not path.stem.startswith("_"))
    if not folder or name not in known:
        raise ValueError(
            f"{which!r} is not FOLDER,CONFIG, as models/bart-base,headlines; configs: {', '.join(known)}"
        )
    module = importlib.import_module(f"configs.{name}")
    config = module.get_config(argument) if argument else module.get_config()
    if "model" not in config:
        raise ValueError(f"the config {name} has no model; choose that of a run")
    config.name = f"{pathlib.Path(folder).name}_{name}"
    config.model = defaults.fields(pretrained.words_of(folder))
    config.initialize_from = folder
    config.training.update(optimizer="adam", schedule="constant", learning_rate=5e-5, warmup=100)
    return config
