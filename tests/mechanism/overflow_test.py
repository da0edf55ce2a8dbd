"""What a mask hides has weight 0 and sends back nothing, be its score infinite or no number at all."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from attention_lab.mechanism import (
    SCORES,
    Dims,
    attend,
    init_attention,
    make_attention,
    remember,
    self_attention,
)
from attention_lab.mechanism.contracts import Bias, no_params
from attention_lab.mechanism.normalizers import NORMALIZERS

ABSURD = [np.inf, -np.inf, np.nan]
WORDS = jax.random.normal(jax.random.key(0), (5, 4)).astype(jnp.float16)
LAST = 4  # the word that overflows


@pytest.mark.parametrize("absurd", ABSURD)
@pytest.mark.parametrize("normalize", NORMALIZERS)
def test_a_hidden_score_may_be_infinite_or_no_number(normalize, absurd):
    weigh = NORMALIZERS[normalize].weigh
    where = jnp.array([True, True, False])

    def first(row):
        return weigh(row, where)[1]

    plain, strange = jnp.array([0.0, 1.0, 0.0]), jnp.array([0.0, 1.0, absurd])
    np.testing.assert_array_equal(weigh(strange, where), weigh(plain, where))
    np.testing.assert_array_equal(jax.grad(first)(strange), jax.grad(first)(plain))
    assert not weigh(strange, jnp.zeros(3, bool)).any()


def context(attention, params, x, implementation):
    if implementation == "step":
        memory = remember(attention, params, x, x)
        return jax.vmap(lambda q, i: attend(attention, params, q, i, memory).vector)(
            x, jnp.arange(len(x))
        )
    return self_attention(attention, params, x, implementation=implementation).vector


def before_the_last(attention, params, x, implementation):
    """What the words before the last get, and its gradients."""

    def total(params, x):
        vectors = context(attention, params, x, implementation)[:LAST]
        return jnp.sum(vectors.astype(jnp.float32)), vectors

    (_, vectors), gradients = jax.value_and_grad(total, (0, 1), has_aux=True)(params, x)
    return vectors, gradients


@pytest.mark.parametrize("implementation", ["dense", "blockwise", "step"])
@pytest.mark.parametrize("score", SCORES)
def test_a_later_word_that_overflows_changes_nothing_for_those_before(score, implementation):
    attention = make_attention(score=score, mask="causal")
    params = init_attention(attention, jax.random.key(1), Dims(4, 4, positions=5))
    params = jax.tree.map(lambda p: p.astype(jnp.float32), params)
    # Of the largest numbers that float16 has: W k is more than that.
    loud = WORDS.at[LAST].set(60000.0)
    vectors, (d_params, d_words) = before_the_last(attention, params, loud, implementation)
    plain, (_, d_plain) = before_the_last(attention, params, WORDS, implementation)
    np.testing.assert_allclose(vectors, plain, rtol=1e-2, atol=1e-3)
    np.testing.assert_allclose(d_words[:LAST], d_plain[:LAST], rtol=1e-2, atol=1e-3)
    assert all(np.isfinite(g).all() for g in jax.tree.leaves((d_params, d_words)))


@pytest.mark.parametrize("implementation", ["dense", "blockwise", "step"])
@pytest.mark.parametrize("absurd", ABSURD)
def test_a_hidden_bias_may_be_infinite_or_no_number(absurd, implementation):
    strange = Bias(
        "strange",
        no_params,
        lambda params, query, i: (),
        lambda params, share, i, j: jnp.where(j > i, absurd, 0.0),
    )
    attention = make_attention(score="dot", mask="causal")
    params = init_attention(attention, jax.random.key(1), Dims(4, 4))
    x = WORDS.astype(jnp.float32)
    found = before_the_last(attention._replace(bias=strange), params, x, implementation)
    plain = before_the_last(attention, params, x, implementation)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6), found, plain)


@pytest.mark.parametrize("implementation", ["dense", "blockwise", "step"])
def test_a_later_value_that_is_infinite_reaches_no_earlier_word(implementation):
    attention = make_attention(score="dot", mask="causal")
    params = init_attention(attention, jax.random.key(1), Dims(4, 4))
    vectors, gradients = before_the_last(
        attention, params, WORDS.at[LAST].set(jnp.inf), implementation
    )
    assert np.isfinite(vectors).all()
    np.testing.assert_array_equal(gradients[1][LAST], 0)
