"""Score functions: how well one query q and one key k match.

Each is a function of two vectors, split into the parts that are computed once per query, once per key and once
per pair. Matrices are initialized LeCun normal (variance 1 / fan-in), so that the initial scale of a score does
not depend on the width; the papers' own choices are named where they differ.
"""

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple

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
    matmul,
    no_params,
    saturated,
)


def matrix(rng: Array, rows: int, columns: int) -> Array:
    """Returns W [rows, columns] for W x: normal with variance 1 / columns (LeCun et al. 1998)."""
    return jax.random.normal(rng, (rows, columns)) / math.sqrt(columns)


def product(weights: Array, vector: Array) -> Array:
    """Returns W x in the type of x; if it overflows, the largest finite number of that type."""
    return saturated(matmul(weights, vector, vector.dtype))


def itself(params: Params, vector: Array, position: Position) -> Array:
    """Returns the vector itself as its share."""
    del params, position
    return vector


def same_width(rng: Array, dims: Dims) -> Params:
    """Returns the parameters {} of a score without parameters. Raises ValueError if query and key differ in width."""
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
    return product(params["W"], key)


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
    return product(params["W_q"], query)


def _additive_key(params, key, j):
    return product(params["W_k"], key)


class Shortcut(NamedTuple):
    """A cheaper form of a term: combine(p_a, x_a, y_a), with x, y = transform(queries [Q, A], keys [K, A]) computed once.

    is_exact(queries, keys) -> bool: whether it is exact up to rounding for these.
    """

    is_exact: Callable[[Array, Array], Any]
    transform: Callable[[Array, Array], tuple[Array, Array]]
    combine: Callable[[Array, Array, Array], Array]


@dataclass(frozen=True)
class FeatureSum:
    """A pair that is a sum over features, Σ_a term(p_a, q_a, k_a), p being the named parameter.

    A term closes over no array; a pair that is a plain function may.

    This form allows all pairs to be computed one feature at a time, by a shortcut if there is one:
    `pairs.pairwise_by_feature`.
    """

    parameter: str
    term: Callable[[Array, Array, Array], Array]
    shortcut: Shortcut | None = None

    def __call__(self, params: Params, query: Array, key: Array) -> Array:
        """Returns the score [] of one query's share [A] and one key's [A]."""
        wide = accumulator(query.dtype)
        return jnp.sum(self.term(params[self.parameter].astype(wide), query, key), dtype=wide)


def _wide(*vectors):
    """Returns the vectors in float32 at least, the type in which their gradients are summed over many pairs."""
    return [x.astype(accumulator(x.dtype)) for x in vectors]


def _additive_term(v, query, key):
    return v * jnp.tanh(sum(_wide(query, key)).astype(query.dtype))


def _range(dtype):
    """Returns the type of exponentials, the largest r with a finite e^2r in it, and the least s with tanh(s) = 1 in it."""
    wide = accumulator(dtype)
    kind = jnp.finfo(wide)
    return wide, math.floor(math.log(kind.max) / 2), 1.5 - math.log(kind.eps) / 2


def _exponentials_fit(queries, keys):
    # 69 in float32. A query that is clipped then saturates with every key.
    _, largest, saturated = _range(keys.dtype)
    return jnp.all(jnp.ptp(keys, axis=0) < 2 * (largest - saturated))


def _exponentials(queries, keys):
    """Returns e^2(q + c) and e^2(k − c), where c is the middle of the range of the keys in a feature."""
    wide, largest, _ = _range(keys.dtype)
    queries, keys = queries.astype(wide), keys.astype(wide)
    ends = jnp.max(keys, axis=0, keepdims=True), jnp.min(keys, axis=0, keepdims=True)
    middle = jax.lax.stop_gradient(ends[0] / 2 + ends[1] / 2)
    clipped = jnp.clip(queries + middle, -largest, largest)
    return jnp.exp(2 * clipped), jnp.exp(2 * (keys - middle))


def _additive_combine(v, query, key):
    # tanh(q + k) = 1 − 2 / (1 + e^2q e^2k): a division for each pair, a third of a tanh's time on a CPU.
    return v - 2 * v / (1 + query * key)


_by_exponentials = Shortcut(_exponentials_fit, _exponentials, _additive_combine)
_additive_pair = FeatureSum("v", _additive_term, _by_exponentials)

# additive: vᵀ tanh(W_q q + W_k k) (Bahdanau et al. 2015, A.1.2; their v starts at zero).
additive = Score("additive", _additive_init, _additive_query, _additive_key, _additive_pair)


def _concat_init(rng, dims):
    rng_w, rng_v = jax.random.split(rng)
    return {
        "W": matrix(rng_w, dims.width, dims.query + dims.key),
        "v": matrix(rng_v, 1, dims.width)[0],
    }


def _concat_query(params, query, i):
    return product(params["W"][:, : query.shape[-1]], query)


def _concat_key(params, key, j):
    return product(params["W"][:, -key.shape[-1] :], key)


# concat: vᵀ tanh(W [q; k]) (Luong et al. 2015, §3.1). W [q; k] = W₁q + W₂k: additive in one matrix.
concat = Score("concat", _concat_init, _concat_query, _concat_key, _additive_pair)


def _location_init(rng, dims):
    if dims.positions is None:
        raise ValueError("location needs dims.positions, the greatest number of keys")
    return {"W": matrix(rng, dims.positions, dims.query)}


def row(table: Array, position: Position) -> Array:
    """Returns table[position], and NaN for a position outside the table, where indexing would silently clip."""
    inside = jnp.where(position < 0, table.shape[0], position)
    return jnp.take(table, inside, axis=0, mode="fill", fill_value=jnp.nan)


def _location_key(params, key, j):
    return row(params["W"], j).astype(key.dtype)


def _location_limit(params):
    return params["W"].shape[-2]


# location: (W q)_j, which does not depend on the content of the key (Luong et al. 2015, §3.1).
location = Score(
    "location", _location_init, itself, _location_key, inner_product, limit=_location_limit
)


def _cosine_init(rng, dims):
    # cos alone lies in [-1, 1], where a softmax over many keys is nearly uniform: β starts at 10.
    return same_width(rng, dims) | {"beta": jnp.full((), 10.0, jnp.result_type(float))}


def _unit(vector):
    """Returns vector / ‖vector‖, and at zero the zero vector, with a finite gradient."""
    wide = vector.astype(accumulator(vector.dtype))
    return (wide * jax.lax.rsqrt(jnp.maximum(jnp.sum(wide * wide), 1e-24))).astype(vector.dtype)


def _cosine_query(params, query, i):
    beta = params["beta"].astype(accumulator(query.dtype))
    return (beta * _unit(query)).astype(query.dtype)


def _cosine_key(params, key, j):
    return _unit(key)


# cosine: β cos(q, k), β learned (Graves et al. 2014, eq. 5-6).
cosine = Score("cosine", _cosine_init, _cosine_query, _cosine_key, inner_product)


def _distance_pair(params, query, key):
    if query.shape != key.shape:
        raise ValueError(
            f"distance needs a query and a key of equal size, not {query.size} and {key.size} features"
        )
    wide = accumulator(query.dtype)
    return -jnp.sum((query.astype(wide) - key.astype(wide)) ** 2) / (2 * math.sqrt(query.size))


# distance: −‖q − k‖² / (2√d), the Gaussian kernel's exponent (Tsai et al. 2019).
distance = Score("distance", same_width, itself, itself, _distance_pair)


def root_mean_square_norm(vector: Array) -> Array:
    """Returns x / √(mean of x_d² + 1e-6) (Zhang & Sennrich 2019, without their gain)."""
    wide = vector.astype(accumulator(vector.dtype))
    return (wide * jax.lax.rsqrt(jnp.mean(wide * wide) + 1e-6)).astype(vector.dtype)


@functools.cache
def qk_norm(score: Score) -> Score:
    """Returns the score of queries and keys that are normalized first, each to features of mean square 1.

    A `scaled_dot` then lies within ±√d (Dehghani et al. 2023, who use layer norms with gains). `cosine` is another form,
    with a learned scale.
    """

    def normalized(share_of):
        def share(params: Params, vector: Array, position: Position) -> Array:
            return share_of(params, root_mean_square_norm(vector), position)

        return share

    name = f"qk_norm({score.name})"
    return score._replace(name=name, query=normalized(score.query), key=normalized(score.key))


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
