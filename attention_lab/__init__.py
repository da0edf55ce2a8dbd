"""attention_lab: every attention mechanism is a pure function of one query and one key.

    run = attention_lab.train(config, "runs/mine")          # plain data, as a run's config.json holds it
    run = attention_lab.load("runs/mine")                   # a trained run
    run.translate(["The cat sat on the mat"])[0].text

`attention_lab.studies.run` trains a study, and `attention_lab.claims.judge` puts claims to its results.
"""

import importlib
from typing import Any

__version__ = "0.1.0"
__all__ = ["claims", "load", "studies", "train"]


def load(workdir: Any) -> Any:
    """A trained run: `run = attention_lab.load("runs/quickstart")`, with run.model, run.params and the
    tokenizers; run.translate(sentences) translates. Raises ValueError where the folder holds none."""
    # Here and not above: whoever wants the mechanism alone loads neither Flax nor orbax.
    from attention_lab import runs

    return runs.load(workdir)


def train(config: Any, workdir: Any, **options: Any) -> Any:
    """Trains what a config asks for, evaluates it on the test set, and returns the run; see `runs.training.train`.

    What was stopped in that folder is resumed. Raises ValueError where the config cannot be trained.
    """
    from attention_lab.runs import training

    return training.train(config, workdir, **options)


def __getattr__(name: str) -> Any:
    if name in ("claims", "studies"):
        return importlib.import_module(f"attention_lab.{name}")
    raise AttributeError(f"module 'attention_lab' has no attribute {name!r}")
