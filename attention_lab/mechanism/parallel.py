"""Many queries at once: cross-attention and self-attention, in one of three ways.

`implementation` says how, never what: all agree to rounding.
  dense      the whole matrix: gives weights, and drops them; O(QK) memory
  blockwise  tiles: any streaming combination; O(Q + K) memory, forward and backward
  fused      `jax.nn.dot_product_attention`: where the pair is an inner product
  None       dense where the weights are wanted or the problem is small, else blockwise where legal
With `ring`, blockwise is spread over devices, each of which holds one slice of the sequence: ring.py.
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
    ask,
    compare_all,
    compare_but_score,
    remember,
    weigh,
    weighted_sum,
)
from attention_lab.mechanism.contracts import Array, Head, Params
from attention_lab.mechanism.dropout import dropout
from attention_lab.mechanism.inputs import one_each, sequence_length, truths
from attention_lab.mechanism.pairs import pair_numbers, pairwise, pairwise_by_feature
from attention_lab.mechanism.ring import Ring, around
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
    """Context of queries [Q, D] that ask the memory of another sequence.

    positions: int[Q], by default 0 .. Q−1. head: which of several heads asks; its number may be int[Q]. weights: return them [Q, K] too. rng: weights are dropped at
    `dropout_rate` where given. ring: the devices that share both sequences, by default none; what it
    computes is blockwise, so that the legal combinations are too. Raises ValueError on an illegal
    combination, saying why.

    Masks of data, which only narrow what the mechanism's mask lets them see: segments: int[Q], the
    document that each query belongs to, in a memory that has them; seen: bool[Q, K], any pairs.
    """
    return ask_all(
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
    """Context of x [L, D] that asks itself: remember x, then every row of x is a query.

    valid: bool[L], by default all: which rows are keys; a padded row still asks, and what it gets is of
    no meaning. positions: int[L], by default 0 .. L−1. segments: int[L]: of several documents packed into
    x, the one that a row belongs to; it sees no other. Options as in `cross_attention`.
    """
    memory = remember(attention, params, x, x, valid, positions, segments)
    own = {"positions": memory.positions, "segments": memory.segments}
    return ask_all("self", attention, params, x, memory, **own, **options)


def ask_all(
    place,
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
    """Both, told apart by `place`, "cross" or "self"."""
    if not isinstance(memory, Memory):
        raise ValueError(
            "the memory to ask is what remember(attention, params, keys, values) returns"
        )
    queries = jnp.asarray(queries)
    request = legality.Request(
        place,
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
    asking = queries, positions, segments, seen, heads
    which = how, ring, attention, head.of
    vectors, matrix = _run(*which, params, asking, memory, dropout_rate, rng)
    return Context(vectors, matrix if weights else None)


@partial(jax.jit, static_argnums=(0, 1, 2, 3))
def _run(how, ring, attention, heads, params, asking, memory, dropout_rate, rng):
    # Compiled here so that a call outside any jit traces its loops once, not every time.
    def one(query, i, segment, seen, head):
        return ask(attention, params, query, i, memory, segment, seen, Head(head, heads))

    questions = jax.vmap(one)(*asking)
    implement = IMPLEMENTATIONS[how] if ring is None else partial(_blockwise, ring=ring)
    return implement(attention, params, questions, memory, dropout_rate, rng)


def _dense(attention, params, questions, memory, dropout_rate, rng):
    """What `attend` does, for all questions: the only one with weights to show or to drop."""
    comparison = compare_all(attention, params, questions, memory)
    weights = jax.vmap(partial(weigh, attention))(comparison)
    if rng is not None:
        weights = dropout(rng, dropout_rate, weights)
    return weighted_sum(weights, memory.values), weights


def _blockwise(attention, params, questions, memory, dropout_rate, rng, ring=None):
    """Tiles as large as the largest array of one pair allows."""
    score = attention.score
    if isinstance(score.pair, FeatureSum) and jax.default_backend() == "cpu":
        pairs, numbers = pairwise_by_feature, 1
    else:
        pairs = pairwise
        numbers = pair_numbers(score, params["score"], questions.share[0], memory.keys[0])
    tile = tiles.tile_for(numbers, questions.share.shape[0], memory.keys.shape[0])

    def allowed(params, questions, memory):
        mask = jax.vmap(jax.vmap(attention.mask, (None, 0)), (0, None))
        return jnp.any(mask(questions.position, memory.positions))

    compare = partial(compare_all, attention, pairs=pairs)
    problem = tiles.Problem(compare, allowed, attention.normalize.stream, tile)
    run = tiles.blockwise if ring is None else partial(around, ring)
    return run(problem, params, questions, memory), None


def _fused(attention, params, questions, memory, dropout_rate, rng):
    """The shares are its queries and keys, on a scale of 1; mask, locality and bias are matrices."""
    bias, seen, _ = compare_but_score(attention, params, questions, memory)
    # Without padding this matrix is a constant, which XLA would spend minutes on folding.
    seen = jax.lax.optimization_barrier(seen)
    # It wants shares and values equally wide; zeros change no inner product.
    features = memory.values.shape[-1]
    width = max(features, memory.keys.shape[-1])
    query, key, value = (
        jnp.pad(x, ((0, 0), (0, width - x.shape[-1])))[:, None]
        for x in (questions.share, memory.keys, memory.values.astype(memory.keys.dtype))
    )
    if key.dtype == jnp.float16 and jax.default_backend() == "cpu":
        # XLA has no such product on a CPU.
        key, value = key.astype(jnp.float32), value.astype(jnp.float32)
    vectors = jax.nn.dot_product_attention(
        query.astype(key.dtype), key, value, bias=bias[None], mask=seen[None], scale=1.0
    )
    # A query without keys gets the mean value from it, and nothing from us.
    vectors = jnp.where(jnp.any(seen, axis=1)[:, None], vectors[:, 0, :features], 0)
    return vectors.astype(memory.values.dtype), None


IMPLEMENTATIONS = MappingProxyType({"dense": _dense, "blockwise": _blockwise, "fused": _fused})
