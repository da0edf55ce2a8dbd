"""Ahead-of-time compilation of the training step for each length of batch, in background threads during training."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any

import jax

from attention_lab.training.step import Batch, Metrics, TrainState

PATIENCE = 1.0  # seconds of waiting after which a line is printed; programs in the compilation cache take less


class CompileAhead:
    """A jitted training step whose programs are compiled in background threads, in the given order.

    The end of its context cancels compilations that have not started. An update waits only for its own program. A
    compilation error is raised by the update that requires the program, as without threads.
    """

    def __init__(
        self,
        step: Any,
        state: TrainState,
        batches: Sequence[Batch],
        report: Callable[[str], None],
    ) -> None:
        """step: a function of (state, batch) under `jax.jit`. batches: one of each length, in the order of their first use.

        state, batches: have the shapes, dtypes and shardings of the step's arguments; their values are not read.
        report: is called with a line, in the thread of the update, if an update has to wait.
        """
        self.step, self.report = step, report
        self.pool = ThreadPoolExecutor(max(1, (os.cpu_count() or 1) // 4), "compile")
        self.programs: dict[Any, tuple[Future[None], str]] = {}
        # Shapes and not arrays, since the first update donates the buffers of the state.
        state = jax.tree.map(_described, state)
        first: list[Future[None]] = []  # the first program is compiled alone, on all cores
        for number, batch in enumerate(batches, 1):
            line = (
                f"compiling the training step for batches of {_size(batch)} "
                f"({number} of {len(batches)} lengths)"
            )
            described = jax.tree.map(_described, batch)
            program = self.pool.submit(_compile, step, state, described, tuple(first))
            self.programs[_shapes(batch)] = program, line
            first = first or [program]

    def __call__(self, state: TrainState, batch: Batch) -> tuple[TrainState, Metrics]:
        """Executes the step; waits for its program if it is being compiled."""
        if (entry := self.programs.get(_shapes(batch))) is not None:
            program, line = entry
            if not program.done() and not wait([program], PATIENCE).done:
                self.report(line)
            program.result()
        return self.step(state, batch)

    def __enter__(self) -> "CompileAhead":
        return self

    def __exit__(self, *_: object) -> None:
        self.pool.shutdown(wait=False, cancel_futures=True)


def _compile(step, state, batch, predecessors):
    wait(predecessors)
    # JAX caches the program, and the jitted step finds it there.
    step.lower(state, batch).compile()


def _described(x):
    """Returns the shape, dtype, sharding and weak type of an array: jit selects the same program for both."""
    if not isinstance(x, jax.Array):
        return jax.ShapeDtypeStruct(x.shape, x.dtype)
    sharding = x.sharding if x.committed else None
    weak = jax.typeof(x).weak_type
    return jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=sharding, weak_type=weak)


def _shapes(batch):
    return tuple(x.shape for x in jax.tree.leaves(batch))


def _size(batch):
    (rows, source), target = (batch[side].valid.shape[-2:] for side in ("source", "target"))
    return f"{rows} x ({source}, {target[-1]}) tokens"
