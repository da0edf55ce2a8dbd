"""The loop. What else happens while a model is trained is a list of hooks."""

import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from attention_lab.training.step import Metrics, TrainState


class Update(NamedTuple):
    """What hooks are told after each update.

    number: of updates so far; metrics: on the device, perhaps still being computed; last: nothing follows.
    """

    number: int
    state: TrainState
    metrics: Metrics
    last: bool


class Hook(Protocol):
    """Something that happens beside training. Returns a reason to stop, or None to go on."""

    def __call__(self, update: Update, /) -> str | None:
        """Does it, after each update."""


class Batches(Protocol):
    """Batch number t, for any t."""

    def __getitem__(self, number: int, /) -> Any:
        """The batch: arrays of NumPy or JAX."""


def train(
    train_step: Callable[[TrainState, Any], tuple[TrainState, Metrics]],
    state: TrainState,
    batches: Batches,
    updates: int,
    hooks: Sequence[Hook] = (),
) -> TrainState:
    """The state after `updates` updates in all, or fewer where a hook has a reason to stop.

    A state that has some updates behind it goes on from there. Nothing here waits for the device: a hook
    that reads the metrics of the update before leaves it busy with this one. The state may be one of
    replicas, which take their steps together.
    """
    for number in range(int(np.max(state.step)), updates):
        state, metrics = train_step(state, batches[number])
        update = Update(number + 1, state, metrics, number + 1 == updates)
        reasons = [hook(update) for hook in hooks]  # each is told, whatever another says
        if any(reasons):
            break
    return state


def every_minutes(minutes: float, hook: Hook, clock: Callable[[], float] = time.monotonic) -> Hook:
    """The hook, but only where so much time has passed since it was called last."""
    last = clock()

    def sometimes(update: Update) -> Any:
        nonlocal last
        if clock() - last < 60 * minutes:
            return None
        last = clock()
        return hook(update)

    return sometimes


def every(period: int, hook: Hook) -> Hook:
    """The hook, but only at every `period`-th update and the last."""

    def sometimes(update: Update) -> Any:
        return hook(update) if update.last or update.number % period == 0 else None

    return sometimes
