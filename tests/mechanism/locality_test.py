"""Localities: which keys a window holds, by the numbers of the papers and of their authors' code."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from attention_lab.mechanism import (
    Dims,
    attend,
    cross_attention,
    init_attention,
    make_attention,
    remember,
)

KEYS = jnp.zeros((5, 4))


def weights_of(attention, params, i, keys=KEYS, query=jnp.zeros(4)):
    return np.asarray(
        attend(attention, params, query, i, remember(attention, params, keys, keys)).weights
    )


def built(**words):
    attention = make_attention(**words)
    return attention, init_attention(attention, jax.random.key(0), Dims(4, 4))


def test_local_p_sees_2d_plus_1_keys_around_the_whole_part_of_p():
    # A query of zeros is p = length / 2 = 2.5, and zero keys have equal scores: 1/5 times the Gaussian around 2.5.
    found = weights_of(*built(locality="local_p(2)"), 0)
    np.testing.assert_allclose(found, [0.009, 0.065, 0.176, 0.176, 0.065], atol=5e-4)


@pytest.mark.parametrize(
    ("logit", "seen"), [(-40.0, [0, 1, 2]), (40.0, [3, 4]), (0.0, [0, 1, 2, 3, 4])]
)
def test_local_p_at_either_end_of_the_source_keeps_the_keys_that_there_are(logit, seen):
    attention, params = built(locality="local_p(2)")
    params["locality"] = {
        "W": jnp.zeros((4, 4)).at[0, 0].set(1.0),
        "v": jnp.array([logit, 0, 0, 0]),
    }
    query = jnp.array([20.0, 0, 0, 0])  # tanh is 1
    assert np.flatnonzero(weights_of(attention, params, 0, query=query)).tolist() == seen


def test_the_place_of_local_p_is_differentiable_through_its_gain():
    attention, params = built(locality="local_p(2)")

    def first(v):
        message = {**params, "locality": {"W": jnp.eye(4), "v": v}}
        memory = remember(attention, message, KEYS, KEYS)
        return attend(attention, message, jnp.ones(4), 0, memory).weights[1]

    v = jnp.full(4, 0.1)
    ascent = jax.grad(first)(v)
    slope = (first(v + 1e-5) - first(v - 1e-5)) / 2e-5
    np.testing.assert_allclose(ascent.sum(), slope, rtol=1e-5)


@pytest.mark.parametrize("beyond", [3, 5, 50])
@pytest.mark.parametrize("implementation", ["dense", "blockwise", "fused"])
def test_local_m_beyond_the_last_key_looks_where_that_one_stands(beyond, implementation):
    attention, params = built(locality="local_m(2)")
    values = jnp.arange(12, dtype=jnp.float32).reshape(3, 4)
    memory = remember(attention, params, jnp.zeros((3, 4), jnp.float32), values)
    query, place = jnp.zeros((1, 4), jnp.float32), jnp.array([beyond])
    found = cross_attention(
        attention, params, query, memory, positions=place, implementation=implementation
    )
    np.testing.assert_allclose(found.vector[0], values.mean(0), atol=1e-6)


def test_local_m_keeps_to_the_last_key_that_is_valid():
    attention, params = built(locality="local_m(1)")
    memory = remember(attention, params, KEYS, KEYS, valid=jnp.arange(5) < 3)
    found = attend(attention, params, jnp.zeros(4), 9, memory).weights
    np.testing.assert_allclose(found, [0, 0.5, 0.5, 0, 0], atol=1e-6)


@pytest.mark.parametrize("locality", ["local_m(2)", "local_p(2)"])
def test_a_source_without_keys_gives_nothing(locality):
    attention, params = built(locality=locality)
    memory = remember(attention, params, KEYS, KEYS, valid=jnp.zeros(5, bool))
    assert not attend(attention, params, jnp.ones(4), 2, memory).weights.any()
