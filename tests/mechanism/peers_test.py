"""Agreement with attention as others wrote it, on shared weights."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from attention_lab.mechanism import (
    Dims,
    cross_attention,
    init_attention,
    init_multi_head,
    make_attention,
    multi_head,
    remember,
    remember_heads,
)
from tests.cases import distance

pytestmark = pytest.mark.oldest

HEADS, QUERIES, KEYS, FEATURES = 4, 33, 40, 32
MASKS = {
    "everything": {},
    "causal": {"is_causal": True},
    "window(5)": {"local_window_size": (5, 5)},
    "both(causal, window(5))": {"is_causal": True, "local_window_size": (5, 5)},
}


def normal(*shape, seed=0):
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape), jnp.float32)


@pytest.mark.parametrize("implementation", ["dense", "blockwise", "fused"])
@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize(
    "groups", [4, pytest.param(2, marks=[pytest.mark.slow, pytest.mark.promise]), 1]
)
def test_heads_agree_with_jax_nn_dot_product_attention(groups, mask, implementation):
    length, features = 40, FEATURES // HEADS
    attention = make_attention(score="scaled_dot", mask=mask)
    params = init_multi_head(
        attention, jax.random.key(0), Dims(FEATURES, FEATURES), heads=HEADS, key_value_heads=groups
    )
    params = jax.tree.map(jnp.float32, params)
    x = normal(length, FEATURES)
    valid = jnp.arange(length) < 35

    def theirs(params):
        query = jnp.einsum("hfd,qd->qhf", params["W_Q"], x)
        key = jnp.einsum("gfd,kd->kgf", params["W_K"], x)
        value = jnp.einsum("gfd,kd->kgf", params["W_V"], x)
        vectors = jax.nn.dot_product_attention(
            query, key, value, mask=valid[None, None], **MASKS[mask]
        )
        return jnp.einsum("dhf,qhf->qd", params["W_O"], vectors)

    def ours(params):
        context = multi_head(attention, params, x, valid=valid, implementation=implementation)
        return context.vector

    seen = 35 if mask != "everything" else length  # later rows may see padding only
    assert distance(ours(params)[:seen], theirs(params)[:seen]) < 1e-5
    assert features == params["W_Q"].shape[1]
    slopes = [jax.grad(lambda p, f=f: jnp.sum(f(p)[:seen] ** 2))(params) for f in (ours, theirs)]
    assert distance(*slopes) < 1e-5


@pytest.mark.parametrize("score", ["dot", "scaled_dot"])
@pytest.mark.parametrize("implementation", ["dense", "blockwise", "fused"])
def test_one_head_agrees_with_jax_nn_dot_product_attention(score, implementation):
    queries, keys, values = normal(QUERIES, 8), normal(KEYS, 8, seed=1), normal(KEYS, 8, seed=2)
    attention = make_attention(score=score)
    params = init_attention(attention, jax.random.key(0), Dims(8, 8))
    memory = remember(attention, params, keys, values)
    ours = cross_attention(attention, params, queries, memory, implementation=implementation)
    scale = 1.0 if score == "dot" else None
    theirs = jax.nn.dot_product_attention(
        queries[:, None], keys[:, None], values[:, None], scale=scale
    )[:, 0]
    assert distance(ours.vector, theirs) < 1e-5


@pytest.mark.parametrize("implementation", ["dense", "blockwise", "fused"])
@pytest.mark.parametrize("mask", ["everything", "causal"])
def test_heads_agree_with_flax_multi_head_attention(mask, implementation):
    queries, keys = normal(QUERIES, FEATURES), normal(KEYS, 24, seed=1)
    valid = jnp.arange(KEYS) < 37
    module = nn.MultiHeadDotProductAttention(HEADS, qkv_features=FEATURES, use_bias=False)
    theirs = module.init(jax.random.key(0), queries, keys)["params"]
    attention = make_attention(score="scaled_dot", mask=mask)
    params = init_multi_head(attention, jax.random.key(1), Dims(FEATURES, 24), heads=HEADS) | {
        "W_Q": jnp.moveaxis(theirs["query"]["kernel"], 0, 2),
        "W_K": jnp.moveaxis(theirs["key"]["kernel"], 0, 2),
        "W_V": jnp.moveaxis(theirs["value"]["kernel"], 0, 2),
        "W_O": jnp.moveaxis(theirs["out"]["kernel"], 2, 0),
    }
    allowed = valid[None, None]
    if mask == "causal":
        allowed = allowed & (jnp.arange(KEYS)[None] <= jnp.arange(QUERIES)[:, None])[None]
    expected = module.apply({"params": theirs}, queries, keys, mask=allowed)
    memory = remember_heads(attention, params, keys, valid)
    actual = multi_head(attention, params, queries, memory, implementation=implementation)
    assert distance(actual.vector, expected) < 1e-5
