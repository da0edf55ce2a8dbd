"""Cells against Flax's on shared weights, and what padding and direction mean."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from attention_lab.models.cells import CELLS, bidirectional, init_bidirectional, project, run

pytestmark = pytest.mark.oldest
D, N = 5, 4


def random_like(tree, seed=0):
    rng = np.random.default_rng(seed)
    return jax.tree.map(lambda x: jnp.asarray(rng.normal(size=x.shape)), tree)


def gates(matrix, names):
    return dict(zip(names, jnp.split(matrix, len(names), axis=-1), strict=True))


def test_a_gru_is_flax_s_on_shared_weights():
    params = random_like(CELLS["gru"].init(jax.random.key(0), D, N))
    w, u, b = (gates(params[name], "rzn") for name in ("W", "U", "b"))
    theirs = {f"i{g}": {"kernel": w[g], "bias": b[g]} for g in "rzn"}
    theirs |= {f"h{g}": {"kernel": u[g]} for g in "rzn"}
    theirs["hn"]["bias"] = params["b_n"]
    rng = np.random.default_rng(1)
    h, x = jnp.asarray(rng.normal(size=N)), jnp.asarray(rng.normal(size=D))
    expected, _ = nn.GRUCell(N, param_dtype=jnp.float64).apply({"params": theirs}, h, x)
    got = CELLS["gru"].step(params, project(params, x), h)
    np.testing.assert_allclose(got, expected, rtol=1e-9)


def test_an_lstm_is_flax_s_on_shared_weights():
    params = random_like(CELLS["lstm"].init(jax.random.key(0), D, N))
    w, u, b = (gates(params[name], "ifgo") for name in ("W", "U", "b"))
    theirs = {f"i{g}": {"kernel": w[g]} for g in "ifgo"}
    theirs |= {f"h{g}": {"kernel": u[g], "bias": b[g]} for g in "ifgo"}
    rng = np.random.default_rng(1)
    h, c, x = (jnp.asarray(rng.normal(size=size)) for size in (N, N, D))
    cell = nn.OptimizedLSTMCell(N, param_dtype=jnp.float64)
    (expected_c, expected_h), _ = cell.apply({"params": theirs}, (c, h), x)
    got_h, got_c = CELLS["lstm"].step(params, project(params, x), (h, c))
    np.testing.assert_allclose(got_h, expected_h, rtol=1e-9)
    np.testing.assert_allclose(got_c, expected_c, rtol=1e-9)


@pytest.mark.parametrize("name", CELLS)
def test_reading_backwards_is_reading_the_reversed_sentence(name):
    cell = CELLS[name]
    params = init_bidirectional(cell, jax.random.key(0), D, N)
    x = jax.random.normal(jax.random.key(1), (6, D))
    every = jnp.ones(6, bool)
    outputs, summary = bidirectional(cell, params, x, every)
    forward, last = run(cell, params["forward"], x, every)
    backward, first = run(cell, params["backward"], x[::-1], every)
    np.testing.assert_allclose(
        outputs, jnp.concatenate([forward, backward[::-1]], axis=-1), rtol=1e-6
    )
    np.testing.assert_allclose(summary, jnp.concatenate([last, first]), rtol=1e-6)


@pytest.mark.parametrize("name", CELLS)
def test_padding_leaves_both_directions_as_they_were(name):
    cell = CELLS[name]
    params = init_bidirectional(cell, jax.random.key(0), D, N)
    x = jax.random.normal(jax.random.key(1), (6, D))
    alone, summary = bidirectional(cell, params, x[:4], jnp.ones(4, bool))
    padded, same = bidirectional(cell, params, x, jnp.arange(6) < 4)
    np.testing.assert_allclose(padded[:4], alone, rtol=1e-6)
    np.testing.assert_allclose(same, summary, rtol=1e-6)
