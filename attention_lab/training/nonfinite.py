"""Updates that are not finite: skipped, counted, and, where none is finite any more, the end of a run."""

from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from attention_lab.training.hooks import MetricsLog, plain
from attention_lab.training.loop import Batches
from attention_lab.training.processes import is_first
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


class NonFiniteGuard:
    """Tells of skipped updates, and ends a run in which PATIENCE of them came in a row, in every replica.

    batches: where the last of them is taken from, to be laid into `folder` for who wants to know why.
    """

    def __init__(self, batches: Batches, folder: Path, metrics_log: MetricsLog) -> None:
        self.batches, self.folder, self.metrics_log = batches, folder, metrics_log
        self.row = np.asarray(0)
        before = 0
        for line in metrics_log.of("skipped"):  # of earlier sessions
            if line["update"] != before + 1:
                self.row = np.zeros_like(self.row)
            self.row = np.where(line["skipped"], self.row + 1, 0)
            before = line["update"]
        self.next = before + 1

    def __call__(self, number: int, metrics: Metrics) -> str | None:
        """A line to be said where the update was skipped. Raises ValueError where nothing is finite any more."""
        skipped = np.asarray(metrics["skipped"])
        if not skipped.any():
            return None
        self.row = np.where(skipped, self.row + 1 if number == self.next else 1, 0)
        self.next = number + 1
        self.metrics_log.write(kind="skipped", update=number, skipped=plain(skipped))
        if self.row.min() >= PATIENCE:
            path = self.folder / f"batch_{number}.npz"
            if is_first():
                with path.open("wb") as file:
                    np.savez(file, **_named(self.batches[number - 1]))
            raise ValueError(
                f"no loss or gradient was finite in {PATIENCE} updates up to {number:,}, the batch of which is in "
                f"{path}; try a lower training.learning_rate, training.clip or more training.warmup, in another "
                "--workdir"
            )
        which = " in some replicas" if not skipped.all() else ""
        return f"update {number:,} skipped{which}: its loss or gradient is not finite"


def _named(batch):
    """The arrays of a batch by names such as "source_values" and "source_valid"."""
    leaves = jax.tree_util.tree_leaves_with_path(batch)
    return {jax.tree_util.keystr(path, simple=True, separator="_"): leaf for path, leaf in leaves}
