"""Attention: one query asks a memory, and gets a context vector.

    memory  = remember(attention, params, keys, values)          # once per source
    context = attend(attention, params, query, i, memory)        # one query

How a mechanism is put together is one named tuple, `Attention`, static under `jax.jit`. Asking many
queries at once is the business of parallel.py, many heads of heads.py.
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
    """A mechanism, chosen once: which score, and what is done with it."""

    score: Score = scaled_dot
    normalize: Normalizer = softmax
    mask: Mask = everything
    bias: Bias = no_bias
    locality: Locality = global_
    feedback: Feedback = no_feedback


class Memory(NamedTuple):
    """A source, or one key of it, ready to be asked. Positions are never mapped over a batch or heads."""

    keys: Array  # [K, A] the keys' shares
    values: Array  # [K, D]
    positions: Array  # [K] integers
    valid: Array  # [K] bool: False is padding
    segments: Array | None = None  # [K] integers: which document each key belongs to
    rows: Array | None = None  # [K] integers: a key's place in a question's `seen`


class Question(NamedTuple):
    """What a query brings to every key: worked out once per query."""

    share: Array  # [A] the score's
    bias: Share
    focus: Share
    position: Position
    segment: Any = None  # an integer: the document it belongs to
    seen: Array | None = None  # [K] bool, by the key's row


class Comparison(NamedTuple):
    """What one query makes of one key."""

    score: Array  # []
    seen: Array  # [] bool
    gain: Array  # [] multiplies the weight after normalizing


class Context(NamedTuple):
    """What a query gets: the weighted sum of values, the weights if asked for, the next feedback."""

    vector: Array  # [D]
    weights: Array | None  # [K]
    feedback_state: Any = ()


def init_attention(attention: Attention, rng: Array, dims: Dims) -> Params:
    """The parameters of all pieces: {"score", "bias", "locality", "feedback"}.

    Raises ValueError where a score cannot be made with these dims.
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
    """The memory of a source: each key's share, worked out once.

    keys: [K, D]; values: [K, D']; valid: bool[K], by default all; positions: int[K], by default 0 .. K−1.
    segments: int[K], which of several documents each key belongs to; a query sees its own alone.
    What stands at padded positions, even NaN, has no effect on anything. Raises ValueError where the
    lengths differ or the score's table is too short for the source.
    """
    length = sequence_length("keys", keys)
    if sequence_length("values", values) != length:
        raise ValueError(
            f"remember: {length} keys but {values.shape[0]} values; each key needs one"
        )
    limit = attention.score.limit(params["score"])
    if limit is not None and length > limit:
        raise ValueError(
            f"{attention.score.name} tells {limit} positions apart, but there are {length} keys; "
            f"initialize it with dims.positions={length} or more"
        )
    places = jnp.arange(length) if positions is None else one_each("positions", positions, length)
    exists = jnp.ones(length, bool) if valid is None else one_each("valid", valid, length)
    if exists.dtype != bool:
        raise ValueError(f"valid says which keys exist and must be bool, but is {exists.dtype}")
    if segments is not None:
        segments = one_each("segments", segments, length)

    def share(key, j):
        with fitting("key", attention.score, key):
            return attention.score.key(params["score"], key, j)

    shares = jax.vmap(share)(blank(keys, exists), places)
    return Memory(blank(shares, exists), blank(values, exists), places, exists, segments)


def ask(
    attention: Attention,
    params: Params,
    query: Array,
    i: Position,
    memory: Memory,
    segment: Any = None,
    seen: Array | None = None,
    head: Head = Head(),
) -> Question:
    """What query [D] at position i brings to every key.

    segment: the document that it belongs to, an integer; seen: bool[K], by default all, which keys it may
    see; head: which of several heads it is. Raises ValueError where only one of query and memory has a segment.
    """
    if (segment is None) != (memory.segments is None):
        have, lack = ("memory", "query") if segment is None else ("query", "memory")
        raise ValueError(f"the {have} has segments but the {lack} has none; give them to both")
    with fitting("query", attention.score, query):
        share = attention.score.query(params["score"], query, i)
    bias = attention.bias.query(params["bias"], query, i, head)
    question = Question(share, bias, None, i, segment, seen)
    visible = jax.vmap(partial(allowed, attention, question))(memory)
    length = 1 + jnp.max(memory.positions, initial=-1, where=visible)
    focus = attention.locality.query(params["locality"], query, i, length)
    return question._replace(focus=focus)


def allowed(attention: Attention, question: Question, key: Memory) -> Any:
    """Whether a question may look at one key: padding, mask, segments and `seen` agree."""
    may = key.valid & attention.mask(question.position, key.positions)
    if question.segment is not None:
        may &= question.segment == key.segments
    return may if question.seen is None else may & question.seen[key.rows]


def compare(attention: Attention, params: Params, question: Question, key: Memory) -> Comparison:
    """What one question makes of one key, a memory without its axis: all the mathematics of a pair."""
    score, bias, locality = attention.score, attention.bias, attention.locality
    j = key.positions
    seen = allowed(attention, question, key) & locality.inside(
        params["locality"], question.focus, j
    )
    gain = locality.gain(params["locality"], question.focus, j)
    return Comparison(
        score=score.pair(params["score"], question.share, key.keys)
        + bias.pair(params["bias"], question.bias, question.position, j),
        seen=seen,
        # A gain may be anything where it multiplies a weight of 0.
        gain=jnp.where(seen, gain, 1),
    )


def compare_all(
    attention: Attention,
    params: Params,
    questions: Question,
    memory: Memory,
    pairs: Callable[..., Array] = pairwise,
) -> Comparison:
    """`compare` of every question (leading axis Q) with every key: a Comparison of [Q, K].

    The same numbers as two vmaps of `compare`, with the score's pair mapped by `pairs`, a faster way round.
    """
    rest = compare_but_score(attention, params, questions, memory)
    score = pairs(attention.score, params["score"], questions.share, memory.keys)
    return rest._replace(score=score + rest.score)


def compare_but_score(
    attention: Attention, params: Params, questions: Question, memory: Memory
) -> Comparison:
    """`compare_all` without the score's pair: its score is the bias alone."""
    silent = attention._replace(score=attention.score._replace(pair=lambda *_: 0.0))
    one_query = jax.vmap(partial(compare, silent, params), (None, 0))
    return jax.vmap(one_query, (0, None))(questions, memory)


def weigh(attention: Attention, comparison: Comparison) -> Array:
    """The weights [K] of one query's comparison with every key."""
    score, seen, gain = comparison
    # Selected, so that not even ∞ in the gradient of a weight that is none comes back.
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
    """What ONE query [D] at position i gets from a memory: weights [K] and their sum of values.

    feedback_state: the one in the last step's context; None starts afresh. segment: the document that the
    query belongs to, where the memory has several. seen: bool[K], by default all, the keys that it may see.
    head: which of several heads asks, by default the only one. rng: weights are dropped at `dropout_rate` where given, never otherwise.
    """
    feedback = attention.feedback
    if feedback_state is None:
        feedback_state = feedback.start(params["feedback"], memory)
    term = jnp.asarray(feedback.key(params["feedback"], feedback_state), memory.keys.dtype)
    if seen is not None:
        # For one query it is what padding is.
        may = memory.valid & truths("seen", seen, memory.valid.shape)
        memory = memory._replace(valid=may)
    question = ask(attention, params, query, i, memory, segment, head=head)
    look = jax.vmap(partial(compare, attention, params, question))
    weights = weigh(attention, look(memory._replace(keys=memory.keys + term)))
    feedback_state = feedback.update(params["feedback"], feedback_state, weights, query)
    if rng is not None:
        weights = dropout(rng, dropout_rate, weights)
    return Context(weighted_sum(weights, memory.values), weights, feedback_state)


def blank(rows: Array, valid: Array | None) -> Array:
    """rows [K, D], zero where not valid: what stands in padding, even NaN, then reaches nothing."""
    if valid is None:
        return rows
    # Wide, so that the sum over a batch is, which the gradient of rows is that all of it shares.
    wide = rows.astype(accumulator(rows.dtype))
    return jnp.where(jnp.asarray(valid)[:, None], wide, 0).astype(rows.dtype)


def weighted_sum(weights: Array, values: Array) -> Array:
    """Σ_j w_j v_j, summed in float32 at least: weights [.., K], values [K, D]. Returns [.., D]."""
    wide = accumulator(values.dtype)
    total = jnp.dot(weights.astype(values.dtype), values, preferred_element_type=wide)
    return total.astype(values.dtype)
