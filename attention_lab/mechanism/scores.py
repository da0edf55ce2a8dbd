"""Score functions: how well one query q and one key k match.

Each is one function of two vectors, split into what can be done once per query, once per key, and what
only the pair can say. Matrices start LeCun normal (variance 1 / fan-in), so that a score starts at the
same scale whatever the width; the papers' own choices are named where they differ.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import cast

import jax
import jax.numpy as jnp

from attention_lab.mechanism.contracts import (
    Array,
    Dims,
    Params,
    Position,
    Score,
    accumulator,
    inner_product,
    no_params,
)

# Numbers in an array of slopes, one feature of one pair each: half a MiB of float32.
SLOPES = 2**17


def matrix(rng: Array, rows: int, columns: int) -> Array:
    """W [rows, columns] for W x: normal with variance 1 / columns (LeCun et al. 1998)."""
    return jax.random.normal(rng, (rows, columns)) / math.sqrt(columns)


def itself(params: Params, vector: Array, position: Position) -> Array:
    """A share that is the vector itself."""
    del params, position
    return vector


def same_width(rng: Array, dims: Dims) -> Params:
    """The parameters {} of a score that compares a query and a key of one width, and only such."""
    if dims.query != dims.key:
        raise ValueError(
            f"this score compares q and k feature by feature, but q has {dims.query} features and k has "
            f"{dims.key}; use general, additive or concat, which learn the map between the two"
        )
    return no_params(rng, dims)


# dot: qᵀk (Luong et al. 2015, §3.1).
dot = Score("dot", same_width, itself, itself, inner_product)


def _scaled_query(params, query, i):
    return query / math.sqrt(query.size)


# scaled_dot: qᵀk / √d (Vaswani et al. 2017, eq. 1).
scaled_dot = Score("scaled_dot", same_width, _scaled_query, itself, inner_product)


def _general_init(rng, dims):
    return {"W": matrix(rng, dims.query, dims.key)}


def _general_key(params, key, j):
    return params["W"].astype(key.dtype) @ key


# general: qᵀWk (Luong et al. 2015, §3.1; their W starts uniform in ±0.1).
general = Score("general", _general_init, itself, _general_key, inner_product)


def _additive_init(rng, dims):
    rng_q, rng_k, rng_v = jax.random.split(rng, 3)
    return {
        "W_q": matrix(rng_q, dims.width, dims.query),
        "W_k": matrix(rng_k, dims.width, dims.key),
        "v": matrix(rng_v, 1, dims.width)[0],
    }


def _additive_query(params, query, i):
    return params["W_q"].astype(query.dtype) @ query


def _additive_key(params, key, j):
    return params["W_k"].astype(key.dtype) @ key


@dataclass(frozen=True)
class FeatureSum:
    """A pair that is a sum over features, Σ_a term(p_a, q_a, k_a), p being the named parameter.

    To say so lets all pairs be made a feature at a time: `pairwise_by_feature`.
    """

    parameter: str
    term: Callable[[Array, Array, Array], Array]

    def __call__(self, params: Params, query: Array, key: Array) -> Array:
        """One query's share [A] with one key's [A]. Returns a number."""
        p = params[self.parameter].astype(query.dtype)
        return jnp.sum(self.term(p, query, key), dtype=accumulator(query.dtype))


def _additive_term(v, query, key):
    return v * jnp.tanh(query + key)


_additive_pair = FeatureSum("v", _additive_term)

# additive: vᵀ tanh(W_q q + W_k k) (Bahdanau et al. 2015, A.1.2; their v starts at zero).
additive = Score("additive", _additive_init, _additive_query, _additive_key, _additive_pair)


def _concat_init(rng, dims):
    rng_w, rng_v = jax.random.split(rng)
    return {
        "W": matrix(rng_w, dims.width, dims.query + dims.key),
        "v": matrix(rng_v, 1, dims.width)[0],
    }


def _concat_query(params, query, i):
    return params["W"][:, : query.shape[-1]].astype(query.dtype) @ query


def _concat_key(params, key, j):
    return params["W"][:, -key.shape[-1] :].astype(key.dtype) @ key


# concat: vᵀ tanh(W [q; k]) (Luong et al. 2015, §3.1). W [q; k] = W₁q + W₂k: additive in one matrix.
concat = Score("concat", _concat_init, _concat_query, _concat_key, _additive_pair)


def _location_init(rng, dims):
    if dims.positions is None:
        raise ValueError(
            "location needs dims.positions: the largest number of keys it will ever score"
        )
    return {"W": matrix(rng, dims.positions, dims.query)}


def row(table: Array, position: Position) -> Array:
    """table[position], and NaN for a position that it has not, rather than, silently, another row."""
    inside = jnp.where(position < 0, table.shape[0], position)
    return jnp.take(table, inside, axis=0, mode="fill", fill_value=jnp.nan)


def _location_key(params, key, j):
    return row(params["W"], j).astype(key.dtype)


def _location_limit(params):
    return params["W"].shape[-2]


# location: (W q)_j, the key's content unseen (Luong et al. 2015, §3.1).
location = Score(
    "location", _location_init, itself, _location_key, inner_product, limit=_location_limit
)


def _cosine_init(rng, dims):
    # cos alone lies in [-1, 1], where a softmax over many keys is nearly uniform: β starts at 10.
    return same_width(rng, dims) | {"beta": jnp.asarray(10.0)}


def _unit(vector):
    """vector / ‖vector‖, with the zero vector (and a finite gradient) at zero."""
    wide = vector.astype(accumulator(vector.dtype))
    return (wide * jax.lax.rsqrt(jnp.maximum(jnp.sum(wide * wide), 1e-24))).astype(vector.dtype)


def _cosine_query(params, query, i):
    return params["beta"].astype(query.dtype) * _unit(query)


def _cosine_key(params, key, j):
    return _unit(key)


# cosine: β cos(q, k), β learned (Graves et al. 2014, eq. 5-6).
cosine = Score("cosine", _cosine_init, _cosine_query, _cosine_key, inner_product)


def _distance_pair(params, query, key):
    if query.shape != key.shape:
        raise ValueError(f"distance compares equal widths, not {query.size} and {key.size}")
    return -jnp.sum((query - key) ** 2, dtype=accumulator(query.dtype)) / (
        2 * math.sqrt(query.size)
    )


# distance: −‖q − k‖² / (2√d), the Gaussian kernel's exponent (Tsai et al. 2019).
distance = Score("distance", same_width, itself, itself, _distance_pair)


def pair_numbers(score: Score, params: Params, query: Array, key: Array) -> int:
    """Numbers in the largest array that one pair makes: 1 for an inner product, A for additive."""
    lines = jax.make_jaxpr(score.pair)(params, query, key).eqns
    return max((out.aval.size for line in lines for out in line.outvars), default=1)


def pairwise(score: Score, params: Params, queries: Array, keys: Array) -> Array:
    """`pair` of every query's share [Q, A] with every key's [K, A]. Returns [Q, K].

    Two vmaps. Where a pair makes arrays of its own, the keys are mapped along the last axis: vector
    instructions then run over keys and the sum over features needs none of them to be added up, which
    on a CPU doubles the speed. Every operand must be mapped for JAX to leave the axis where it is.
    """
    if pair_numbers(score, params, queries[0], keys[0]) == 1:
        return jax.vmap(jax.vmap(score.pair, (None, None, 0)), (None, 0, None))(
            params, queries, keys
        )

    def beside_each_key(x):
        return jnp.broadcast_to(x[..., None], (*x.shape, keys.shape[0]))

    def one_query(query):
        wide_params = jax.tree.map(beside_each_key, params)
        return jax.vmap(score.pair, -1)(wide_params, beside_each_key(query), keys.T)

    return jax.vmap(one_query)(queries)


def pairwise_by_feature(score: Score, params: Params, queries: Array, keys: Array) -> Array:
    """`pairwise` of a `FeatureSum` that holds a few times [Q, K] numbers at most, forward or backward.

    One feature of all pairs is a plain map of a matrix, which a CPU runs at nearly its full rate; within a
    sum over features XLA reaches half of that. An accelerator would wait for so many small programs.
    """
    pair = cast(FeatureSum, score.pair)
    p = params[pair.parameter].astype(queries.dtype)
    return _sum_over_features(pair.term, p, queries, keys)


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _sum_over_features(term, p, queries, keys):
    """Σ_a term(p_a, q_ia, k_ja). Returns [Q, K]."""

    def add(total, feature):
        one_p, query, key = feature
        every = [jnp.broadcast_to(x, total.shape) for x in (one_p, query[:, None], key)]
        return total + term(*every).astype(total.dtype), None

    nothing = jnp.zeros((len(queries), len(keys)), accumulator(queries.dtype))
    return jax.lax.scan(add, nothing, (p, queries.T, keys.T))[0]


def _pull_over_features(term, inputs, cotangent):
    """With g the cotangent: d_p = Σ_ij g_ij ∂term/∂p, d_q = Σ_j g_ij ∂term/∂q, d_k = Σ_i g_ij ∂term/∂k.

    The slopes are made again, of a few queries at a time, features last, and summed as products with g or
    query by query: vector instructions throughout, where XLA on a CPU would add up number by number.
    """
    p, queries, keys = inputs
    count = _divisor(len(queries), min(8, SLOPES // keys.size))

    def some(so_far, rows):
        d_p, d_keys = so_far
        query, g = rows
        every = [jnp.broadcast_to(x, (*g.shape, len(p))) for x in (p, query[:, None], keys)]
        out, pull = jax.vjp(term, *every)
        # Made once, not anew inside each of the sums that read them.
        by_p, by_query, by_key = jax.lax.optimization_barrier(pull(jnp.ones_like(out)))
        total = partial(jnp.einsum, preferred_element_type=g.dtype)
        g = g.astype(out.dtype)
        d_p = d_p + total("ij,ija->a", g, by_p)
        for g_i, slopes in zip(g, by_key, strict=True):
            d_keys = d_keys + (g_i[:, None] * slopes).astype(d_keys.dtype)
        return (d_p, d_keys), total("ij,ija->ia", g, by_query)

    groups = jax.tree.map(lambda x: x.reshape(-1, count, x.shape[-1]), (queries, cotangent))
    start = tuple(jnp.zeros(x.shape, cotangent.dtype) for x in (p, keys))
    (d_p, d_keys), d_queries = jax.lax.scan(some, start, groups)
    grads = (d_p, d_queries.reshape(queries.shape), d_keys)
    return tuple(d.astype(x.dtype) for d, x in zip(grads, inputs, strict=True))


def _divisor(number, most):
    """The largest divisor of a number that is at most `most`, or 1."""
    return max(d for d in range(1, number + 1) if number % d == 0 and d <= max(1, most))


_sum_over_features.defvjp(
    lambda term, *inputs: (_sum_over_features(term, *inputs), inputs), _pull_over_features
)


def score_matrix(score: Score, params: Params, queries: Array, keys: Array) -> Array:
    """The scores of queries [Q, D] and keys [K, D] at positions 0, 1, ... Returns [Q, K]."""
    query_shares = jax.vmap(score.query, (None, 0, 0))(
        params, queries, jnp.arange(queries.shape[0])
    )
    key_shares = jax.vmap(score.key, (None, 0, 0))(params, keys, jnp.arange(keys.shape[0]))
    return pairwise(score, params, query_shares, key_shares)


SCORES = MappingProxyType(
    {
        "dot": dot,
        "scaled_dot": scaled_dot,
        "general": general,
        "additive": additive,
        "concat": concat,
        "location": location,
        "cosine": cosine,
        "distance": distance,
    }
)
