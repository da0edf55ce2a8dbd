"""The training loop. Everything besides the updates themselves is done by hooks."""

import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from attention_lab.training.step import Metrics, TrainState


class Update(NamedTuple):
    """The argument of hooks after each update.

    number: the number of updates so far. metrics: arrays on the device, perhaps still being computed. last: whether
    this is the last update of the training.
    """

    number: int
    state: TrainState
    metrics: Metrics
    last: bool


class Hook(Protocol):
    """A function that is called after each update. Returns a reason to stop training, or None to continue."""

    def __call__(self, update: Update, /) -> str | None:
        """Is called after each update."""


class Batches(Protocol):
    """Training batches with random access by number."""

    def __getitem__(self, number: int, /) -> Any:
        """Returns a batch: arrays of NumPy or JAX."""


def train(
    train_step: Callable[[TrainState, Any], tuple[TrainState, Metrics]],
    state: TrainState,
    batches: Batches,
    updates: int,
    hooks: Sequence[Hook] = (),
) -> TrainState:
    """Trains until the state has had `updates` updates in all, or a hook returns a reason to stop; returns the state.

    A restored state continues from its step. The loop never waits for the device: a hook that reads the metrics of the
    previous update leaves the device busy with the current one. The state may have a leading axis of replicas, which
    are updated together.
    """
    for number in range(int(np.max(state.step)), updates):
        state, metrics = train_step(state, batches[number])
        update = Update(number + 1, state, metrics, number + 1 == updates)
        reasons = [
            hook(update) for hook in hooks
        ]  # all are called, even if one returns a reason to stop
        if any(reasons):
            break
    return state


def every_minutes(minutes: float, hook: Hook, clock: Callable[[], float] = time.monotonic) -> Hook:
    """Returns a hook that calls `hook` only if `minutes` minutes have passed since its last call, by `clock`."""
    last = clock()

    def sometimes(update: Update) -> Any:
        nonlocal last
        if clock() - last < 60 * minutes:
            return None
        last = clock()
        return hook(update)

    return sometimes


def every(period: int, hook: Hook) -> Hook:
    """Returns a hook that calls `hook` only at every `period`-th update and at the last one."""

    def sometimes(update: Update) -> Any:
        return hook(update) if update.last or update.number % period == 0 else None

    return sometimes
