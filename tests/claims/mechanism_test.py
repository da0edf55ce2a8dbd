"""What claims about the mechanism measure, by loops on the same draws; nothing here is slow."""

import itertools
import math
import time
from types import SimpleNamespace

import jax
import numpy as np
import pytest

from attention_lab.claims import mechanism
from attention_lab.claims.contracts import FAILS, HOLDS, judge
from attention_lab.claims.verdicts import bounds
from tests.evaluation import formulas

BY_NAME = {claim.name: claim for claim in mechanism.CLAIMS}


def entropy(scores):
    """In bits, of the softmax of some scores."""
    most = max(scores)
    weights = [math.exp(s - most) for s in scores]
    total = sum(weights)
    return -sum(w / total * math.log2(w / total) for w in weights if w > 0)


@pytest.mark.parametrize(("score", "scale"), [("dot", 1), ("scaled_dot", 1 / 3)])
def test_bits_are_the_mean_entropy_of_a_query(score, scale):
    features, rng = 9, jax.random.key(5)
    rng_queries, rng_keys, _ = jax.random.split(rng, 3)
    shape = (mechanism.KEYS, features)
    queries, keys = (np.asarray(jax.random.normal(r, shape)) for r in (rng_queries, rng_keys))
    each = [entropy([scale * float(np.dot(q, k)) for k in keys]) for q in queries]
    measured = jax.jit(mechanism.bits(score, features))(rng)
    assert float(measured) == pytest.approx(formulas.mean(each))
    assert mechanism.KEYS == 16


def test_a_measure_is_drawn_eight_times_with_different_keys():
    def measure(rng):
        return jax.random.uniform(rng)

    draws = [float(measure(key)) for key in jax.random.split(jax.random.key(0), 8)]
    found = mechanism.of_draws(measure)
    np.testing.assert_allclose(found, formulas.of_seeds(draws), rtol=1e-6)


def test_the_difference_of_two_measures_is_of_the_same_draws():
    found = mechanism._less(lambda rng: 3 + jax.random.uniform(rng), jax.random.uniform)()
    assert (found.estimate, found.spread) == pytest.approx((3, 0), abs=1e-6)


@pytest.mark.parametrize("bias", ["no_bias", "alibi"])
def test_what_a_permutation_changes(bias):
    found = float(jax.jit(mechanism.permuted(bias))(jax.random.key(1)))
    assert found < 1e-6 if bias == "no_bias" else 0.05 < found < 2


@pytest.mark.parametrize("residual", [True, False])
def test_the_gradient_of_a_stack_is_that_at_its_beginning(monkeypatch, residual):
    # Two layers, whose attention gives half of each word; gradients are found by small steps.
    length, features = 2, 4
    for name, value in (("DEPTH", 2), ("LENGTH", length), ("FEATURES", features), ("HEADS", 1)):
        monkeypatch.setattr(mechanism, name, value)
    monkeypatch.setattr(
        mechanism, "multi_head", lambda attention, params, x: SimpleNamespace(vector=x / 2)
    )
    rng_params, rng_words, rng_aim = jax.random.split(jax.random.key(3), 3)
    glorot = jax.nn.initializers.glorot_uniform()
    layers = []
    for key in jax.random.split(rng_params, 2):
        _, rng_up, rng_down = jax.random.split(key, 3)
        shapes = (features, 4 * features), (4 * features, features)
        pair = [glorot(r, n) for r, n in zip((rng_up, rng_down), shapes, strict=True)]
        layers.append([np.asarray(one, float) for one in pair])
    x, aim = (np.asarray(jax.random.normal(r, (length, features))) for r in (rng_words, rng_aim))

    def around(f, x):
        if not residual:
            return f(x)
        return x + f((x - x.mean(1, keepdims=True)) / np.sqrt(x.var(1, keepdims=True) + 1e-5))

    def answer(x):
        for up, down in layers:
            x = around(lambda y: y / 2, x)
            x = around(lambda y, up=up, down=down: np.maximum(y @ up, 0) @ down, x)
        return np.vdot(x, aim)

    steps = 1e-4 * np.eye(length * features).reshape(-1, length, features)
    into = [(answer(x + step) - answer(x - step)) / 2e-4 for step in steps]
    expected = math.log10(np.linalg.norm(into) / np.linalg.norm(aim))
    measured = jax.jit(mechanism.gradient(residual))(jax.random.key(3))
    assert float(measured) == pytest.approx(expected, rel=1e-3)


def test_each_claim_measures_what_it_says(monkeypatch):
    monkeypatch.setattr(mechanism, "of_draws", lambda measure: measure)
    monkeypatch.setattr(mechanism, "gradient", lambda residual: ("gradient", residual))
    monkeypatch.setattr(mechanism, "bits", lambda *given: ("bits", *given))
    monkeypatch.setattr(mechanism, "permuted", lambda *given: ("permuted", *given))
    measured = {
        "vanishing": ("gradient", False),
        "residuals": ("gradient", True),
        "saturation": ("bits", "dot", 1024),
        "a set": ("permuted", "no_bias"),
        "a sequence": ("permuted", "alibi"),
    }
    assert {name: BY_NAME[name].quantity([]) for name in measured} == measured


def test_the_bounds_of_each_claim():
    assert {name: bounds(claim) for name, claim in BY_NAME.items()} == {
        "saturation": "less than 0.5",
        "scaling": "between -0.3 and 0.3",
        "a set": "less than 1e-05",
        "a sequence": "more than 0.01",
        "vanishing": "less than -3",
        "residuals": "between -1 and 1",
        "local is cheaper": "less than 1",
        "multiplicative is faster": "more than 1",
    }


def clock(monkeypatch, *durations):
    """A clock by which the measured spans last so long, one after the other."""
    now, ends = [0.0], itertools.cycle(durations)
    message = itertools.count()

    def read():
        if next(message) % 2:
            now[0] += next(ends)
        return now[0]

    monkeypatch.setattr(mechanism.time, "perf_counter", read)


def test_a_ratio_of_times_is_one_of_the_other_turn_by_turn(monkeypatch):
    monkeypatch.setattr(mechanism, "TURNS", 3)
    spans = (3.0, 1.0, 8.0, 2.0, 10.0, 5.0)
    clock(monkeypatch, *spans)
    found = mechanism.ratio({"score": "additive"}, {}, 8, "dense")
    np.testing.assert_allclose(found, formulas.of_seeds([3.0, 4.0, 2.0]), rtol=1e-9)
    assert time.perf_counter is mechanism.time.perf_counter


def test_what_is_timed_is_what_the_claim_says(monkeypatch):
    asked, (fast, slow) = [], (formulas.of_seeds([0.4, 0.5]), formulas.of_seeds([2.0, 2.1]))
    found = [fast]
    monkeypatch.setattr(mechanism, "ratio", lambda *given: asked.append(given) or found[0])
    names = ("local is cheaper", "multiplicative is faster")
    assert [judge(BY_NAME[name], []).verdict for name in names] == [
        "INCONCLUSIVE" if fast.high > 1 else HOLDS,
        FAILS if fast.high < 1 else "INCONCLUSIVE",
    ]
    found[0] = slow
    assert judge(BY_NAME["multiplicative is faster"], []).verdict == HOLDS
    assert judge(BY_NAME["local is cheaper"], []).verdict == FAILS
    assert asked[:2] == [
        ({"mask": "window(32)"}, {}, 4096, "blockwise"),
        ({"score": "additive"}, {}, 512, "dense"),
    ]


@pytest.mark.parametrize("name", ["saturation", "scaling", "a set", "a sequence"])
def test_what_is_known_of_the_mechanism_holds(name):
    assert judge(BY_NAME[name], []).verdict == HOLDS
