"""Training updates for timing: of one run, of many replicas in a layout, and of runs in separate processes."""

import multiprocessing
import os
import statistics
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from typing import Any, NamedTuple

import jax

from attention_lab import runs
from attention_lab.models.base import at_precision
from attention_lab.runs import setup
from attention_lab.training import replicas
from attention_lab.training.memory import keep_memory
from attention_lab.training.optimizer import SCHEDULES
from attention_lab.training.replicas import Layout, StackedBatches
from attention_lab.training.step import init_state, make_train_step

Program = Callable[[], Any]


class Updates(NamedTuple):
    """The updates to time: a training step and, for each seed, batches of one shape.

    numbers: the indices of the batches to use.
    """

    model: Any
    optimizer: Any
    hyper: dict[str, float]
    step: Callable[..., Any]
    batches: list[Any]
    numbers: list[int]


def updates_of(config: dict[str, Any], seeds: Sequence[int], count: int) -> Updates:
    """Prepares `count` updates for each seed.

    The batches all have the most frequent shape, because each further shape would compile another program.
    """
    corpus = setup.corpus_of(config)
    model = runs.model_of(config, corpus.codec)
    optimizer = setup.optimizer_of(config)
    step = make_train_step(model, optimizer, SCHEDULES["constant"](1, 1))
    step = at_precision(step, config["training"]["matmul_precision"])
    batches = [setup.batches_of({**config, "seed": seed}, corpus.rows) for seed in seeds]
    shapes = [batches[0][t]["target"].valid.shape for t in range(batches[0].per_epoch)]
    usual = [t for t, shape in enumerate(shapes) if shape == statistics.mode(shapes)]
    return Updates(model, optimizer, setup.hyper_of(config), step, batches, usual[:count])


def alone(updates: Updates) -> Program:
    """Returns a program with the updates of the first seed, as `experiments.train` performs them."""
    step = jax.jit(updates.step)
    state = init_state(updates.model, updates.optimizer, jax.random.key(0), updates.hyper)

    def program():
        current = state
        for t in updates.numbers:
            current, _ = step(current, updates.batches[0][t])
        jax.block_until_ready(current.params)

    return program


def side_by_side(updates: Updates, layout: Layout) -> Program:
    """Returns a program with the updates of all seeds, trained together in a layout."""
    size = layout.slots(len(updates.batches))
    padded = [*updates.batches, *updates.batches[-1:] * (size - len(updates.batches))]
    states = replicas.init_states(
        updates.model, updates.optimizer, [b.seed for b in padded], [updates.hyper] * size, layout
    )
    spread = jax.jit(replicas.spread(updates.step, layout))
    stacked = StackedBatches(padded)

    def program():
        current = states
        for t in updates.numbers:
            current, _ = spread(current, stacked[t])
        jax.block_until_ready(current.params)

    return program


class SeparateProcesses:
    """The updates of all seeds, distributed over single-threaded processes, one per core.

    The processes do not synchronize within a call, so no layout can be much faster. Each process compiles its own
    programs.
    """

    def __init__(self, config: dict[str, Any], seeds: int, count: int, processes: int) -> None:
        spawn = multiprocessing.get_context("spawn")
        self.resources, self.pipes = ExitStack(), []
        before = os.environ.get("NPROC")
        os.environ["NPROC"] = "1"  # the number of threads of XLA's client
        try:
            for number in range(processes):
                times = len(range(number, seeds, processes))
                parent, child = spawn.Pipe()
                process = spawn.Process(
                    target=run_worker, args=(child, config, number, times, count), daemon=True
                )
                process.start()
                child.close()  # so that the parent gets an EOFError if the process ends
                self.resources.callback(process.kill)
                self.pipes.append(parent)
        finally:
            if before is None:
                del os.environ["NPROC"]
            else:
                os.environ["NPROC"] = before

    def __call__(self) -> None:
        """Runs the updates once in every process. Raises RuntimeError if a process has ended."""
        try:
            for pipe in self.pipes:
                pipe.send(None)
            for pipe in self.pipes:
                pipe.recv()
        except (EOFError, ConnectionError) as error:
            raise RuntimeError(
                "a single-threaded process ended unexpectedly, possibly because memory ran out"
            ) from error

    def close(self) -> None:
        """Ends the processes."""
        self.resources.close()


def run_worker(pipe: Any, config: dict[str, Any], seed: int, times: int, count: int) -> None:
    """The loop of a process: performs the updates of a seed `times` times for each request on the pipe."""
    keep_memory()
    setup.enable_compilation_cache()
    program = alone(updates_of(config, [seed], count))
    with suppress(EOFError, ConnectionError):  # the parent process has ended
        while True:
            pipe.recv()
            for _ in range(times):
                program()
            pipe.send(None)


def layouts(cores: int, seeds: int) -> list[Layout]:
    """Returns the layouts with one device and with all devices, each with replicas in parallel or in sequence."""
    devices = sorted({1, min(cores, jax.local_device_count(), seeds)})
    return [Layout(count, at_once) for count in devices for at_once in (None, 1)]
