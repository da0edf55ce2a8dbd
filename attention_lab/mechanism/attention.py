"""Attention: one query asks a memory, and gets a context vector.

    memory  = remember(attention, params, keys, values)          # once per source
    context = attend(attention, params, query, i, memory)        # one query

How a mechanism is put together is one named tuple, `Attention`, static under `jax.jit`. Asking many
queries at once is the business of parallel.py, many heads of heads.py.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from attention_lab.mechanism.contracts import (
    Array,
    Bias,
    Dims,
    Feedback,
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
    """A source, ready to be asked. Positions are never mapped over a batch or heads."""

    keys: Array  # [K, A] the keys' shares
    values: Array  # [K, D]
    positions: Array  # [K] integers
    valid: Array  # [K] bool: False is padding


class Question(NamedTuple):
    """What a query brings to every key: worked out once per query."""

    share: Array  # [A] the score's
    bias: Share
    focus: Share
    position: Position


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
) -> Memory:
    """The memory of a source: each key's share, worked out once.

    keys: [K, D]; values: [K, D']; valid: bool[K], by default all; positions: int[K], by default 0 .. K−1.
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

    def share(key, j):
        with fitting("key", attention, key):
            return attention.score.key(params["score"], key, j)

    shares = jax.vmap(share)(blank(keys, exists), places)
    return Memory(blank(shares, exists), blank(values, exists), places, exists)


def ask(
    attention: Attention, params: Params, query: Array, i: Position, memory: Memory
) -> Question:
    """What query [D] at position i brings to every key."""
    with fitting("query", attention, query):
        share = attention.score.query(params["score"], query, i)
    visible = memory.valid & jax.vmap(attention.mask, (None, 0))(i, memory.positions)
    length = 1 + jnp.max(memory.positions, initial=-1, where=visible)
    return Question(
        share=share,
        bias=attention.bias.query(params["bias"], query, i),
        focus=attention.locality.query(params["locality"], query, i, length),
        position=i,
    )


def compare(
    attention: Attention, params: Params, question: Question, key: Array, j: Position, valid: Array
) -> Comparison:
    """What one question makes of one key's share [A] at position j: all the mathematics of a pair."""
    score, bias, locality = attention.score, attention.bias, attention.locality
    return Comparison(
        score=score.pair(params["score"], question.share, key)
        + bias.pair(params["bias"], question.bias, question.position, j),
        seen=valid
        & attention.mask(question.position, j)
        & locality.inside(params["locality"], question.focus, j),
        gain=locality.gain(params["locality"], question.focus, j),
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
    one_query = jax.vmap(partial(compare, silent, params), (None, 0, 0, 0))
    return jax.vmap(one_query, (0, None, None, None))(
        questions, memory.keys, memory.positions, memory.valid
    )


def attend(
    attention: Attention,
    params: Params,
    query: Array,
    i: Position,
    memory: Memory,
    feedback_state: Any = None,
    *,
    dropout_rate: Any = 0.0,
    rng: Array | None = None,
) -> Context:
    """What ONE query [D] at position i gets from a memory: weights [K] and their sum of values.

    feedback_state: the one in the last step's context; None starts afresh. rng: weights are dropped at
    `dropout_rate` where given, never otherwise.
    """
    feedback = attention.feedback
    if feedback_state is None:
        feedback_state = feedback.start(params["feedback"], memory)
    term = jnp.asarray(feedback.key(params["feedback"], feedback_state), memory.keys.dtype)
    keys = memory.keys + term
    question = ask(attention, params, query, i, memory)
    look = jax.vmap(partial(compare, attention, params, question))
    score, seen, gain = look(keys, memory.positions, memory.valid)
    weights = attention.normalize.weigh(score, seen) * gain
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


def sequence_length(what: str, rows: Array) -> int:
    """The length of one sequence [length, features]. Raises ValueError where it is none."""
    if rows.ndim != 2:
        raise ValueError(
            f"{what} must be one sequence [length, features], but their shape is {rows.shape}; "
            "a batch is a jax.vmap outside"
        )
    if not jnp.issubdtype(rows.dtype, jnp.floating):
        raise ValueError(f"{what} must be of a floating-point type, but are {rows.dtype}")
    if rows.shape[0] == 0:
        raise ValueError(f"there are no {what}; pad to one position, and let valid say it is none")
    return rows.shape[0]


def one_each(what: str, numbers: Any, length: int) -> Array:
    """The numbers as an array [length]. Raises ValueError where there is not one for each position."""
    numbers = jnp.asarray(numbers)
    if numbers.shape != (length,):
        raise ValueError(f"{what} must have shape ({length},), one each, but has {numbers.shape}")
    return numbers


@contextmanager
def fitting(side: str, attention: Attention, vector: Array) -> Iterator[None]:
    """Within, a vector that does not fit the parameters is a ValueError that says so."""
    try:
        yield
    except TypeError as error:
        raise ValueError(
            f"a {side} of {vector.size} features does not fit the parameters of score "
            f"{attention.score.name}; initialize them with dims.{side}={vector.size}"
        ) from error


def weighted_sum(weights: Array, values: Array) -> Array:
    """Σ_j w_j v_j, summed in float32 at least: weights [.., K], values [K, D]. Returns [.., D]."""
    wide = accumulator(values.dtype)
    total = jnp.dot(weights.astype(values.dtype), values, preferred_element_type=wide)
    return total.astype(values.dtype)
