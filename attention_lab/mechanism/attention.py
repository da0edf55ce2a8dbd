"""Attention: one query attends to a memory, and receives a context vector.

    memory  = remember(attention, params, keys, values)          # once per source
    context = attend(attention, params, query, i, memory)        # one query

A mechanism is one named tuple of pieces, `Attention`, which is static under `jax.jit`. The module parallel.py
computes many queries at once, and heads.py many heads.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from attention_lab.mechanism.contracts import (
    Array,
    Bias,
    Dims,
    Feedback,
    Head,
    Locality,
    Mask,
    Normalizer,
    Params,
    Position,
    Score,
    Share,
    accumulator,
)
from attention_lab.mechanism.dropout import dropout
from attention_lab.mechanism.feedback import no_feedback
from attention_lab.mechanism.inputs import fitting, one_each, sequence_length, truths
from attention_lab.mechanism.locality import global_
from attention_lab.mechanism.masks import everything
from attention_lab.mechanism.normalizers import softmax
from attention_lab.mechanism.pairs import pairwise
from attention_lab.mechanism.positions import no_bias
from attention_lab.mechanism.scores import scaled_dot


class Attention(NamedTuple):
    """A mechanism: a score, a normalizer, and the pieces that modify them."""

    score: Score = scaled_dot
    normalize: Normalizer = softmax
    mask: Mask = everything
    bias: Bias = no_bias
    locality: Locality = global_
    feedback: Feedback = no_feedback


class Memory(NamedTuple):
    """The keys and values of a source, or of one of its positions. Positions are never mapped over a batch or heads."""

    keys: Array  # [K, A] the keys' shares
    values: Array  # [K, D]
    positions: Array  # [K] integers
    valid: Array  # [K] bool: False is padding
    segments: Array | None = None  # [K] integers: which document each key belongs to
    rows: Array | None = None  # [K] integers: a key's index in a query's `seen`


class PreparedQuery(NamedTuple):
    """All that depends on the query alone, computed once per query and used with every key."""

    share: Array  # [A] the score's
    bias: Share
    focus: Share
    position: Position
    segment: Any = None  # an integer: the document it belongs to
    seen: Array | None = None  # [K] bool, by the key's row


class Comparison(NamedTuple):
    """The result of comparing one query with one key."""

    score: Array  # []
    seen: Array  # [] bool
    gain: Array  # [] multiplies the weight after normalizing


class Context(NamedTuple):
    """The result for one query: the weighted sum of values, the weights if requested, the next feedback state."""

    vector: Array  # [D]
    weights: Array | None  # [K]
    feedback_state: Any = ()


def init_attention(attention: Attention, rng: Array, dims: Dims) -> Params:
    """Returns the parameters of all pieces: {"score", "bias", "locality", "feedback"}.

    Raises ValueError if the score does not exist for these dims.
    """
    rng_score, rng_bias, rng_locality, rng_feedback = jax.random.split(rng, 4)
    score = attention.score
    score_params = score.init(rng_score, dims)
    key = jax.ShapeDtypeStruct((dims.key,), jnp.result_type(float))
    share = jax.eval_shape(score.key, score_params, key, 0)
    return {
        "score": score_params,
        "bias": attention.bias.init(rng_bias, dims),
        "locality": attention.locality.init(rng_locality, dims),
        "feedback": attention.feedback.init(rng_feedback, dims._replace(hidden=share.size)),
    }


def remember(
    attention: Attention,
    params: Params,
    keys: Array,
    values: Array,
    valid: Array | None = None,
    positions: Array | None = None,
    segments: Array | None = None,
) -> Memory:
    """Returns the memory of a source, in which the share of each key is computed once.

    keys: [K, D]; values: [K, D']; valid: bool[K], by default all; positions: int[K], by default 0 .. K−1.
    segments: int[K], the document to which each key belongs; a query attends to its own document alone.
    The contents of padded positions, even NaN, have no effect on any result. Raises ValueError if the
    lengths differ or the score's table is too short for the source.
    """
    length = sequence_length("keys", keys)
    if sequence_length("values", values) != length:
        raise ValueError(
            f"remember: there are {length} keys but {values.shape[0]} values; each key needs a value"
        )
    limit = attention.score.limit(params["score"])
    if limit is not None and length > limit:
        raise ValueError(
            f"{attention.score.name} supports {limit} positions, but there are {length} keys; "
            f"initialize it with dims.positions={length} or more"
        )
    indices = jnp.arange(length) if positions is None else one_each("positions", positions, length)
    exists = jnp.ones(length, bool) if valid is None else one_each("valid", valid, length)
    if exists.dtype != bool:
        raise ValueError(f"valid must be bool, True for the keys that exist, but is {exists.dtype}")
    if segments is not None:
        segments = one_each("segments", segments, length)

    def share(key, j):
        with fitting("key", attention.score, key):
            return attention.score.key(params["score"], key, j)

    shares = jax.vmap(share)(blank(keys, exists), indices)
    return Memory(blank(shares, exists), blank(values, exists), indices, exists, segments)


def prepare_query(
    attention: Attention,
    params: Params,
    query: Array,
    i: Position,
    memory: Memory,
    segment: Any = None,
    seen: Array | None = None,
    head: Head = Head(),
) -> PreparedQuery:
    """Returns the `PreparedQuery` of query [D] at position i: all that depends on the query alone.

    segment: an integer, the document to which it belongs; seen: bool[K], by default all, the keys to which it may
    attend; head: the query head. Raises ValueError if only one of query and memory has a segment.
    """
    if (segment is None) != (memory.segments is None):
        have, lack = ("memory", "query") if segment is None else ("query", "memory")
        raise ValueError(f"the {have} has segments but the {lack} has none; give segments to both")
    with fitting("query", attention.score, query):
        share = attention.score.query(params["score"], query, i)
    bias = attention.bias.query(params["bias"], query, i, head)
    prepared = PreparedQuery(share, bias, None, i, segment, seen)
    visible = jax.vmap(partial(allowed, attention, prepared))(memory)
    length = 1 + jnp.max(memory.positions, initial=-1, where=visible)
    focus = attention.locality.query(params["locality"], query, i, length)
    return prepared._replace(focus=focus)


def allowed(attention: Attention, query: PreparedQuery, key: Memory) -> Any:
    """Returns whether a query may attend to one key: padding, mask, segments and `seen` all permit it."""
    may = key.valid & attention.mask(query.position, key.positions)
    if query.segment is not None:
        may &= query.segment == key.segments
    return may if query.seen is None else may & query.seen[key.rows]


def compare(attention: Attention, params: Params, query: PreparedQuery, key: Memory) -> Comparison:
    """Compares one query with one key, a memory without its axis: all the mathematics of a pair."""
    score, bias, locality = attention.score, attention.bias, attention.locality
    j = key.positions
    seen = allowed(attention, query, key) & locality.inside(params["locality"], query.focus, j)
    gain = locality.gain(params["locality"], query.focus, j)
    return Comparison(
        score=score.pair(params["score"], query.share, key.keys)
        + bias.pair(params["bias"], query.bias, query.position, j),
        seen=seen,
        # Where the weight is 0 the gain is arbitrary, and may not be finite.
        gain=jnp.where(seen, gain, 1),
    )


def compare_all(
    attention: Attention,
    params: Params,
    queries: PreparedQuery,
    memory: Memory,
    pairs: Callable[..., Array] = pairwise,
) -> Comparison:
    """Applies `compare` to every query (leading axis Q) and every key, and returns a Comparison of [Q, K].

    The result equals that of two vmaps of `compare`; the score's pair function is mapped by `pairs`, which is faster.
    """
    rest = compare_but_score(attention, params, queries, memory)
    score = pairs(attention.score, params["score"], queries.share, memory.keys)
    return rest._replace(score=score + rest.score)


def compare_but_score(
    attention: Attention, params: Params, queries: PreparedQuery, memory: Memory
) -> Comparison:
    """Returns `compare_all` without the score's pair function: its score is the bias alone."""
    silent = attention._replace(score=attention.score._replace(pair=lambda *_: 0.0))
    one_query = jax.vmap(partial(compare, silent, params), (None, 0))
    return jax.vmap(one_query, (0, None))(queries, memory)


def weigh(attention: Attention, comparison: Comparison) -> Array:
    """Returns the weights [K] that follow from the comparison of one query with every key."""
    score, seen, gain = comparison
    # A selection, not a product: an infinite gradient of a weight that is not used must not propagate.
    return jnp.where(seen, attention.normalize.weigh(score, seen) * gain, 0)


def attend(
    attention: Attention,
    params: Params,
    query: Array,
    i: Position,
    memory: Memory,
    feedback_state: Any = None,
    *,
    segment: Any = None,
    seen: Array | None = None,
    head: Head = Head(),
    dropout_rate: Any = 0.0,
    rng: Array | None = None,
) -> Context:
    """Returns the context of ONE query [D] at position i: weights [K], and the sum of values that they weigh.

    feedback_state: that of the previous step's context; None is the state before the first step. segment: the
    document to which the query belongs, if the memory has several. seen: bool[K], by default all, the keys to
    which it may attend. head: the query head, by default the only one. rng: where given, weights are dropped at
    `dropout_rate`; without it they never are.
    """
    feedback = attention.feedback
    if feedback_state is None:
        feedback_state = feedback.start(params["feedback"], memory)
    term = jnp.asarray(feedback.key(params["feedback"], feedback_state), memory.keys.dtype)
    # For a single query, what it may not attend to is equivalent to padding.
    may = memory.valid & feedback.seen(params["feedback"], feedback_state)
    if seen is not None:
        may &= truths("seen", seen, memory.valid.shape)
    memory = memory._replace(valid=may)
    prepared = prepare_query(attention, params, query, i, memory, segment, head=head)
    compare_keys = jax.vmap(partial(compare, attention, params, prepared))
    weights = weigh(attention, compare_keys(memory._replace(keys=memory.keys + term)))
    feedback_state = feedback.update(params["feedback"], feedback_state, weights, query)
    if rng is not None:
        weights = dropout(rng, dropout_rate, weights)
    return Context(weighted_sum(weights, memory.values), weights, feedback_state)


def blank(rows: Array, valid: Array | None) -> Array:
    """Returns rows [K, D] with zeros in place of those that are not valid, so that not even NaN in padding propagates."""
    if valid is None:
        return rows
    # In float32: the gradient of rows that a whole batch shares is a sum over the batch.
    wide = rows.astype(accumulator(rows.dtype))
    return jnp.where(jnp.asarray(valid)[:, None], wide, 0).astype(rows.dtype)


def weighted_sum(weights: Array, values: Array) -> Array:
    """Returns Σ_j w_j v_j [.., D] of weights [.., K] and values [K, D], accumulated in float32 at least."""
    wide = accumulator(values.dtype)
    total = jnp.dot(weights.astype(values.dtype), values, preferred_element_type=wide)
    return total.astype(values.dtype)
