"""Rows of weights: what every normalizer makes of any scores, what dropout does to them, what coverage sums."""

import hypothesis
import hypothesis.extra.numpy as hnp
import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from attention_lab.mechanism import (
    Dims,
    attend,
    init_attention,
    make_attention,
    remember,
    self_attention,
)
from attention_lab.mechanism.normalizers import NORMALIZERS

pytestmark = pytest.mark.oldest


@pytest.mark.parametrize("normalize", NORMALIZERS)
@hypothesis.settings(max_examples=25, deadline=None, derandomize=True)
@hypothesis.given(
    row=hnp.arrays(np.float64, (6,), elements=st.floats(-30, 30)), where=hnp.arrays(bool, (6,))
)
def test_weights_are_a_distribution_over_what_is_seen(normalize, row, where):
    weights = np.asarray(NORMALIZERS[normalize].weigh(row, where))
    assert np.all(weights >= 0) and np.all(weights[~where] == 0)
    if normalize != "sigmoid" and where.any():
        np.testing.assert_allclose(weights.sum(), 1, atol=1e-9)


@pytest.mark.parametrize("normalize", NORMALIZERS)
@pytest.mark.parametrize("extreme", [1e4, -1e4, 1e30])
def test_extreme_scores_give_finite_weights_and_gradients(normalize, extreme):
    weigh = NORMALIZERS[normalize].weigh
    row = jnp.asarray([extreme, 0.0, -extreme, 1.0], jnp.float32)
    where = jnp.asarray([True, True, True, False])
    gradient = jax.grad(lambda row: jnp.sum(weigh(row, where) * jnp.arange(4.0)))(row)
    assert np.all(np.isfinite(weigh(row, where))) and np.all(np.isfinite(gradient))


@pytest.mark.parametrize("normalize", NORMALIZERS)
def test_second_derivatives_are_finite(normalize):
    weigh = NORMALIZERS[normalize].weigh
    row, where = jnp.asarray([3.0, 0.0, -3.0, 1.0]), jnp.asarray([True, True, True, False])
    assert np.all(np.isfinite(jax.hessian(lambda row: weigh(row, where)[0])(row)))


def test_coverage_counts_on_in_bfloat16():
    attention = make_attention(score="dot", feedback="coverage")
    params = init_attention(attention, jax.random.key(0), Dims(2, 2))
    keys = jnp.zeros((300, 2), jnp.bfloat16)
    memory = remember(attention, params, keys, keys)

    def step(state, _):
        return attend(attention, params, keys[0], 0, memory, state).feedback_state, None

    start = attention.feedback.start(params["feedback"], memory)
    covered = jax.lax.scan(step, start, None, length=900)[0]
    np.testing.assert_allclose(covered, 3.0, rtol=1e-3)


def test_dropout_drops_weights_at_its_rate_and_keeps_their_mean():
    attention = make_attention(score="dot")
    params = init_attention(attention, jax.random.key(0), Dims(4, 4))
    x = jnp.ones((400, 4))
    context = self_attention(
        attention, params, x, weights=True, rng=jax.random.key(0), dropout_rate=0.3
    )
    dropped = np.mean(np.asarray(context.weights) == 0)
    assert abs(dropped - 0.3) < 0.005
    np.testing.assert_allclose(np.asarray(context.weights).sum(axis=1).mean(), 1, atol=0.01)
    np.testing.assert_allclose(context.vector, context.weights @ x, atol=1e-12)


def test_dropout_takes_a_traced_rate_and_does_nothing_at_zero():
    attention = make_attention(score="dot")
    params = init_attention(attention, jax.random.key(0), Dims(4, 4))
    x = jnp.asarray(np.random.default_rng(0).normal(size=(6, 4)))
    memory = remember(attention, params, x, x)

    @jax.jit
    def vector(rate):
        return attend(
            attention, params, x[0], 0, memory, rng=jax.random.key(0), dropout_rate=rate
        ).vector

    undropped = attend(attention, params, x[0], 0, memory).vector
    np.testing.assert_allclose(vector(0.0), undropped, atol=1e-14)
    assert vector._cache_size() == 1 and np.any(vector(0.5) != vector(0.0))
    assert vector._cache_size() == 1
