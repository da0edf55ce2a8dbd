"""What attention must do with any numbers: hypothesis draws values, never shapes."""

import functools

import hypothesis
import hypothesis.extra.numpy as hnp
import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from attention_lab.mechanism import (
    SCORES,
    Attention,
    Dims,
    choose,
    cross_attention,
    init_attention,
    init_multi_head,
    make_attention,
    multi_head,
    remember,
    self_attention,
)
from attention_lab.mechanism.legality import Request, why_not
from attention_lab.mechanism.masks import causal
from attention_lab.mechanism.normalizers import NORMALIZERS
from attention_lab.mechanism.registry import PIECES
from tests.cases import OPTIONS

pytestmark = pytest.mark.oldest

LENGTH, FEATURES = 6, 4
DIMS = Dims(FEATURES, FEATURES, hidden=6, positions=8)
numbers = st.floats(-3, 3, width=32)
sequences = hnp.arrays(np.float64, (LENGTH, FEATURES), elements=numbers)
which = hnp.arrays(bool, (LENGTH,))
few = hypothesis.settings(max_examples=25, deadline=None, derandomize=True)


def names(kind):
    return [OPTIONS.get(name, name) for name in PIECES[kind]]


@functools.cache
def built(**words):
    attention = make_attention(**words)
    params = init_attention(attention, jax.random.key(3), DIMS)
    return attention, jax.tree.map(lambda x: 2.0 * x, params)


@functools.partial(jax.jit, static_argnums=0, static_argnames="implementation")
def weights_and_vectors(attention, params, x, valid, implementation="dense"):
    wanted = implementation == "dense"
    context = self_attention(
        attention, params, x, valid=valid, implementation=implementation, weights=wanted
    )
    return context.weights, context.vector


@functools.partial(jax.jit, static_argnums=0)
def ask(attention, params, queries, keys, valid):
    memory = remember(attention, params, keys, keys, valid)
    return cross_attention(attention, params, queries, memory, weights=True)


@functools.partial(jax.jit, static_argnums=0)
def ask_slope(attention, params, queries, keys, valid):
    def total(params, queries, keys):
        return jnp.sum(ask(attention, params, queries, keys, valid).vector)

    return jax.grad(total, (0, 1, 2))(params, queries, keys)


@pytest.mark.parametrize("score", [name for name in SCORES if name != "location"])
@few
@hypothesis.given(x=sequences, seed=st.integers(0, 2**31))
def test_permuting_keys_permutes_weights(score, x, seed):
    attention, params = built(score=score)
    order = np.random.default_rng(seed).permutation(LENGTH)
    everyone = np.ones(LENGTH, bool)
    plain = ask(attention, params, x, x, everyone)
    moved = ask(attention, params, x, x[order], everyone)
    np.testing.assert_allclose(moved.weights, plain.weights[:, order], atol=1e-12)
    np.testing.assert_allclose(moved.vector, plain.vector, atol=1e-12)


@pytest.mark.parametrize("normalize", NORMALIZERS)
@pytest.mark.parametrize("filler", [1e30, np.inf, np.nan])
@few
@hypothesis.given(x=sequences, valid=which)
def test_padded_keys_weigh_exactly_nothing_whatever_they_hold(normalize, filler, x, valid):
    attention, params = built(score="additive", normalize=normalize)
    filled = np.where(valid[:, None], x, filler)
    context = ask(attention, params, x, filled, valid)
    assert np.all(np.asarray(context.weights)[:, ~valid] == 0)
    clean = ask(attention, params, x, np.where(valid[:, None], x, 0.0), valid)
    np.testing.assert_array_equal(context.vector, clean.vector)
    for gradient in jax.tree.leaves(ask_slope(attention, params, x, filled, valid)):
        assert np.all(np.isfinite(gradient))


@pytest.mark.parametrize("implementation", ["dense", "blockwise"])
@pytest.mark.parametrize("locality", names("locality"))
@pytest.mark.parametrize("bias", names("bias"))
def test_a_causal_mask_lets_no_gradient_through(bias, locality, implementation):
    attention, params = built(score="additive", mask="causal", bias=bias, locality=locality)
    x = np.random.default_rng(0).normal(size=(LENGTH, FEATURES))
    valid = np.ones(LENGTH, bool)

    def vectors(x):
        return weights_and_vectors(attention, params, x, valid, implementation=implementation)[1]

    jacobian = jax.jit(jax.jacrev(vectors))(x)
    reach = np.abs(jacobian).max(axis=(1, 3))
    assert np.all(reach[~np.tri(LENGTH, dtype=bool)] == 0)
    assert np.all(np.diag(reach) > 0)


@pytest.mark.parametrize("score", SCORES)
@pytest.mark.parametrize("locality", names("locality"))
@few
@hypothesis.given(x=sequences, seed=st.integers(0, 2**31))
def test_appending_tokens_changes_nothing_before_them_under_a_causal_mask(score, locality, x, seed):
    attention, params = built(score=score, mask="causal", locality=locality)
    appended = np.concatenate([x, np.random.default_rng(seed).normal(size=(2, FEATURES))])
    ask = functools.partial(weights_and_vectors, attention, params)
    weights, vectors = ask(x, np.ones(LENGTH, bool))
    more_weights, more_vectors = ask(appended, np.ones(LENGTH + 2, bool))
    np.testing.assert_allclose(more_vectors[:LENGTH], vectors, atol=1e-12)
    np.testing.assert_allclose(more_weights[:LENGTH, :LENGTH], weights, atol=1e-12)
    assert np.all(np.asarray(more_weights)[:LENGTH, LENGTH:] == 0)


LEGAL = [
    (normalize, implementation)
    for normalize in NORMALIZERS
    for implementation in ("dense", "blockwise", "fused")
    if why_not(make_attention(normalize=normalize), Request("cross", implementation)) is None
]


@pytest.mark.parametrize(("normalize", "implementation"), LEGAL)
def test_a_row_with_nothing_to_see_gives_zeros_and_finite_gradients(normalize, implementation):
    score = "scaled_dot" if implementation == "fused" else "additive"
    attention, params = built(score=score, normalize=normalize)
    params = jax.tree.map(jnp.float32, params)
    x = jnp.asarray(np.random.default_rng(0).normal(size=(LENGTH, FEATURES)), jnp.float32)
    nothing = np.zeros(LENGTH, bool)

    def vectors(params, x):
        return weights_and_vectors(attention, params, x, nothing, implementation=implementation)[1]

    with jax.debug_nans(True):
        assert np.all(np.asarray(vectors(params, x)) == 0)
        gradients = jax.grad(lambda *args: jnp.sum(vectors(*args)), (0, 1))(params, x)
    for gradient in jax.tree.leaves(gradients):
        assert np.all(np.asarray(gradient) == 0)


@few
@hypothesis.given(x=sequences, valid=which)
def test_self_attention_is_cross_attention_over_ones_own_memory(x, valid):
    attention, params = built(score="general", mask="causal")
    own = weights_and_vectors(attention, params, x, valid)[1]
    np.testing.assert_allclose(own, ask(attention, params, x, x, valid).vector, atol=1e-14)


@few
@hypothesis.given(x=sequences)
def test_concat_is_additive_with_its_matrix_split(x):
    concat, params = built(score="concat")
    additive = make_attention(score="additive")
    matrix = params["score"]["W"]
    split = {"W_q": matrix[:, :FEATURES], "W_k": matrix[:, FEATURES:], "v": params["score"]["v"]}
    valid = np.ones(LENGTH, bool)
    joined = weights_and_vectors(concat, params, x, valid)
    parted = weights_and_vectors(additive, {**params, "score": split}, x, valid)
    np.testing.assert_allclose(joined[0], parted[0], atol=1e-12)


@functools.partial(jax.jit, static_argnums=0)
def several(attention, params, x, valid):
    return multi_head(attention, params, x, valid=valid, weights=True)


@pytest.mark.parametrize("score", SCORES)
@few
@hypothesis.given(x=sequences, valid=which)
def test_one_head_is_no_heads(score, x, valid):
    attention, _ = built(score=score)
    params = init_multi_head(attention, jax.random.key(0), DIMS, heads=1)
    eye = np.eye(FEATURES)
    params |= {"W_Q": eye[None], "W_K": eye[None], "W_V": eye[None], "W_O": eye[:, None]}
    inner = jax.tree.map(lambda leaf: leaf[0], params["attention"])
    one = several(attention, params, x, valid)
    weights, vectors = weights_and_vectors(attention, inner, x, valid)
    np.testing.assert_allclose(one.vector, vectors, atol=1e-12)
    np.testing.assert_allclose(one.weights[0], weights, atol=1e-12)


@few
@hypothesis.given(x=sequences)
def test_without_positions_a_sentence_is_a_set(x):
    plain, params = built(score="scaled_dot")
    valid = np.ones(LENGTH, bool)
    forward = weights_and_vectors(plain, params, x, valid)[1]
    backward = weights_and_vectors(plain, params, x[::-1], valid)[1]
    np.testing.assert_allclose(backward[::-1], forward, atol=1e-12)


@pytest.mark.parametrize(
    "words", [{"score": "rotary(scaled_dot)"}, {"bias": "shaw"}, {"bias": "t5"}]
)
def test_a_relative_scheme_sees_order_but_not_where_the_sentence_starts(words):
    attention, params = built(**words)
    x = jnp.asarray(np.random.default_rng(1).normal(size=(LENGTH, FEATURES)))

    def vectors(x, start):
        positions = start + jnp.arange(LENGTH)
        return self_attention(attention, params, x, positions=positions).vector

    np.testing.assert_allclose(vectors(x, 0), vectors(x, 31), atol=1e-12)
    assert np.abs(vectors(x[::-1], 0)[::-1] - vectors(x, 0)).max() > 1e-3


def test_sinusoidal_encodings_tell_the_order():
    encoding = choose("encoding", "sinusoidal")
    rows = jax.vmap(encoding.encode, (None, None, 0))({}, jnp.zeros(8), jnp.arange(50))
    gaps = np.linalg.norm(rows[:, None] - rows[None], axis=-1) + 10 * np.eye(50)
    assert gaps.min() > 0.1


def test_causal_is_the_mask_of_the_same_name():
    assert choose("mask", "causal") is causal and Attention(mask=causal) == make_attention(
        mask="causal"
    )
