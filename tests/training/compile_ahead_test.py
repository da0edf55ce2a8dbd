"""Programs compiled ahead are those that training runs: as many as lengths, with the same results, or the same error."""

import contextlib
import functools
import subprocess
import sys
import threading
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from attention_lab.data.pipeline import Batches
from attention_lab.training import compile_ahead
from attention_lab.training.compile_ahead import CompileAhead
from attention_lab.training.loop import train
from attention_lab.training.replicas import Layout, StackedBatches, place, spread
from attention_lab.training.step import TrainState
from tests.data.pipeline_test import pairs_of

LENGTHS = 3
UPDATES = 8


@functools.cache
def batches_of(seed=0):
    lengths = [(3 + n % 5, 3 + n % 4) for n in range(30)]
    return Batches(pairs_of(lengths), tokens=24, buckets=LENGTHS, seed=seed)


def ready(layout=Layout(), replicas=1, committed=False):
    """A jitted step, small enough to be compiled at once, the state before its first update, and its batches."""

    def step(state, batch):
        rng = jax.random.fold_in(state.rng, state.step)
        total = sum(jnp.sum(batch[side].values) for side in ("source", "target"))
        params = jnp.tanh(state.params @ state.params.T + jax.random.normal(rng, (5, 5)) * total)
        return state._replace(step=state.step + 1, params=params), {"loss": params.sum()}

    steps = jnp.zeros(replicas, int)
    rngs = jax.random.split(jax.random.key(0), replicas)
    state = place(TrainState(steps, jnp.ones((replicas, 5, 5)), (), rngs, {}), layout)
    if committed:  # as a checkpoint restores it
        state = jax.device_put(state, jax.devices()[0])
    np.max(state.step)  # which is a program as well
    batches = StackedBatches([batches_of(seed) for seed in range(replicas)])
    return jax.jit(spread(step, layout), donate_argnums=0), state, batches


def one_of_each(batches, start=0):
    return [batches[number] for number in batches_of().first_of_lengths(start)]


@contextlib.contextmanager
def compiled():
    """The list of programs that are compiled inside it, by the thread that compiles them."""
    threads = []

    def listen(event, seconds, **_):
        if "backend_compile" in event:
            threads.append(threading.current_thread())

    jax.monitoring.register_event_duration_secs_listener(listen)
    try:
        yield threads
    finally:
        jax.monitoring.unregister_event_duration_listener(listen)


@pytest.mark.parametrize(
    "given",
    [{}, {"committed": True}, {"layout": Layout(2, 1), "replicas": 4}],
    ids=["one", "restored", "replicas on two devices"],
)
def test_there_are_as_many_programs_as_lengths_and_updates_compile_none(given):
    step, state, batches = ready(**given)
    firsts = one_of_each(batches)
    assert len(firsts) == LENGTHS
    with compiled() as threads, CompileAhead(step, state, firsts, print) as ahead:
        jax.block_until_ready(train(ahead, state, batches, UPDATES))
    here = [thread for thread in threads if thread is threading.current_thread()]
    assert len(threads) == LENGTHS and not here


def test_a_state_from_a_checkpoint_takes_the_programs_of_a_new_one():
    step, state, batches = ready()
    for one in one_of_each(batches):
        state, _ = step(state, one)
    restored = jax.device_put(jax.tree.map(jnp.copy, state), jax.devices()[0])
    with compiled() as threads:
        step(restored, batches[0])
    assert not threads


def test_updates_are_those_of_the_step_alone_to_the_bit():
    step, state, batches = ready()
    alone = train(step, state, batches, UPDATES)
    jax.clear_caches()
    step, state, batches = ready()
    with CompileAhead(step, state, one_of_each(batches), print) as ahead:
        found = train(ahead, state, batches, UPDATES)
    assert alone.params.std() > 0
    np.testing.assert_array_equal(alone.params, found.params)


def test_firsts_are_the_first_batches_of_each_length():
    batches = batches_of()
    for start in (0, 3, batches.per_epoch - 1, 2 * batches.per_epoch + 1):
        seen, wanted = set(), []
        for number in range(start, start + 2 * batches.per_epoch):
            shape = batches[number]["source"].values.shape
            if shape not in seen:
                wanted.append(number)
            seen.add(shape)
        assert batches.first_of_lengths(start) == wanted


class Step:
    """In place of a jitted step: its programs take as long to compile as they are told to, or fail."""

    def __init__(self, error=None):
        self.error, self.go_on, self.order = error, threading.Event(), []

    def lower(self, state, batch):
        def compile():
            self.order.append(batch["source"].values.shape)
            assert self.go_on.wait(10)
            if self.error is not None:
                raise self.error

        return SimpleNamespace(compile=compile)

    def __call__(self, state, batch):
        return state + 1, {}


def test_who_waits_is_reported_for_which_lengths(monkeypatch):
    monkeypatch.setattr(compile_ahead, "PATIENCE", 0.01)
    step, batches, lines = Step(), batches_of(), []

    def say(line):
        lines.append((line, threading.current_thread()))
        step.go_on.set()

    firsts = one_of_each(batches)
    rows, source = firsts[0]["source"].valid.shape
    target = firsts[0]["target"].valid.shape[1]
    with CompileAhead(step, jnp.zeros(()), firsts, say) as ahead:
        for _ in range(2):  # the second does not wait, nor do the others
            ahead(0, firsts[0])
        for _, (future, _) in ahead.programs.items():
            future.result()
        for batch in firsts:
            ahead(0, batch)
    message = f"compiling the training step for batches of {rows} x ({source}, {target}) tokens"
    assert lines == [(f"{message} (1 of {LENGTHS} lengths)", threading.current_thread())]
    assert step.order[0] == firsts[0]["source"].values.shape and len(step.order) == LENGTHS


def test_an_error_of_the_compiler_is_raised_by_the_update_that_needs_the_program():
    step, firsts = Step(RuntimeError("RESOURCE_EXHAUSTED: too large")), one_of_each(batches_of())
    step.go_on.set()
    with (
        pytest.raises(RuntimeError, match="RESOURCE_EXHAUSTED"),
        CompileAhead(step, jnp.zeros(()), firsts, print) as ahead,
    ):
        ahead(0, firsts[1])


def test_what_has_not_begun_is_dropped_when_training_ends():
    step, firsts = Step(), one_of_each(batches_of())
    with CompileAhead(step, jnp.zeros(()), firsts, print) as ahead:
        programs = [program for program, _ in ahead.programs.values()]
        workers = ahead.pool._max_workers
    step.go_on.set()
    ahead.pool.shutdown(wait=True)
    assert [program.cancelled() for program in programs[workers:]] == [True] * (LENGTHS - workers)
    assert programs[0].done() and not programs[0].cancelled()


def test_a_process_ends_though_its_compiler_failed_or_never_began():
    code = (
        "from tests.training.compile_ahead_test import *\n"
        "step = Step(RuntimeError('too large')); step.go_on.set(); firsts = one_of_each(batches_of())\n"
        "with CompileAhead(step, jnp.zeros(()), firsts, print) as ahead: ahead(0, firsts[0])\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, encoding="utf-8", timeout=120
    )
    assert ended.returncode == 1 and ended.stderr.endswith("RuntimeError: too large\n")
