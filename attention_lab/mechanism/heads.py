"""Multi-head attention: the same mechanism in several projections of queries, keys and values at once.

The parameters of the mechanism belong to a key-value head. Where several query heads share one (grouped-query
attention, Ainslie et al. 2023; multi-query attention, Shazeer 2019), they are additional queries to it.
"""

from typing import Any

import jax
import jax.numpy as jnp

from attention_lab.mechanism.attention import (
    Attention,
    Context,
    Memory,
    blank,
    init_attention,
    remember,
)
from attention_lab.mechanism.contracts import (
    Array,
    Dims,
    Head,
    Params,
    affine,
    saturated,
    summed_wide,
)
from attention_lab.mechanism.parallel import attend_all
from attention_lab.mechanism.scores import matrix

# The axes over which heads are mapped in a memory: positions and padding are the same for all heads.
BY_HEAD: Any = Memory._make((0, 0, None, None, None, None))


def init_multi_head(
    attention: Attention,
    rng: Array,
    dims: Dims,
    *,
    heads: int,
    key_value_heads: int | None = None,
    features: int | None = None,
    value_features: int | None = None,
    bias: bool = False,
) -> Params:
    """Returns W_Q [H, F, D], W_K [G, F, D'], W_V [G, F', D'], W_O [D, H, F'] and G sets of the mechanism's parameters.

    dims: the features of the inputs, D = dims.query and D' = dims.key. key_value_heads: G, by default H. features:
    F, by default D / H, of queries and keys (d_k); value_features: F', by default F, of values (d_v). bias: adds
    b_Q [H, F], b_V [G, F'] and b_O [D]; there is no b_K, which a softmax of inner products ignores: it would add q · b_K
    to all scores of a query. Raises ValueError if H is not a multiple of G, or D not one of H while features is not given.
    """
    groups = heads if key_value_heads is None else key_value_heads
    if heads < 1 or groups < 1 or heads % groups:
        raise ValueError(f"{heads} heads cannot share {groups} key-value heads evenly")
    if features is None and dims.query % heads:
        raise ValueError(
            f"{heads} heads cannot share {dims.query} features evenly; give the features per head: features="
        )
    features = dims.query // heads if features is None else features
    values = features if value_features is None else value_features
    rng_q, rng_k, rng_v, rng_o, rng_a = jax.random.split(rng, 5)

    def one_group(rng):
        return init_attention(attention, rng, dims._replace(query=features, key=features))

    def projections(rng, count, features, width):
        return matrix(rng, count * features, width).reshape(count, features, width)

    params = {
        "W_Q": projections(rng_q, heads, features, dims.query),
        "W_K": projections(rng_k, groups, features, dims.key),
        "W_V": projections(rng_v, groups, values, dims.key),
        "W_O": matrix(rng_o, dims.query, heads * values).reshape(-1, heads, values),
        "attention": jax.vmap(one_group)(jax.random.split(rng_a, groups)),
    }
    if bias:
        shapes = {"b_Q": (heads, features), "b_V": (groups, values), "b_O": (dims.query,)}
        params |= {name: jnp.zeros(shape) for name, shape in shapes.items()}
    return params


def remember_heads(
    attention: Attention,
    params: Params,
    x: Array,
    valid: Array | None = None,
    positions: Array | None = None,
    segments: Array | None = None,
) -> Memory:
    """Returns the memory of x [K, D'] in every key-value head: keys [G, K, A], values [G, K, F'].

    valid, positions, segments: as in `remember`; they are the same for all heads.
    """
    x = blank(jnp.asarray(x), valid)

    def project(W, b=None):
        return saturated(affine(x, W.T, b).astype(x.dtype))

    def one_group(own):
        keys, values = project(own["W_K"]), project(own["W_V"], own.get("b_V"))
        return remember(attention, own["attention"], keys, values, valid, positions, segments)

    by_group = {name: params[name] for name in ("W_K", "W_V", "b_V", "attention") if name in params}
    return jax.vmap(one_group, out_axes=BY_HEAD)(by_group)


def multi_head(
    attention: Attention,
    params: Params,
    x: Array,
    memory: Memory | None = None,
    *,
    kind: str | None = None,
    valid: Array | None = None,
    positions: Array | None = None,
    segments: Array | None = None,
    seen: Array | None = None,
    rng: Array | None = None,
    **options: Any,
) -> Context:
    """Returns W_O [head_1; ..; head_H], where each head is an attention of its own (Vaswani et al. 2017, §3.2.2).

    x: [Q, D] attends to `memory` (from `remember_heads`), or without one to itself, and then `valid` is False at
    padding. kind: "self" or "cross", by default "cross" if there is a memory; it is "self" for a decoder that
    attends to the cache of its own past. The other options are those of `cross_attention`; segments and seen are
    the same for all heads. Returns Context([Q, D], weights [H, Q, K] if requested).
    """
    if memory is None and kind in (None, "self"):
        kind = "self"
        memory = remember_heads(attention, params, x, valid, positions, segments)
    elif memory is None:
        raise ValueError(f"multi_head: kind={kind!r} needs a memory, which remember_heads returns")
    elif valid is not None:
        raise ValueError("multi_head: `valid` is part of the memory; give it to remember_heads")
    elif kind == "self" and positions is None:
        raise ValueError(
            "multi_head: kind='self' with a memory needs positions=, those of x in the memory"
        )
    kind = "cross" if kind is None else kind
    positions = jnp.arange(x.shape[0]) if positions is None else positions
    rows = {"positions": positions, "segments": segments, "seen": seen}
    groups = params["W_K"].shape[0]
    group_size = params["W_Q"].shape[0] // groups

    def one_group(own, heads, inner, memory, rng):
        # The heads of one position are adjacent, so that a slice of x stays contiguous: ring.py.
        queries = saturated(_einsum("hfd,qd->qhf", own["W_Q"], x, own.get("b_Q")))
        context = attend_all(
            kind,
            attention,
            inner,
            queries.reshape(-1, queries.shape[-1]),
            memory,
            head=Head(jnp.tile(heads, x.shape[0]), groups * group_size),
            rng=rng,
            **{
                k: jnp.repeat(jnp.asarray(v), group_size, 0)
                for k, v in rows.items()
                if v is not None
            },
            **options,
        )
        return jax.tree.map(
            lambda y: jnp.swapaxes(y.reshape(-1, group_size, y.shape[-1]), 0, 1), context
        )

    own = {
        name: params[name].reshape(groups, group_size, *params[name].shape[1:])
        for name in ("W_Q", "b_Q")
        if name in params
    }
    rngs = None if rng is None else jax.random.split(rng, groups)
    heads = jnp.arange(groups * group_size).reshape(groups, group_size)
    context = jax.vmap(one_group, (0, 0, 0, BY_HEAD, None if rng is None else 0))(
        own, heads, params["attention"], memory, rngs
    )
    merged = jax.tree.map(lambda y: y.reshape(-1, *y.shape[2:]), context)
    vector = _einsum("dhf,hqf->qd", params["W_O"], merged.vector, params.get("b_O"))
    return merged._replace(vector=vector)


def _einsum(formula, weights, x, bias=None):
    """Returns the sum, and a bias [1, ..], in the type of x, accumulated in float32 at least."""
    total = jnp.einsum(formula, weights.astype(x.dtype), x, **summed_wide(x.dtype))
    return (total if bias is None else total + bias[None]).astype(x.dtype)
