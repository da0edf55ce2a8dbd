"""Training: the objective's formula, the optimizer's, one pure step, a loop that can stop and go on."""

import functools
import json
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from attention_lab.data.pipeline import Batches
from attention_lab.training.checkpoint import LATEST, Checkpoints
from attention_lab.training.hooks import Meter, MetricsLog, SaveCheckpoint, Validate, read
from attention_lab.training.loop import Update, every, every_minutes, train
from attention_lab.training.objectives import cross_entropy
from attention_lab.training.optimizer import SCHEDULES, adam, move
from attention_lab.training.replicas import Layout, StackedBatches, spread, stack, take
from attention_lab.training.step import init_state, make_train_step
from tests.data.pipeline_test import pairs_of
from tests.models.small import (
    batch_of,
    example,
    pair,
    recurrent,
    sentences,
    source_of,
    transformer,
)

pytestmark = pytest.mark.xdist_group("training")  # one process, which compiles the step once
HYPER = {"learning_rate": 0.01, "weight_decay": 0.0, "dropout": 0.2, "label_smoothing": 0.1}


def test_the_objective_is_cross_entropy_with_the_smoothed_labels():
    rng = np.random.default_rng(0)
    logits, target, smoothing = rng.normal(size=(2, 3, 5)), rng.integers(0, 5, (2, 3)), 0.2
    q = (1 - smoothing) * np.eye(5)[target] + smoothing / 5
    expected = -(q * np.log(np.exp(logits) / np.exp(logits).sum(-1, keepdims=True))).sum(-1)
    got = cross_entropy(jnp.asarray(logits), jnp.asarray(target), smoothing)
    np.testing.assert_allclose(got, expected, rtol=1e-12)


def test_the_objective_s_derivative_is_what_autodiff_finds():
    rng = np.random.default_rng(1)
    logits, target = jnp.asarray(rng.normal(size=(4, 7))), jnp.asarray(rng.integers(0, 7, 4))
    labels = optax.smooth_labels(jax.nn.one_hot(target, 7, dtype=jnp.float64), 0.3)
    mine = jax.grad(lambda x: (cross_entropy(x, target, 0.3) * jnp.arange(4.0)).sum())(logits)
    peer = jax.grad(lambda x: (optax.softmax_cross_entropy(x, labels) * jnp.arange(4.0)).sum())(
        logits
    )
    np.testing.assert_allclose(mine, peer, atol=1e-12)


def test_an_update_is_optax_adamw_s_of_which_some_parameters_decay():
    params, decays = {"a": jnp.arange(3.0), "b": jnp.ones((2, 2))}, {"a": False, "b": True}
    gradients = jax.tree.map(lambda x: 0.1 * x - 0.3, params)
    ours, theirs = adam(clip=1e9), optax.adamw(0.05, weight_decay=0.02, mask=decays)
    p, q = params, params
    state, peer = ours.init(p), theirs.init(q)
    for _ in range(3):
        direction, state = ours.update(gradients, state, p)
        p = move(p, direction, 0.05, 0.02, decays)
        updates, peer = theirs.update(gradients, peer, q)
        q = optax.apply_updates(q, updates)
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-9), p, q)


@pytest.mark.parametrize("name", SCHEDULES)
def test_schedules_rise_over_the_warmup_to_one(name):
    schedule = SCHEDULES[name](10, 100)
    factors = [float(schedule(t)) for t in range(100)]
    first = 1.0 if name == "level_inverse_sqrt" else 0.1
    assert factors[:10] == sorted(factors[:10]) and factors[0] == pytest.approx(first)
    assert max(factors) == pytest.approx(1.0, abs=0.01)
    at_the_end = {"inverse_sqrt": 0.1**0.5, "level_inverse_sqrt": 0.1**0.5, "cosine": 0.0}
    expected = at_the_end.get(name, 1.0)
    assert factors[99] == pytest.approx(expected, abs=0.01)


@functools.cache
def compiled(model):
    optimizer = adam(1.0)
    return jax.jit(make_train_step(model, optimizer, SCHEDULES["constant"](1, 1))), optimizer


def setup(make=recurrent, **hyper):
    step, optimizer = compiled(make())
    state = init_state(make(), optimizer, jax.random.key(0), {**HYPER, **hyper})
    lengths = [(3 + n % 4, 3 + n % 3) for n in range(12)]
    return step, state, Batches(pairs_of(lengths), tokens=24, buckets=2)


def same(a, b):
    for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
        if jnp.issubdtype(x.dtype, jax.dtypes.prng_key):
            x, y = jax.random.key_data(x), jax.random.key_data(y)
        np.testing.assert_array_equal(x, y)


def test_a_step_is_pure_and_draws_from_its_number():
    step, state, batches = setup()
    once, metrics = step(state, batches[0])
    again, same_metrics = step(state, batches[0])
    same(once, again)
    same(metrics, same_metrics)
    later = state._replace(step=state.step + 1)
    assert float(step(later, batches[0])[1]["loss"]) != float(metrics["loss"])


def test_padded_rows_and_positions_are_not_trained_on():
    step, state, _ = setup(dropout=0.0)
    batch = example([[5, 6, 3]], [[7, 3]])
    padded = example([[5, 6, 3, 0], [0, 0, 0, 0]], [[7, 3, 0], [0, 0, 0]])
    (one, message), (other, also) = step(state, batch), step(state, padded)
    assert int(message["tokens"]) == int(also["tokens"]) == 2
    np.testing.assert_allclose(message["loss"], also["loss"], rtol=1e-6)
    for x, y in zip(jax.tree.leaves(one.params), jax.tree.leaves(other.params), strict=True):
        np.testing.assert_allclose(x, y, atol=1e-6)


@pytest.mark.parametrize(
    "make", [recurrent, lambda: transformer(layers=1)], ids=["recurrent", "transformer"]
)
def test_training_learns_by_heart(make):
    step, state, batches = setup(make, dropout=0.0, label_smoothing=0.0)
    losses = []
    state = train(
        step, state, batches, 120, [lambda update: losses.append(float(update.metrics["loss"]))]
    )
    assert int(state.step) == 120
    assert np.mean(losses[-8:]) < 0.5 * np.mean(losses[:8])


def test_stopping_and_going_on_changes_no_bit(tmp_path):
    step, state, batches = setup()
    whole = train(step, state, batches, 10)
    checkpoints = Checkpoints(tmp_path)
    half = train(step, state, batches, 5)
    checkpoints.save(LATEST, 5, half)
    assert checkpoints.step(LATEST) == 5
    same(checkpoints.restore(LATEST, state), half)
    same(train(step, checkpoints.restore(LATEST, state), batches, 10), whole)


def test_a_hook_may_end_training():
    step, state, batches = setup()
    seen = []
    hooks = [lambda u: "enough" if u.number == 3 else None, lambda u: seen.append(u.number)]
    assert int(train(step, state, batches, 10, hooks).step) == 3
    assert seen == [1, 2, 3]


def test_every_means_every_so_often_and_the_last():
    step, state, batches = setup()
    seen = []
    train(step, state, batches, 7, [every(3, lambda update: seen.append(update.number))])
    assert seen == [3, 6, 7]


def run_with_hooks(folder, updates, scores, patience=0):
    """scores: of each validation, a number or one of each replica."""
    step, state, batches = setup()
    replicas = np.atleast_1d(scores[0]).size
    states, shared = stack([state] * replicas), StackedBatches([batches] * replicas)
    checkpoints, best = Checkpoints(folder / "checkpoints"), states.params
    if checkpoints.step(LATEST) is not None:
        progress = checkpoints.restore(LATEST, {"states": states, "best": best})
        states, best = progress["states"], progress["best"]
    metrics_log = MetricsLog(folder / "metrics.jsonl", int(states.step[0]))
    meter = Meter(metrics_log, updates, period=2)
    judge = iter(scores)
    improved = []
    validate = Validate(
        lambda params: {
            "bleu": np.atleast_1d(np.array(next(judge), float)),
            "perplexity": np.ones(replicas),
        },
        metrics_log,
        meter,
        best,
        better={"bleu": "higher", "perplexity": "lower"},
        patience=patience,
        improved=lambda update: improved.append(update.number),
    )
    save = SaveCheckpoint(checkpoints, meter, validate)
    hooks = [meter, every(3, validate), every(3, save)]
    states = train(jax.jit(spread(step, Layout())), states, shared, updates, hooks)
    return states, checkpoints, validate, improved


def test_the_journal_counts_tokens_and_the_best_is_kept(tmp_path):
    _, checkpoints, _, improved = run_with_hooks(tmp_path, 9, [1.0, 5.0, 2.0])
    lines = read(tmp_path / "metrics.jsonl")
    _, _, batches = setup()
    expected = sum(int(batches[t]["target"].valid.sum()) for t in range(9))
    assert [line["tokens"] for line in lines if line["kind"] == "train"][-1] == expected
    assert [line["bleu"] for line in lines if line["kind"] == "validation"] == [1.0, 5.0, 2.0]
    assert improved == [3, 6] and checkpoints.step(LATEST) == 9


def test_patience_ends_a_run_that_no_longer_improves(tmp_path):
    states, *_ = run_with_hooks(tmp_path, 30, [3.0, 2.0, 1.0, 9.0], patience=2)
    assert int(states.step[0]) == 9


def test_a_replica_whose_patience_has_run_out_is_what_it_is_alone(tmp_path):
    """The first one's patience runs out at update 9; that it is better later does not count."""
    scores = [[3.0, 1.0], [2.0, 2.0], [1.0, 3.0], [9.0, 2.0], [9.0, 1.0], [9.0, 9.0]]
    together, _, both, improved = run_with_hooks(tmp_path, 30, scores, patience=2)
    assert int(together.step[0]) == 15 and improved == [3, 6, 9]
    for number in range(2):
        folder = tmp_path / str(number)
        folder.mkdir()
        _, _, alone, _ = run_with_hooks(folder, 30, [pair[number] for pair in scores], patience=2)
        mine, wanted = take(both.best, number), take(alone.best, 0)
        jax.tree.map(partial(np.testing.assert_allclose, atol=1e-12), mine, wanted)


def test_a_run_that_was_stopped_knows_what_was_best(tmp_path):
    _, _, first, _ = run_with_hooks(tmp_path, 6, [5.0, 2.0])
    _, _, resumed, improved = run_with_hooks(tmp_path, 12, [4.0, 3.0])
    assert improved == []
    same(resumed.best, first.best)


def test_every_minutes_means_since_it_was_called_last():
    now, seen = [0.0], []
    hook = every_minutes(2, lambda update: seen.append(update.number), clock=lambda: now[0])
    for number, seconds in enumerate([60, 119, 121, 200, 240, 242]):
        now[0] = seconds
        hook(Update(number, None, None, False))
    assert seen == [2, 5]


def test_a_journal_resumes_where_the_checkpoint_stands(tmp_path):
    run_with_hooks(tmp_path, 6, [1.0, 2.0])
    path = tmp_path / "metrics.jsonl"
    with path.open("a") as file:  # written after the last checkpoint, the last line cut off
        file.write(json.dumps({"kind": "train", "update": 8, "tokens": 1}) + '\n{"kind": "tr')
    run_with_hooks(tmp_path, 9, [0.5])
    whole = tmp_path / "whole"
    whole.mkdir()
    run_with_hooks(whole, 9, [1.0, 2.0, 0.5])

    def message(folder):
        lines = read(folder / "metrics.jsonl")
        return [line["bleu"] for line in lines if line["kind"] == "validation"], lines[-1]["tokens"]

    assert message(tmp_path) == message(whole)


def test_what_a_model_adds_to_its_objective_is_part_of_the_loss_of_each_target():
    losses, optimizer = {}, adam(1.0)
    plain, penalized = (
        pair("convolutional", "bahdanau", doubly_stochastic=weight) for weight in (0.0, 0.7)
    )
    state = init_state(plain, optimizer, jax.random.key(0), {**HYPER, "dropout": 0.0})
    sources = batch_of([source_of(plain, seed, 8) for seed in (0, 1)], 8)
    targets = batch_of(sentences(2, 5, 3), 6)
    batch = {"source": sources, "target": targets}
    for model in (plain, penalized):
        for parts in (1, 2):
            step = jax.jit(make_train_step(model, optimizer, SCHEDULES["constant"](1, 1), parts))
            losses[model, parts] = float(step(state, batch)[1]["loss"])
    added = jax.vmap(lambda one: penalized.apply(state.params, one).losses["coverage"])(batch)
    for parts in (1, 2):
        difference = losses[penalized, parts] - losses[plain, parts]
        assert difference == pytest.approx(float(added.sum()) / (5 + 3), rel=1e-5)
