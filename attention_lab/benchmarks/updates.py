"""Updates of a config, for timing: of one run alone, of many in a layout, and in processes of their own."""

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
from attention_lab.training.optimizer import SCHEDULES, adam
from attention_lab.training.replicas import Layout, Together
from attention_lab.training.step import init_state, make_train_step

Program = Callable[[], Any]


class Updates(NamedTuple):
    """What is done: a step, on some batches of each seed, all of one shape."""

    model: Any
    optimizer: Any
    hyper: dict[str, float]
    step: Callable[..., Any]
    batches: list[Any]
    numbers: list[int]


def updates_of(config: dict[str, Any], seeds: Sequence[int], count: int) -> Updates:
    """So many updates of each seed, of the most frequent length alone: each further one is one more program."""
    corpus = setup.corpus_of(config)
    model = runs.model_of(config, corpus.codec)
    optimizer = adam(config["training"]["clip"])
    step = make_train_step(model, optimizer, SCHEDULES["constant"](1, 1))
    step = at_precision(step, config["training"]["matmul_precision"])
    batches = [setup.batches_of({**config, "seed": seed}, corpus.pairs) for seed in seeds]
    shapes = [batches[0][t]["target"].valid.shape for t in range(batches[0].per_epoch)]
    usual = [t for t, shape in enumerate(shapes) if shape == statistics.mode(shapes)]
    return Updates(model, optimizer, setup.hyper_of(config), step, batches, usual[:count])


def alone(updates: Updates) -> Program:
    """The first seed's, as `experiments.train` does them."""
    step = jax.jit(updates.step)
    state = init_state(updates.model, updates.optimizer, jax.random.key(0), updates.hyper)

    def program():
        found = state
        for t in updates.numbers:
            found, _ = step(found, updates.batches[0][t])
        jax.block_until_ready(found.params)

    return program


def together(updates: Updates, layout: Layout) -> Program:
    """All seeds', in a layout."""
    room = layout.room(len(updates.batches))
    places = [*updates.batches, *updates.batches[-1:] * (room - len(updates.batches))]
    states = replicas.init_states(
        updates.model, updates.optimizer, [b.seed for b in places], [updates.hyper] * room, layout
    )
    spread = jax.jit(replicas.spread(updates.step, layout))
    each = Together(places)

    def program():
        found = states
        for t in updates.numbers:
            found, _ = spread(found, each[t])
        jax.block_until_ready(found.params)

    return program


class Apart:
    """All seeds', shared out among processes of one thread each that share nothing, one per core.

    No layout can be faster by much, for nothing waits; each process compiles everything for itself.
    """

    def __init__(self, config: dict[str, Any], seeds: int, count: int, processes: int) -> None:
        spawn = multiprocessing.get_context("spawn")
        self.kept, self.pipes = ExitStack(), []
        before = os.environ.get("NPROC")
        os.environ["NPROC"] = "1"  # the threads that XLA's client starts with
        try:
            for number in range(processes):
                times = len(range(number, seeds, processes))
                here, there = spawn.Pipe()
                process = spawn.Process(
                    target=obey, args=(there, config, number, times, count), daemon=True
                )
                process.start()
                there.close()  # so that its death is an EOFError here
                self.kept.callback(process.kill)
                self.pipes.append(here)
        finally:
            if before is None:
                del os.environ["NPROC"]
            else:
                os.environ["NPROC"] = before

    def __call__(self) -> None:
        """One turn of all of them. Raises RuntimeError where one has died, of too little memory perhaps."""
        try:
            for pipe in self.pipes:
                pipe.send(None)
            for pipe in self.pipes:
                pipe.recv()
        except (EOFError, ConnectionError) as error:
            raise RuntimeError(
                "a process of one thread has ended too early, perhaps for want of memory"
            ) from error

    def close(self) -> None:
        """Ends the processes."""
        self.kept.close()


def obey(pipe: Any, config: dict[str, Any], seed: int, times: int, count: int) -> None:
    """What each of them does: a seed's updates so many times, whenever it is asked to."""
    keep_memory()
    setup.prepare()
    program = alone(updates_of(config, [seed], count))
    with suppress(EOFError, ConnectionError):  # who asks has gone
        while True:
            pipe.recv()
            for _ in range(times):
                program()
            pipe.send(None)
