"""Replicas: each of many is what it would be alone, however they share the machine."""

import functools
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from attention_lab.data.pipeline import Batches
from attention_lab.training import replicas
from attention_lab.training.optimizer import SCHEDULES, adam
from attention_lab.training.replicas import (
    Layout,
    StackedBatches,
    init_states,
    place,
    spread,
    stack,
    take,
)
from attention_lab.training.step import init_state, make_train_step
from tests.data.pipeline_test import pairs_of
from tests.models.small import recurrent
from tests.training.update_test import TABLE

pytestmark = pytest.mark.xdist_group("replicas")
UPDATES = 20
SEEDS = (3, 1, 4, 2)
# They differ in their numbers too.
HYPERS = tuple(
    {"learning_rate": rate, "weight_decay": 0.01 * r, "dropout": 0.1 * r, "label_smoothing": 0.1}
    for r, rate in enumerate((0.02, 0.01, 0.02, 0.005))
)


def batches_of(seed):
    lengths = [(3 + n % 4, 3 + n % 3) for n in range(12)]
    return Batches(pairs_of(lengths), tokens=24, buckets=2, seed=seed)


def step_of(model):
    optimizer = adam(1.0)
    return make_train_step(model, optimizer, SCHEDULES["constant"](3, 1)), optimizer


def cast(state, dtype):
    """The state with parameters of this type, and what is computed from them."""

    def leaf(x):
        return x.astype(dtype) if jnp.issubdtype(x.dtype, jnp.floating) else x

    return jax.tree.map(leaf, state)


@functools.partial(jax.jit, static_argnums=0)
def logits_of(model, params, batch):
    return jax.vmap(lambda example: model.apply(params, example).logits)(batch)


@functools.cache
def alone(dtype):
    """For each seed, what it gives alone: losses, last state, logits."""
    model = recurrent()
    step, optimizer = step_of(model)
    step = jax.jit(step)
    found = []
    for seed, hyper in zip(SEEDS, HYPERS, strict=True):
        state = cast(init_state(model, optimizer, jax.random.key(seed), hyper), dtype)
        losses = []
        for number in range(UPDATES):
            state, metrics = step(state, batches_of(seed)[number])
            losses.append(metrics["loss"])
        found.append((losses, state, logits_of(model, state.params, batches_of(seed)[0])))
    return found


def near(a, b, tolerance):
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    assert np.linalg.norm(a - b) <= tolerance * (1 + np.linalg.norm(b))


@pytest.mark.parametrize(
    ("layout", "dtype"),
    [
        (Layout(2, 1), jnp.float64),
        pytest.param(Layout(2, 1), jnp.float32, marks=[pytest.mark.slow, pytest.mark.promise]),
        pytest.param(Layout(1), jnp.float64, marks=[pytest.mark.slow, pytest.mark.promise]),
        pytest.param(Layout(1, 3), jnp.float64, marks=pytest.mark.slow),
        pytest.param(Layout(2), jnp.float64, marks=pytest.mark.slow),
    ],
    ids=str,
)
def test_a_replica_is_what_its_seed_gives_alone(layout, dtype):
    with jax.enable_x64(dtype == jnp.float64):
        hold(layout, dtype)


def hold(layout, dtype):
    model = recurrent()
    step, optimizer = step_of(model)
    step = jax.jit(spread(step, layout))
    states = place(cast(init_states(model, optimizer, SEEDS, HYPERS), dtype), layout)
    together = StackedBatches([batches_of(seed) for seed in SEEDS])
    losses, compiled, known = [], [], set()
    jax.monitoring.register_event_duration_secs_listener(
        lambda event, seconds, **_: compiled.append(event) if "backend_compile" in event else None
    )
    for number in range(UPDATES):
        batch = together[number]
        before = len(compiled)
        states, metrics = step(states, batch)
        losses.append(metrics["loss"])
        shape = batch["target"].valid.shape
        if shape in known:  # one program per length
            assert len(compiled) == before
        known.add(shape)
    for r, (loss, state, logits) in enumerate(alone(dtype)):
        near([one[r] for one in losses], loss, 1e-5 if dtype == jnp.float32 else 1e-9)
        mine = take(states, r)
        batch = batches_of(SEEDS[r])[0]
        near(logits_of(model, mine.params, batch), logits, 1e-5)
        if dtype == jnp.float64:
            jax.tree.map(lambda a, b: near(a, b, 1e-9), mine.params, state.params)


def test_replicas_of_unlike_seeds_differ():
    finals = [np.asarray(losses[-1]) for losses, _, _ in alone(jnp.float64)]
    assert len(set(map(float, finals))) == len(SEEDS)


def test_a_layout_says_how_many_places_it_needs():
    assert Layout(2).slots(5) == 6 and Layout(4).slots(4) == 4 and Layout().slots(3) == 3
    assert Layout(2).width(5) == 6 and Layout(2, 1).width(5) == 2 and Layout(1, 3).width(8) == 3
    assert str(Layout(2, 1)) == "2 devices, 1 at a time on each"


def test_a_replica_alone_needs_one_device():
    assert replicas.choose(1).devices == 1


def test_replicas_are_chosen_one_by_one():
    these, those = (
        {"a": jnp.ones((3, 2)), "b": jnp.ones(3)},
        {"a": jnp.zeros((3, 2)), "b": jnp.zeros(3)},
    )
    found = replicas.where(jnp.array([True, False, True]), these, those)
    np.testing.assert_array_equal(found["a"][:, 0], [1, 0, 1])
    np.testing.assert_array_equal(found["b"], [1, 0, 1])
    same = stack([take(found, r) for r in range(3)])
    np.testing.assert_array_equal(same["a"], found["a"])


def machine(monkeypatch, devices, backend="gpu", stats=None):
    monkeypatch.setattr(jax, "local_device_count", lambda: devices)
    monkeypatch.setattr(jax, "default_backend", lambda: backend)
    monkeypatch.setattr(jax, "local_devices", lambda: [SimpleNamespace(memory_stats=lambda: stats)])


def test_the_layout_follows_the_machine(monkeypatch):
    machine(monkeypatch, 4, "cpu")
    assert replicas.choose(8, 10) == Layout(4, 1) and replicas.choose(3) == Layout(3, 1)
    machine(monkeypatch, 2, stats={"bytes_limit": 1000})
    # Half of the memory, 500 bytes, for the 4 replicas of each device.
    assert replicas.choose(7, 125) == Layout(2) and replicas.choose(8, 126) == Layout(2, 3)
    assert replicas.choose(8, 501) == Layout(2, 1) and replicas.choose(8) == Layout(2)
    for stats in (None, {}):
        machine(monkeypatch, 2, stats=stats)
        assert replicas.choose(8, 10**9) == Layout(2)


@pytest.mark.parametrize("layout", [Layout(), Layout(1, 1), Layout(1, 2), Layout(2), Layout(2, 1)])
def test_spread_is_the_function_of_each(layout):
    x, y = np.arange(12.0).reshape(4, 3), np.arange(4.0)
    function = jax.jit(spread(lambda x, y: {"sum": x.sum() + y}, layout))
    found = function(place(x, layout), place(y, layout))["sum"]
    np.testing.assert_array_equal(found, [3 * 1 + 0, 3 * 4 + 1, 3 * 7 + 2, 3 * 10 + 3])
    for there in (found, place(jnp.asarray(x), layout)):
        assert len(there.sharding.device_set) == layout.devices
    np.testing.assert_array_equal(jax.jit(spread(lambda y: y + 1, layout))(place(y, layout)), y + 1)
    # Split by hand, so that no device asks another.
    program = str(jax.make_jaxpr(function)(x, y))
    assert ("shard_map" in program) == (layout.devices > 1)
    assert ("scan" in program) == (layout.at_once is not None)  # wave after wave, or all at once
    if layout.devices == 1:  # one replica is the function itself
        alone = spread(lambda x, y: {"sum": x.sum() + y}, layout)
        np.testing.assert_array_equal(alone(x[2:3], y[2:3])["sum"], [3 * 7 + 2])
        assert "scan" not in str(jax.make_jaxpr(alone)(x[2:3], y[2:3]))
    assert str(Layout()) == "1 device, all at once on each"


def test_where_cores_are_devices_jax_is_reported_so(monkeypatch):
    messages = []
    monkeypatch.setattr(type(jax.config), "update", lambda self, *words: messages.append(words))
    replicas.cores_as_devices(3)
    assert messages == [("jax_num_cpu_devices", 3)]


def test_batches_together_are_those_of_each():
    one, other = [{"a": np.full(2, n)} for n in range(3)], [{"a": np.full(2, -n)} for n in range(3)]
    np.testing.assert_array_equal(StackedBatches([one, other])[2]["a"], [[2, 2], [-2, -2]])


@pytest.mark.parametrize(
    ("seeds", "layout"), [((3, 1), Layout(2)), ((4, 2), Layout()), ((5,), Layout())]
)
def test_states_are_those_of_each_seed_and_its_numbers(seeds, layout):
    optimizer = adam(1.0)
    states = init_states(TABLE, optimizer, seeds, HYPERS[: len(seeds)], layout)
    for r, (seed, hyper) in enumerate(zip(seeds, HYPERS, strict=False)):
        alone = init_state(TABLE, optimizer, jax.random.key(seed), hyper)
        for ours, theirs in zip(*map(jax.tree.leaves, (take(states, r), alone)), strict=True):
            assert ours.dtype == theirs.dtype and jnp.array_equal(ours, theirs)
    assert len(states.params["W"].sharding.device_set) == layout.devices
