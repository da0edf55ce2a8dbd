"""attention_lab: every attention mechanism is a pure function of one query and one key.

    run = attention_lab.train(config, "runs/mine")          # config: a dict, as in a run's config.json
    run = attention_lab.load("runs/mine")                   # a trained run
    run = attention_lab.from_pretrained("models/t5-small")  # GPT-2, T5, BART, PEGASUS or Marian, from a folder
    run.translate(["The cat sat on the mat"])[0].text

`attention_lab.studies.run` trains a study, and `attention_lab.claims.judge` tests claims against its results.
"""

import importlib
from typing import Any

__version__ = "0.1.0"
__all__ = ["claims", "from_pretrained", "load", "pretrained", "studies", "train"]


def load(workdir: Any) -> Any:
    """Returns the trained run of a folder, `run = attention_lab.load("runs/quickstart")`, or what `from_pretrained` does.

    It contains run.model, run.params and the tokenizers; run.translate(sentences) translates. Raises ValueError if
    the folder contains no run and no pre-trained model.
    """
    # A local import: the mechanism alone requires neither Flax nor orbax.
    from attention_lab import runs

    return runs.opened(workdir)


def from_pretrained(folder: Any) -> Any:
    """Returns the pre-trained model in a folder of the library transformers as a run: GPT-2, T5, BART, PEGASUS or Marian.

    Nothing is downloaded. Raises ValueError if the folder is incomplete, damaged, or of another architecture.
    """
    from attention_lab import runs

    return runs.from_pretrained(folder)


def train(config: Any, workdir: Any, **options: Any) -> Any:
    """Trains a model as the config describes, evaluates it on the test set, and returns the run.

    An interrupted run in that folder is resumed. Raises ValueError if the config cannot be trained. The options
    are those of `runs.training.train`.
    """
    from attention_lab.runs import training

    return training.train(config, workdir, **options)


def __getattr__(name: str) -> Any:
    if name in ("claims", "pretrained", "studies"):
        return importlib.import_module(f"attention_lab.{name}")
    raise AttributeError(f"module 'attention_lab' has no attribute {name!r}")
