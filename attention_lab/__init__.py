"""attention_lab: every attention mechanism is a pure function of one query and one key."""

from typing import Any

__version__ = "0.1.0"
__all__ = ["load"]


def load(workdir: Any) -> Any:
    """A trained run: `run = attention_lab.load("runs/quickstart")`, with run.model, run.params and the
    tokenizers; run.translate(sentences) translates. Raises ValueError where the folder holds none."""
    # Here and not above: whoever wants the mechanism alone loads neither Flax nor orbax.
    from attention_lab import runs

    return runs.load(workdir)
