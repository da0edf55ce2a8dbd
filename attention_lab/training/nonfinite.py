"""Non-finite updates: they are skipped and counted, and end the run if no update is finite any more."""

from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from attention_lab.training.hooks import MetricsLog, as_json
from attention_lab.training.loop import Batches
from attention_lab.training.processes import is_first
from attention_lab.training.step import Batch, Metrics, TrainState

PATIENCE = 10  # consecutive updates
COUNTED = ("loss", "tokens", "gradient_norm")


def skip_nonfinite(
    train_step: Callable[[TrainState, Batch], tuple[TrainState, Metrics]],
) -> Callable[[TrainState, Batch], tuple[TrainState, Metrics]]:
    """Wraps a training step so that an update with a non-finite loss or gradient changes only the step counter.

    Adds "skipped", [] bool, to the metrics; loss, tokens and gradient norm of a skipped update are 0.
    """

    def guarded_step(state, batch):
        new, metrics = train_step(state, batch)
        finite = jnp.isfinite(metrics["loss"]) & jnp.isfinite(metrics["gradient_norm"])
        old = state._replace(
            step=new.step
        )  # the counter advances, so that the next update has other random numbers
        chosen = jax.tree.map(lambda after, before: _choose(finite, after, before), new, old)
        counted = {name: jnp.where(finite, metrics[name], 0) for name in COUNTED}
        return chosen, {**metrics, **counted, "skipped": ~finite}

    return guarded_step


def _choose(finite, new, old):
    if jnp.issubdtype(new.dtype, jax.dtypes.prng_key):
        return new  # the key is the same in both
    return jnp.where(finite, new, old)


class NonFiniteGuard:
    """Logs skipped updates, and ends a run after PATIENCE consecutive ones in every replica.

    batches: the training batches, of which the last skipped one is then saved in `folder` for diagnosis.
    """

    def __init__(self, batches: Batches, folder: Path, metrics_log: MetricsLog) -> None:
        self.batches, self.folder, self.metrics_log = batches, folder, metrics_log
        self.consecutive = np.asarray(0)
        previous = 0
        for line in metrics_log.of("skipped"):  # in earlier sessions
            if line["update"] != previous + 1:
                self.consecutive = np.zeros_like(self.consecutive)
            self.consecutive = np.where(line["skipped"], self.consecutive + 1, 0)
            previous = line["update"]
        self.next = previous + 1

    def __call__(self, number: int, metrics: Metrics) -> str | None:
        """Returns a line to print if the update was skipped, else None.

        Raises ValueError, with the path of the saved batch, after PATIENCE consecutive skipped updates.
        """
        skipped = np.asarray(metrics["skipped"])
        if not skipped.any():
            return None
        self.consecutive = np.where(skipped, self.consecutive + 1 if number == self.next else 1, 0)
        self.next = number + 1
        self.metrics_log.write(kind="skipped", update=number, skipped=as_json(skipped))
        if self.consecutive.min() >= PATIENCE:
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
    """Returns the arrays of a batch by names such as "source_values" and "source_valid"."""
    leaves = jax.tree_util.tree_leaves_with_path(batch)
    return {jax.tree_util.keystr(path, simple=True, separator="_"): leaf for path, leaf in leaves}
