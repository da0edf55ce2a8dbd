"""Compiles the training step for each length of batch: what comes first first, the rest while training runs."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any

import jax

from attention_lab.training.step import Batch, Metrics, TrainState

PATIENCE = 1.0  # seconds of waiting for a program before a line says so; programs on disk take less


class CompileAhead:
    """A jitted training step, whose programs are compiled in background threads, in the order given.

    As a context manager it drops what has not begun when training ends. An update waits for its own program alone.
    An error of the compiler is raised by the update that needs the program, as without threads.
    """

    def __init__(
        self,
        step: Any,
        state: TrainState,
        batches: Sequence[Batch],
        say: Callable[[str], None],
    ) -> None:
        """step: the result of `jax.jit`, of (state, batch). batches: one of each length, in the order of use.

        state and batches: of what shapes, types and placement the step will be given; their values are not read.
        say: is called with a line where an update has to wait, in the thread of the update.
        """
        self.step, self.say = step, say
        self.pool = ThreadPoolExecutor(max(1, (os.cpu_count() or 1) // 4), "compile")
        self.programs: dict[Any, tuple[Future[None], str]] = {}
        # Descriptions and not arrays: the first update reuses the memory of its state.
        state = jax.tree.map(_described, state)
        first: list[Future[None]] = []  # it has the whole machine
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
        """The step, after its program has been compiled."""
        if (known := self.programs.get(_shapes(batch))) is not None:
            program, line = known
            if not program.done() and not wait([program], PATIENCE).done:
                self.say(line)
            program.result()
        return self.step(state, batch)

    def __enter__(self) -> "CompileAhead":
        return self

    def __exit__(self, *_: object) -> None:
        self.pool.shutdown(wait=False, cancel_futures=True)


def _compile(step, state, batch, before):
    wait(before)
    # JAX keeps the program where the step itself looks for it.
    step.lower(state, batch).compile()


def _described(x):
    """Shape, type and placement of an array, with which jit finds the program that it finds for the array."""
    if not isinstance(x, jax.Array):
        return jax.ShapeDtypeStruct(x.shape, x.dtype)
    placed = x.sharding if x.committed else None
    weak = jax.typeof(x).weak_type
    return jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=placed, weak_type=weak)


def _shapes(batch):
    return tuple(x.shape for x in jax.tree.leaves(batch))


def _size(batch):
    (rows, source), target = (batch[side].valid.shape[-2:] for side in ("source", "target"))
    return f"{rows} x ({source}, {target[-1]}) tokens"
