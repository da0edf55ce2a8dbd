"""Many queries at once: cross-attention and self-attention, in one of three ways.

`implementation` chooses how the result is computed; all implementations agree up to rounding.
  dense      the whole matrix: returns weights, and supports their dropout; O(QK) memory
  blockwise  tiles: any streaming combination; O(Q + K) memory, forward and backward
  fused      `jax.nn.dot_product_attention`, if the pair is an inner product
  None       dense if the weights are requested or the problem is small, else blockwise if legal
With `ring`, blockwise attention is distributed over devices, each of which holds one slice of the sequence: ring.py.
"""

from functools import partial
from types import MappingProxyType
from typing import Any

import jax
import jax.numpy as jnp

from attention_lab.mechanism import blockwise as tiles
from attention_lab.mechanism import legality
from attention_lab.mechanism.attention import (
    Attention,
    Context,
    Memory,
    compare_all,
    compare_but_score,
    prepare_query,
    remember,
    weigh,
    weighted_sum,
)
from attention_lab.mechanism.contracts import Array, Head, Params
from attention_lab.mechanism.dropout import dropout
from attention_lab.mechanism.inputs import one_each, sequence_length, truths
from attention_lab.mechanism.pairs import pair_numbers, pairwise, pairwise_by_feature
from attention_lab.mechanism.ring import Ring, ring_attention
from attention_lab.mechanism.scores import FeatureSum


def cross_attention(
    attention: Attention,
    params: Params,
    queries: Array,
    memory: Memory,
    *,
    positions: Array | None = None,
    segments: Array | None = None,
    seen: Array | None = None,
    head: Head = Head(),
    implementation: str | None = None,
    weights: bool = False,
    dropout_rate: Any = 0.0,
    rng: Array | None = None,
    ring: Ring | None = None,
) -> Context:
    """Returns the context of queries [Q, D] that attend to the memory of another sequence.

    positions: int[Q], by default 0 .. Q−1. head: the query head; its number may be int[Q]. weights: whether to
    return the weights [Q, K] too. rng: where given, weights are dropped at `dropout_rate`. ring: the devices over
    which both sequences are distributed, by default none; it computes blockwise attention, and the same
    combinations are legal. Raises ValueError, with the reason, if the combination is illegal.

    Masks given as data can only exclude further pairs: segments: int[Q], the document to which each query belongs,
    in a memory that has segments; seen: bool[Q, K], the pairs that are permitted.
    """
    return attend_all(
        "cross",
        attention,
        params,
        queries,
        memory,
        positions=positions,
        segments=segments,
        seen=seen,
        head=head,
        implementation=implementation,
        weights=weights,
        dropout_rate=dropout_rate,
        rng=rng,
        ring=ring,
    )


def self_attention(
    attention: Attention,
    params: Params,
    x: Array,
    *,
    valid: Array | None = None,
    positions: Array | None = None,
    segments: Array | None = None,
    **options: Any,
) -> Context:
    """Returns the context of x [L, D] that attends to itself: every row of x is a key and a query.

    valid: bool[L], by default all: which rows are keys; a padded row is nevertheless a query, whose result has no
    meaning. positions: int[L], by default 0 .. L−1. segments: int[L], the document to which each row belongs where
    several are packed into x; it attends to no other. The other options are those of `cross_attention`.
    """
    memory = remember(attention, params, x, x, valid, positions, segments)
    own = {"positions": memory.positions, "segments": memory.segments}
    return attend_all("self", attention, params, x, memory, **own, **options)


def attend_all(
    kind,
    attention,
    params,
    queries,
    memory,
    *,
    positions=None,
    segments=None,
    seen=None,
    head=Head(),
    implementation=None,
    weights=False,
    dropout_rate=0.0,
    rng=None,
    ring=None,
) -> Context:
    """Computes cross- or self-attention, according to `kind`, "cross" or "self"."""
    if not isinstance(memory, Memory):
        raise ValueError("memory must be the result of remember(attention, params, keys, values)")
    queries = jnp.asarray(queries)
    request = legality.Request(
        kind,
        "blockwise" if implementation is None and ring is not None else implementation,
        weights=weights,
        dropout=rng is not None,
        double=queries.dtype == jnp.float64,
        ring=ring is not None,
    )
    length = sequence_length("queries", queries)
    how = legality.decide(attention, request, length * memory.positions.shape[0])
    positions = (
        jnp.arange(length) if positions is None else one_each("positions", positions, length)
    )
    if segments is not None:
        segments = one_each("segments", segments, length)
    if seen is not None:
        seen = truths("seen", seen, (length, *memory.positions.shape))
        memory = memory._replace(rows=jnp.arange(memory.positions.size))
    heads = jnp.broadcast_to(jnp.asarray(head.number), length)
    inputs = queries, positions, segments, seen, heads
    static = how, ring, attention, head.of
    vectors, matrix = _run(*static, params, inputs, memory, dropout_rate, rng)
    return Context(vectors, matrix if weights else None)


@partial(jax.jit, static_argnums=(0, 1, 2, 3))
def _run(how, ring, attention, heads, params, inputs, memory, dropout_rate, rng):
    # Compiled here, so that calls outside jit do not trace the loops again each time.
    def one(query, i, segment, seen, head):
        return prepare_query(attention, params, query, i, memory, segment, seen, Head(head, heads))

    queries = jax.vmap(one)(*inputs)
    implement = IMPLEMENTATIONS[how] if ring is None else partial(_blockwise, ring=ring)
    return implement(attention, params, queries, memory, dropout_rate, rng)


def _dense(attention, params, queries, memory, dropout_rate, rng):
    """Computes `attend` for all queries; only this implementation can return weights, or apply dropout to them."""
    comparison = compare_all(attention, params, queries, memory)
    weights = jax.vmap(partial(weigh, attention))(comparison)
    if rng is not None:
        weights = dropout(rng, dropout_rate, weights)
    return weighted_sum(weights, memory.values), weights


def _blockwise(attention, params, queries, memory, dropout_rate, rng, ring=None):
    """Chooses a tile by the size of the arrays that one pair needs, and computes it blockwise."""
    score = attention.score
    if isinstance(score.pair, FeatureSum) and jax.default_backend() == "cpu":
        pairs, numbers = pairwise_by_feature, 1
    else:
        pairs = pairwise
        numbers = pair_numbers(score, params["score"], queries.share[0], memory.keys[0])
    tile = tiles.tile_for(numbers, queries.share.shape[0], memory.keys.shape[0])

    def allowed(params, queries, memory):
        mask = jax.vmap(jax.vmap(attention.mask, (None, 0)), (0, None))
        return jnp.any(mask(queries.position, memory.positions))

    compare = partial(compare_all, attention, pairs=pairs)
    problem = tiles.Problem(compare, allowed, attention.normalize.stream, tile)
    run = tiles.blockwise if ring is None else partial(ring_attention, ring)
    return run(problem, params, queries, memory), None


def _fused(attention, params, queries, memory, dropout_rate, rng):
    """Passes the shares as queries and keys, with a scale of 1; mask, locality and bias are matrices."""
    bias, seen, _ = compare_but_score(attention, params, queries, memory)
    # Without padding this matrix is a constant, and XLA would spend minutes on constant folding.
    seen = jax.lax.optimization_barrier(seen)
    # The library requires shares and values of equal width; padding with zeros changes no inner product.
    features = memory.values.shape[-1]
    width = max(features, memory.keys.shape[-1])
    query, key, value = (
        jnp.pad(x, ((0, 0), (0, width - x.shape[-1])))[:, None]
        for x in (queries.share, memory.keys, memory.values.astype(memory.keys.dtype))
    )
    if key.dtype == jnp.float16 and jax.default_backend() == "cpu":
        # XLA does not support float16 products of this kind on a CPU.
        key, value = key.astype(jnp.float32), value.astype(jnp.float32)
    vectors = jax.nn.dot_product_attention(
        query.astype(key.dtype), key, value, bias=bias[None], mask=seen[None], scale=1.0
    )
    # For a query without keys the library returns the mean value; here it is zero.
    vectors = jnp.where(jnp.any(seen, axis=1)[:, None], vectors[:, 0, :features], 0)
    return vectors.astype(memory.values.dtype), None


IMPLEMENTATIONS = MappingProxyType({"dense": _dense, "blockwise": _blockwise, "fused": _fused})
