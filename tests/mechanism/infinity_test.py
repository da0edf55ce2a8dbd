"""What a mask hides may be anything: infinite, NaN or too large for its type, it reaches nothing."""

import functools

import hypothesis
import hypothesis.extra.numpy as hnp
import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from attention_lab.mechanism import (
    NORMALIZERS,
    Dims,
    attend,
    blockwise,
    init_attention,
    init_multi_head,
    make_attention,
    multi_head,
    remember,
    self_attention,
)
from attention_lab.mechanism.pairs import pairwise, pairwise_by_feature
from attention_lab.mechanism.parallel import attend_all
from attention_lab.mechanism.scores import SCORES
from tests import reference
from tests.cases import distance

pytestmark = pytest.mark.oldest

LENGTH, FEATURES = 11, 4
DIMS = Dims(FEATURES, FEATURES, 6, positions=LENGTH)


@pytest.fixture(autouse=True, scope="module")
def small_tiles():
    """Tiles of 8 by 8, so that some hold both what is seen and what is not."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blockwise, "TILE_NUMBERS", 1)
        patch.setattr(blockwise, "STRIDE", blockwise.Tile(1, 1))
        jax.clear_caches()
        yield
    jax.clear_caches()


@functools.partial(jax.jit, static_argnums=0)
def weights_and_gradient(normalize, row, where, cotangent):
    weights, pull = jax.vjp(lambda row: NORMALIZERS[normalize].weigh(row, where), row)
    return weights, pull(cotangent)[0]


@pytest.mark.parametrize("dtype", [jnp.float16, jnp.float32])
@pytest.mark.parametrize("bad", [np.inf, -np.inf, np.nan])
@pytest.mark.parametrize("normalize", NORMALIZERS)
@hypothesis.settings(max_examples=20, deadline=None, derandomize=True)
@hypothesis.given(
    row=hnp.arrays(np.float16, (6,), elements=st.floats(-30, 30, width=16)),
    where=hnp.arrays(bool, (6,)),
)
def test_a_hidden_score_weighs_nothing_whatever_it_is(normalize, bad, dtype, row, where):
    row, cotangent = jnp.asarray(row, dtype), jnp.arange(6, dtype=dtype)
    dirty = weights_and_gradient(normalize, jnp.where(where, row, bad), where, cotangent)
    clean = weights_and_gradient(normalize, jnp.where(where, row, 0), where, cotangent)
    for one, other in zip(dirty, clean, strict=True):
        np.testing.assert_array_equal(one, other)
        assert np.all(np.asarray(one)[~where] == 0)


@pytest.mark.parametrize("normalize", NORMALIZERS)
def test_a_score_of_minus_infinity_weighs_nothing_and_many_of_them_are_nothing_to_look_at(
    normalize,
):
    where = np.array([True, True, True, False])
    for row in ([1.0, -np.inf, 2.0, 3.0], [-np.inf, -np.inf, -np.inf, 3.0]):
        seen = where & np.isfinite(row)
        weights, gradient = weights_and_gradient(
            normalize, jnp.asarray(row), where, jnp.arange(4.0)
        )
        expected = reference.NORMALIZERS[normalize](row, seen)
        np.testing.assert_allclose(weights, expected, atol=1e-12)
        assert np.all(np.isfinite(gradient)) and np.all(np.asarray(gradient)[~seen] == 0)


@pytest.mark.parametrize("dtype", [jnp.float16, jnp.float32, jnp.float64])
def test_the_least_scores_that_there_are_weigh_as_any_equal_ones_do(dtype):
    least = jnp.full(4, jnp.finfo(dtype).min)
    weights = NORMALIZERS["softmax"].weigh(least, jnp.asarray([True, True, False, False]))
    np.testing.assert_array_equal(weights, [0.5, 0.5, 0, 0])


# How far from zero the last position lies, so that something overflows: a share, a score, a weight's gradient.
LARGE = {jnp.float16: 6e4, jnp.float32: 1e38}
WORDS = [
    *({"score": score} for score in SCORES),
    {"score": "rotary(general)"},
    {"score": "rotary(additive)"},
    {"score": "general", "normalize": "sigmoid"},
    {"score": "general", "bias": "shaw(3)", "locality": "local_p(9)"},
]


def asked(how, attention, params, x):
    """What all rows of x but the last get, asked in this way."""
    kind, _, implementation = how.partition(" ")
    if kind == "whole":
        return self_attention(attention, params, x, implementation=implementation).vector[:-1]
    if kind == "heads":
        return multi_head(attention, params, x, implementation=implementation).vector[:-1]
    memory, queries = remember(attention, params, x, x), x[:-1]
    if kind == "step":
        step = lambda query, i: attend(attention, params, query, i, memory).vector  # noqa: E731
        return jax.vmap(step)(queries, jnp.arange(LENGTH - 1))
    return attend_all(
        "self", attention, params, queries, memory, implementation=implementation
    ).vector


def slopes_of(how, dtype, **words):
    """x -> gradients of a sum over what all rows but the last get, and that."""
    attention = make_attention(mask="causal", **words)
    if how.startswith("heads"):
        params = init_multi_head(attention, jax.random.key(0), DIMS, heads=2, key_value_heads=1)
    else:
        params = init_attention(attention, jax.random.key(0), DIMS)
    params = jax.tree.map(lambda p: p.astype(dtype), params)

    def total(params, x):
        vectors = asked(how, attention, params, x).astype(jnp.float32)
        return jnp.sum(jnp.sin(vectors)), vectors

    return functools.partial(jax.jit(jax.grad(total, (0, 1), has_aux=True)), params)


def last_row(x, large):
    """x, and x with a last row whose numbers are as large as this, of either sign."""
    return x.at[-1].set(0), x.at[-1].set(jnp.asarray([large, -large, large, large], x.dtype))


def assert_the_last_row_reaches_nothing(slopes, x, large):
    clean, dirty = (slopes(x) for x in last_row(x, large))
    assert all(np.all(np.isfinite(leaf)) for leaf in jax.tree.leaves(dirty))
    tolerance = 20 * float(jnp.finfo(x.dtype).eps)
    for one, other in zip(jax.tree.leaves(dirty), jax.tree.leaves(clean), strict=True):
        np.testing.assert_allclose(one, other, rtol=tolerance, atol=tolerance)
    assert np.all(np.asarray(dirty[0][1])[-1] == 0)


@pytest.mark.parametrize("how", ["self dense", "self blockwise"])
@pytest.mark.parametrize("dtype", LARGE)
@pytest.mark.parametrize("words", WORDS, ids=lambda words: "-".join(words.values()))
def test_what_overflows_in_the_future_reaches_no_earlier_row(words, dtype, how):
    x = jax.random.normal(jax.random.key(1), (LENGTH, FEATURES), dtype)
    assert_the_last_row_reaches_nothing(slopes_of(how, dtype, **words), x, LARGE[dtype])


WAYS = ("whole dense", "whole blockwise", "heads dense", "heads blockwise", "step")


@pytest.mark.parametrize("how", WAYS)
def test_nor_does_it_where_that_row_asks_too_in_heads_or_step_by_step(how):
    x = jax.random.normal(jax.random.key(1), (LENGTH, FEATURES), jnp.float16)
    slopes = slopes_of(how, jnp.float16, score="general")
    assert_the_last_row_reaches_nothing(slopes, x, LARGE[jnp.float16])


@pytest.mark.parametrize("how", ["dense", "blockwise"])
@pytest.mark.parametrize("piece", ["bias", "locality"])
def test_a_bias_or_a_gain_may_overflow_where_nothing_is_seen(piece, how):
    plain = make_attention(mask="causal")
    params = init_attention(plain, jax.random.key(0), DIMS)
    x = jax.random.normal(jax.random.key(1), (LENGTH, FEATURES), jnp.float32)
    # Infinite from the next position on, and 0 or 1, as without it, up to there.
    steep = lambda gap: jnp.exp(1e4 * jnp.maximum(gap, 0).astype(jnp.float32))  # noqa: E731
    if piece == "bias":
        steeply = lambda params, share, i, j: steep(j - i) - 1  # noqa: E731
        odd = plain._replace(bias=plain.bias._replace(pair=steeply))
    else:
        look = lambda params, query, i, length: i  # noqa: E731
        steeply = lambda params, focus, j: steep(j - focus)  # noqa: E731
        odd = plain._replace(locality=plain.locality._replace(query=look, gain=steeply))

    def slope(attention):
        def total(x):
            vectors = self_attention(attention, params, x, implementation=how).vector
            return jnp.sum(jnp.sin(vectors)), vectors

        return jax.grad(total, has_aux=True)(x)

    for one, other in zip(slope(odd), slope(plain), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


@pytest.mark.parametrize("far", [3.3e38, -3.3e38])
def test_tanh_by_exponentials_is_right_at_the_ends_of_its_type(far):
    score = SCORES["additive"]
    params = score.init(jax.random.key(0), Dims(5, 5, hidden=6))
    queries, keys = jnp.ones((9, 6), jnp.float32), jnp.full((7, 6), far, jnp.float32)
    found, wanted = (
        pairs(score, params, queries, keys) for pairs in (pairwise_by_feature, pairwise)
    )
    assert distance(found, wanted) < 1e-6
