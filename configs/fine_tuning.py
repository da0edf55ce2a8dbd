"""Fine-tuning of a pre-trained model, on the corpus and task of another config.

    python -m experiments.train --config=configs/fine_tuning.py:models/bart-base,scitldr:scratch
    python -m experiments.train --config=configs/fine_tuning.py:models/opus-mt-en-de,multi30k
    python -m experiments.train --config=configs/fine_tuning.py:models/gpt2,shakespeare

Before the comma is the folder of a GPT-2, T5, BART, PEGASUS or Marian model (docs/pretrained.md); after it, the name of a
config here. The model, its parameters and its tokenizers are those of the folder, and Adam's rate is small and constant.
"""

import importlib
import inspect
import pathlib

from attention_lab import pretrained
from configs import defaults

HERE = pathlib.Path(__file__).parent
NO_RUN = ("__init__", "defaults", "fine_tuning")


def get_config(which: str = ""):
    folder, comma, other = which.rpartition(",")
    name, colon, argument = other.partition(":")
    known = sorted(path.stem for path in HERE.glob("*.py") if path.stem not in NO_RUN)
    if not comma or not folder:
        raise ValueError(f"{which!r} is not FOLDER,CONFIG, such as models/bart-base,headlines")
    if name not in known:
        raise ValueError(f"there is no config {name!r} to train with; known are {', '.join(known)}")
    make = importlib.import_module(f"configs.{name}").get_config
    if colon and not inspect.signature(make).parameters:
        raise ValueError(f"configs/{name}.py accepts no argument after a colon")
    config = make(argument) if colon else make()
    config.name = "_".join([pathlib.Path(folder).name, *other.split(":")])
    config.model = defaults.fields(pretrained.words_of(folder))
    alone = config.model.encoder.kind == "nothing"
    if alone != (config.task == "language"):
        raise ValueError(
            f"the model in {folder} {'has no source' if alone else 'has a source'}, which does not fit the task "
            f"{config.task} of {name}; choose a config such as {'shakespeare' if alone else 'headlines'}"
        )
    config.initialize_from = folder
    config.training.update(optimizer="adam", schedule="constant", learning_rate=5e-5, warmup=100)
    return config
