"""One update, number by number: schedule, dropout, loss, clipping, Adam and weight decay, against loops in NumPy.

The model is a table of logits, so that its gradient is known by hand and all of this compiles in a moment.
"""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from attention_lab.models.base import Dropout, Model, Output, shift_right
from attention_lab.special_tokens import START
from attention_lab.training.optimizer import SCHEDULES, adam, move
from attention_lab.training.step import init_state, make_train_step
from tests.models.small import example

V = 6
HYPER = {"learning_rate": 0.5, "weight_decay": 0.3, "dropout": 0.0, "label_smoothing": 0.2}
TARGETS = [[4, 5, 3, 0], [5, 3, 0, 0], [1, 1, 4, 3], [2, 3, 0, 0], [3, 0, 0, 0]]


def apply(params, one, *, rng=None, hyper=None, weights=False, dtype=None):
    """Row W[y_{t−1}] of a table, dropped out, plus b."""
    rows = params["W"][shift_right(one["target"].values)]
    return Output(Dropout(rng, hyper)(rows) + params["b"][None])


def init(rng):
    return {"W": jax.random.normal(rng, (V, V)), "b": jnp.arange(V) / 10.0}


TABLE = Model("table", init, apply, lambda *_: None, lambda *_: None)


def batch(targets=TARGETS):
    return example(targets, targets)


@functools.cache
def compiled(schedule="constant", clip=1e9, microbatches=1):
    """The step of the table, and its first state."""
    optimizer = adam(clip)
    step = make_train_step(TABLE, optimizer, SCHEDULES[schedule](2, 10), microbatches)
    return jax.jit(step), optimizer


def started(optimizer, **hyper):
    return init_state(TABLE, optimizer, jax.random.key(0), {**HYPER, **hyper})


@pytest.mark.parametrize(
    ("name", "warmup", "total", "factors"),
    [
        ("constant", 4, 9, {0: 1 / 4, 1: 1 / 2, 2: 3 / 4, 3: 1, 4: 1, 5: 1, 8: 1, 90: 1}),
        ("constant", 0, 9, {0: 1, 1: 1, 9: 1}),
        (
            "inverse_sqrt",
            4,
            9,
            {0: 1 / 4, 2: 3 / 4, 3: 1, 4: math.sqrt(4 / 5), 15: 1 / 2, 35: 1 / 3},
        ),
        ("inverse_sqrt", 0, 9, {0: 1, 3: 1 / 2}),
        ("cosine", 4, 12, {0: 1 / 4, 2: 3 / 4, 3: 1, 4: 1, 8: 1 / 2, 12: 0, 13: 0, 40: 0}),
        (
            "cosine",
            4,
            12,
            {6: (1 + math.cos(math.pi / 4)) / 2, 10: (1 - math.cos(math.pi / 4)) / 2},
        ),
        ("cosine", 0, 4, {0: 1, 1: (1 + math.cos(math.pi / 4)) / 2, 2: 1 / 2, 4: 0}),
        ("cosine", 4, 4, {3: 1, 4: 1, 5: 0}),
    ],
)
def test_a_schedule_is_its_formula_at_every_t(name, warmup, total, factors):
    schedule = SCHEDULES[name](warmup, total)
    for t, factor in factors.items():
        assert float(schedule(jnp.asarray(t))) == pytest.approx(factor, abs=1e-12), t


def loss_and_gradients(params, targets, smoothing):
    """Nats per real token, and their derivatives by W and b, one token at a time."""
    W, b = params["W"], params["b"]
    loss, dW, db = 0.0, np.zeros_like(W), np.zeros_like(b)
    tokens = sum(token != 0 for row in targets for token in row)
    for row in targets:
        for before, token in zip([START, *row[:-1]], row, strict=True):
            if token == 0:
                continue
            logits = W[before] + b
            p = np.exp(logits) / sum(math.exp(logit) for logit in logits)
            q = [smoothing / V + (1 - smoothing) * (v == token) for v in range(V)]
            loss -= sum(q[v] * math.log(p[v]) for v in range(V)) / tokens
            for v in range(V):
                dW[before, v] += (p[v] - q[v]) / tokens
                db[v] += (p[v] - q[v]) / tokens
    return loss, {"W": dW, "b": db}


@pytest.mark.parametrize(
    ("schedule", "clip", "microbatches"),
    [("constant", 1e9, 1), ("inverse_sqrt", 0.1, 1), ("constant", 1e9, 2)],
)
def test_updates_are_adam_s_with_decay_of_smoothed_and_clipped_gradients(
    schedule, clip, microbatches
):
    step, optimizer = compiled(schedule, clip, microbatches)
    state = started(optimizer)
    params = jax.tree.map(np.array, state.params)
    m, v = ({name: np.zeros_like(p) for name, p in params.items()} for _ in range(2))
    for t in range(4):
        targets = TARGETS if t % 2 else [*TARGETS[::-1][:4], [5, 5, 5, 3]]
        state, metrics = step(state, batch(targets))
        loss, gradients = loss_and_gradients(params, targets, 0.2)
        norm = math.sqrt(sum(float(x) ** 2 for g in gradients.values() for x in g.flat))
        rate = 0.5 * float(SCHEDULES[schedule](2, 10)(t))
        for name, decay in (("W", 0.3), ("b", 0.0)):  # a vector does not decay
            g = gradients[name] * min(1.0, clip / norm)
            m[name] = 0.9 * m[name] + 0.1 * g
            v[name] = 0.999 * v[name] + 0.001 * g**2
            mean, square = m[name] / (1 - 0.9 ** (t + 1)), v[name] / (1 - 0.999 ** (t + 1))
            params[name] -= rate * (mean / (np.sqrt(square) + 1e-8) + decay * params[name])
            np.testing.assert_allclose(state.params[name], params[name], rtol=1e-5, atol=1e-8)
        assert norm > 0.1  # so that something is clipped
        expected = {"loss": loss, "gradient_norm": norm, "learning_rate": rate}
        for name, value in expected.items():
            assert float(metrics[name]) == pytest.approx(value, rel=1e-6), name
        assert int(metrics["tokens"]) == sum(token != 0 for row in targets for token in row)
        assert int(state.step) == t + 1


def test_a_batch_without_tokens_has_no_loss_and_no_gradient():
    step, optimizer = compiled()
    _, metrics = step(started(optimizer), batch([[0, 0, 0, 0]] * 5))
    assert [float(metrics[name]) for name in ("loss", "tokens", "gradient_norm")] == [0, 0, 0]


def test_a_move_is_down_the_direction_and_towards_zero():
    params, direction = {"a": jnp.array([2.0, -4.0])}, {"a": jnp.array([1.0, 3.0])}
    for decays, expected in ((True, [1.7, -3.9]), (False, [1.9, -4.3])):
        moved = move(params, direction, 0.1, 1.0, {"a": decays})
        np.testing.assert_allclose(moved["a"], expected, rtol=1e-12)


@pytest.mark.parametrize("microbatches", [1, 2])
def test_each_example_and_each_update_has_its_own_dropout(microbatches):
    # Only one example at a time has a token, and the gradient of W[START] shows what was kept of it.
    step, optimizer = compiled(microbatches=microbatches)
    state = started(
        optimizer, dropout=0.25, label_smoothing=0.0, weight_decay=0.0, learning_rate=0.0
    )
    blank = {name: jnp.zeros_like(p) for name, p in state.params.items()}
    state = state._replace(params=blank)  # p = 1 / V, whatever is dropped
    kept = []
    for _ in range(3):
        for row in range(5):
            targets = [[0, 0, 0, 0]] * 5
            targets[row] = [4, 0, 0, 0]
            after, _ = step(state, batch(targets))
            gradient = 10 * np.asarray(after.opt_state[1].mu["W"])  # Adam's first moment is a tenth
            assert not np.any(np.delete(gradient, START, 0))
            share = gradient[START] / [1 / V - (v == 4) for v in range(V)]
            kept.append(tuple(np.round(share, 5)))
        state = state._replace(step=after.step)
    assert set(np.ravel(kept)) == {0.0, round(4 / 3, 5)}
    assert np.mean(np.ravel(kept) > 0) == pytest.approx(0.75, abs=0.15)
    assert len(set(kept)) >= 9  # of 15, of 6 features each: some may be equal by chance


@pytest.mark.parametrize("microbatches", [1, 2])
def test_no_dropout_needs_no_random_numbers(microbatches):
    step, optimizer = compiled(microbatches=microbatches)
    plain = make_train_step(
        TABLE, optimizer, SCHEDULES["constant"](2, 10), microbatches, drops=False
    )
    state = started(optimizer, dropout=0.0)
    rows = batch([[4, 5, 3, 0], [6, 3, 0, 0], [5, 4, 4, 3]])
    expected, got = step(state, rows), jax.jit(plain)(state, rows)
    for a, b in zip(
        jax.tree.leaves(expected[0].params), jax.tree.leaves(got[0].params), strict=True
    ):
        np.testing.assert_allclose(a, b, rtol=1e-12)
    assert "random_bits" in str(jax.make_jaxpr(step)(state, rows))
    assert "random_bits" not in str(jax.make_jaxpr(plain)(state, rows))


def test_the_state_before_the_first_update():
    _, optimizer = compiled()
    state, other = (init_state(TABLE, optimizer, jax.random.key(seed), HYPER) for seed in (0, 1))
    assert int(state.step) == 0
    assert {name: float(x) for name, x in state.hyper.items()} == pytest.approx(HYPER)
    assert {x.dtype for x in state.hyper.values()} == {jnp.dtype(jnp.float32)}
    assert not np.allclose(state.params["W"], other.params["W"])
    keys = [jax.random.key_data(s.rng).tolist() for s in (state, other)]
    assert keys[0] != keys[1]
    # Dropout shares no random number with the parameters.
    assert not np.allclose(init(state.rng)["W"], state.params["W"])
    assert jax.tree.structure(state.opt_state) == jax.tree.structure(optimizer.init(state.params))


def test_parts_follow_each_other_each_of_as_many_rows():
    optimizer = adam(1.0)
    step = make_train_step(TABLE, optimizer, SCHEDULES["constant"](1, 1), microbatches=3)
    lines = jax.make_jaxpr(step)(started(optimizer), batch()).eqns
    (scan,) = [line for line in lines if line.primitive.name == "scan"]
    # Five rows of four tokens, and one of padding.
    assert scan.params["length"] == 3
    assert {x.aval.shape for x in scan.invars if x.aval.ndim == 3} == {(3, 2, 4)}
