"""Updates that are not finite: skipped, counted, and, where none is finite any more, the end of a run."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from attention_lab.training.hooks import Journal, Meter
from attention_lab.training.loop import Batches, Update
from attention_lab.training.step import Batch, Metrics, TrainState

PATIENCE = 10  # updates in a row
COUNTED = ("loss", "tokens", "gradient_norm")


def skip_nonfinite(
    train_step: Callable[[TrainState, Batch], tuple[TrainState, Metrics]],
) -> Callable[[TrainState, Batch], tuple[TrainState, Metrics]]:
    """The same step, which but counts where its loss or gradient is infinite or no number.

    Adds to the metrics "skipped", [] bool; loss, tokens and gradient norm of a skipped update are 0.
    """

    def careful(state, batch):
        new, metrics = train_step(state, batch)
        good = jnp.isfinite(metrics["loss"]) & jnp.isfinite(metrics["gradient_norm"])
        old = state._replace(step=new.step)  # the next update draws other numbers
        kept = jax.tree.map(lambda ours, before: _choose(good, ours, before), new, old)
        zero = {name: jnp.where(good, metrics[name], 0) for name in COUNTED}
        return kept, {**metrics, **zero, "skipped": ~good}

    return careful


def _choose(good, new, old):
    if jnp.issubdtype(new.dtype, jax.dtypes.prng_key):
        return new  # never changes
    return jnp.where(good, new, old)


class Finite:
    """Tells of skipped updates, and ends a run in which PATIENCE of them came in a row, in every replica.

    batches: where the last of them is taken from, to be laid into `folder` for who wants to know why.
    """

    def __init__(self, batches: Batches, folder: Path, journal: Journal, meter: Meter) -> None:
        self.batches, self.folder, self.journal, self.meter = batches, folder, journal, meter
        self.waiting: list[tuple[int, Any]] = []
        self.row = np.asarray(0)

    def __call__(self, update: Update) -> None:
        """Reads the metrics of earlier updates, never of the one that still runs, unless it is the last.

        Raises ValueError where nothing is finite any more.
        """
        self.waiting.append((update.number, update.metrics["skipped"]))
        ready = len(self.waiting) if update.last else len(self.waiting) - 1
        for number, skipped in self.waiting[:ready]:
            self._count(number, np.asarray(skipped))
        self.waiting = self.waiting[ready:]

    def _count(self, number, skipped):
        self.row = np.where(skipped, self.row + 1, 0)
        if not skipped.any():
            return
        self.journal.write(kind="skipped", update=number, skipped=skipped.tolist())
        which = f" of {skipped.sum()} of {skipped.size} replicas" if skipped.ndim else ""
        self.meter.say(f"update {number:,}{which} skipped: its loss or gradient is not finite")
        if self.row.min() < PATIENCE:
            return
        path = self.folder / f"batch_{number}.npz"
        with path.open("wb") as file:
            np.savez(file, **self.batches[number - 1])
        raise ValueError(
            f"no loss or gradient was finite in {PATIENCE} updates up to {number:,}, the batch of which is in "
            f"{path}; try a lower training.learning_rate, training.clip or more training.warmup, in another --workdir"
        )
