"""What the package's docstring says of its conventions, where other codebases have others."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from attention_lab import mechanism
from attention_lab.mechanism import (
    Attention,
    Dims,
    Head,
    attend,
    choose,
    cross_attention,
    init_attention,
    init_multi_head,
    make_attention,
    multi_head,
    remember,
    score_matrix,
    self_attention,
)
from attention_lab.mechanism.contracts import Bias, no_params
from attention_lab.mechanism.positions import alibi_slopes
from tests import reference

pytestmark = pytest.mark.oldest

FEATURES, KEYS, QUERIES = 8, 7, 3


def rows(number, seed=0, dtype=jnp.float64):
    return jax.random.normal(jax.random.key(seed), (number, FEATURES), dtype)


def built(**words):
    attention = make_attention(**words)
    return attention, init_attention(attention, jax.random.key(1), Dims(FEATURES, FEATURES))


def weights_of(attention, params, queries, keys, **options):
    memory = remember(attention, params, keys, keys)
    return np.asarray(
        cross_attention(attention, params, queries, memory, weights=True, **options).weights
    )


def test_causal_is_upper_left_and_by_positions_lower_right():
    attention, params = built(mask="causal")
    queries, keys = rows(QUERIES), rows(KEYS, 1)
    seen = weights_of(attention, params, queries, keys) > 0
    np.testing.assert_array_equal(seen, np.tri(QUERIES, KEYS, 0))
    newest = jnp.arange(KEYS - QUERIES, KEYS)
    seen = weights_of(attention, params, queries, keys, positions=newest) > 0
    np.testing.assert_array_equal(seen, np.tri(QUERIES, KEYS, KEYS - QUERIES))


@pytest.mark.parametrize("words", [{"mask": "window(2)"}, {"locality": "local_m(2)"}])
def test_windows_include_both_their_ends(words):
    attention, params = built(**words)
    x = rows(KEYS)
    seen = np.asarray(self_attention(attention, params, x, weights=True).weights) > 0
    place = np.arange(KEYS)
    np.testing.assert_array_equal(seen, abs(place[:, None] - place) <= 2)


@pytest.mark.parametrize("name", ["shaw", "t5"])
def test_relative_tables_are_indexed_by_key_minus_query(name):
    """The parameter of j − i = +1 lifts the key after the query, not the one before it."""
    attention, params = built(bias=name)
    x = rows(KEYS)
    before = np.asarray(self_attention(attention, params, x, weights=True).weights)
    later = {"shaw": 17, "t5": 17}[name]  # of 2 · 16 + 1 vectors, and of 2 · 16 buckets
    (table,) = params["bias"].values()
    lift = table.at[later].add(5 * x[3] if name == "shaw" else 5)
    params = params | {"bias": dict.fromkeys(params["bias"], lift)}
    after = np.asarray(self_attention(attention, params, x, weights=True).weights)
    assert after[3, 4] > before[3, 4] + 0.01
    assert after[3, 2] < before[3, 2]


def test_a_key_value_head_serves_query_heads_that_follow_one_another():
    attention = make_attention()
    params = init_multi_head(
        attention, jax.random.key(0), Dims(FEATURES, FEATURES), heads=4, key_value_heads=2
    )
    silent = params | {"W_K": params["W_K"].at[1].set(0)}
    weights = np.asarray(multi_head(attention, silent, rows(KEYS), weights=True).weights)
    np.testing.assert_allclose(weights[2:], 1 / KEYS)
    assert np.all(np.ptp(weights[:2], axis=-1) > 0.01)


# --- Halves: the other layout of rotary and of sinusoids ------------------------------------------

ORDER = np.arange(FEATURES).reshape(2, -1).T.ravel()  # neighbors <- halves: 0, A/2, 1, A/2 + 1, ..


def test_rotary_by_halves_is_rotary_of_permuted_features():
    x, turned = rows(KEYS), "rotary(scaled_dot, halves=True)"
    other = score_matrix(choose("score", turned), {}, x, rows(KEYS, 1))
    plain = choose("score", "rotary(scaled_dot)")
    np.testing.assert_allclose(other, score_matrix(plain, {}, x[:, ORDER], rows(KEYS, 1)[:, ORDER]))
    assert np.max(np.abs(other - score_matrix(plain, {}, x, rows(KEYS, 1)))) > 0.1


def test_rotary_by_halves_is_llama_s():
    """x · cos + rotate_half(x) · sin, with the angles of the first half repeated in the second."""
    x = np.asarray(rows(1)[0])
    angles = np.tile(5 * 10000.0 ** (-2 * np.arange(FEATURES // 2) / FEATURES), 2)
    half = np.concatenate([-x[FEATURES // 2 :], x[: FEATURES // 2]])
    turned = choose("score", "rotary(dot, halves=True)").query({}, jnp.asarray(x), 5)
    np.testing.assert_allclose(turned, x * np.cos(angles) + half * np.sin(angles))


@pytest.mark.parametrize("features", [1, 2, 7, 8])
def test_sinusoids_by_halves_are_sinusoids_in_another_order(features):
    zeros = jnp.zeros(features)
    plain, halves = (
        np.array([choose("encoding", words).encode({}, zeros, i) for i in (0, 1, 9)])
        for words in ("sinusoidal", "sinusoidal(halves=True)")
    )
    order = [*range(0, features, 2), *range(1, features, 2)]
    np.testing.assert_array_equal(halves, plain[:, order])
    wanted = reference.sinusoidal({}, [0.0] * features, 9, halves=True)
    np.testing.assert_allclose(halves[2], wanted, atol=1e-7)


# --- Biases ---------------------------------------------------------------------------------------

LAST = Bias("toward_the_end", no_params, lambda *_: (), lambda params, share, i, j: 0.5 * j)


def test_a_bias_that_is_not_relative_is_legal_across_two_sequences():
    attention = Attention(bias=LAST)
    weights = weights_of(attention, built()[1], 0 * rows(QUERIES), rows(KEYS))
    wanted = np.exp(0.5 * np.arange(KEYS))
    np.testing.assert_allclose(weights, np.tile(wanted / wanted.sum(), (QUERIES, 1)), rtol=1e-6)


@pytest.mark.parametrize("name", ["shaw", "t5", "alibi"])
def test_a_relative_bias_is_not(name):
    attention, params = built(bias=name)
    with pytest.raises(ValueError, match="depends on j − i, which is defined only within one"):
        weights_of(attention, params, rows(QUERIES), rows(KEYS))


@pytest.mark.parametrize("head", [Head(), Head(0, 8), Head(2, 3)])
def test_one_query_says_which_head_it_is(head):
    attention, params = built(bias="alibi")
    x = rows(KEYS)
    memory = remember(attention, params, x, x)
    weights = attend(attention, params, 0 * x[4], 4, memory, head=head).weights
    scores = -alibi_slopes(head.of)[head.number] * abs(4 - np.arange(KEYS))
    np.testing.assert_allclose(weights, np.exp(scores) / np.exp(scores).sum(), rtol=1e-6)
    every = self_attention(attention, params, 0 * x, weights=True, head=head).weights
    np.testing.assert_allclose(every[4], weights, rtol=1e-6)


# --- Narrow types ---------------------------------------------------------------------------------


@pytest.mark.parametrize("words", [{}, {"score": "general", "mask": "causal", "bias": "t5"}])
@pytest.mark.parametrize("dtype", [jnp.float16, jnp.bfloat16])
def test_fused_takes_narrow_types(dtype, words):
    attention, params = built(**words)
    x = rows(KEYS, dtype=dtype)

    def total(x, how):
        vectors = self_attention(attention, params, x, implementation=how).vector
        assert vectors.dtype == dtype
        return jnp.sum(vectors.astype(jnp.float32) ** 2), vectors

    fused, dense = (jax.grad(total, has_aux=True)(x, how)[::-1] for how in ("fused", "dense"))
    tolerance = {jnp.float16: 4e-3, jnp.bfloat16: 3e-2}[dtype]
    for one, other in zip(fused, dense, strict=True):
        np.testing.assert_allclose(
            *(np.asarray(y, np.float32) for y in (one, other)), rtol=tolerance, atol=3 * tolerance
        )


def test_the_conventions_are_in_one_place():
    message = mechanism.__doc__
    for word in (
        "upper left",
        "lower right",
        "both their ends",
        "halves=True",
        "query heads",
        "key minus query",
    ):
        assert word in message
