"""Evaluates the pair function of a score for all pairs of many queries and many keys, as one matrix."""

from functools import partial
from typing import cast

import jax
import jax.numpy as jnp

from attention_lab.mechanism.contracts import Array, Params, Score, accumulator
from attention_lab.mechanism.scores import FeatureSum


def pair_numbers(score: Score, params: Params, query: Array, key: Array) -> int:
    """Returns the size of the largest array that one pair needs: 1 for an inner product, A for additive."""
    lines = jax.make_jaxpr(score.pair)(params, query, key).eqns
    return max((out.aval.size for line in lines for out in line.outvars), default=1)


def pairwise(score: Score, params: Params, queries: Array, keys: Array) -> Array:
    """Returns `pair` of every query's share [Q, A] and every key's [K, A], as [Q, K].

    It is two vmaps. Where a pair needs arrays of its own, the keys are mapped along the last axis: vector
    instructions then run over keys and the sum over features needs no horizontal additions, which on a CPU
    doubles the speed. Every operand must be mapped for JAX to keep the axis last.
    """
    if pair_numbers(score, params, queries[0], keys[0]) == 1:
        return jax.vmap(jax.vmap(score.pair, (None, None, 0)), (None, 0, None))(
            params, queries, keys
        )

    def beside_each_key(x):
        # In float32: the gradient of this broadcast is a sum over keys.
        wide = x.astype(accumulator(x.dtype))
        return jnp.broadcast_to(wide[..., None], (*x.shape, keys.shape[0])).astype(x.dtype)

    def one_query(query):
        wide_params = jax.tree.map(beside_each_key, params)
        return jax.vmap(score.pair, -1)(wide_params, beside_each_key(query), keys.T)

    return jax.vmap(one_query)(queries)


def pairwise_by_feature(score: Score, params: Params, queries: Array, keys: Array) -> Array:
    """Computes `pairwise` of a `FeatureSum` with a few arrays of [Q, K] at most, forward and backward.

    One feature of all pairs is an elementwise operation on a matrix, which a CPU runs at its full rate; within a sum
    over features XLA reaches half of that. On an accelerator the many small kernels would cost more than they save.
    """
    pair = cast(FeatureSum, score.pair)
    p = params[pair.parameter].astype(accumulator(queries.dtype))
    if pair.shortcut is None:
        return _feature_sum(pair.term, p, queries, keys)
    is_exact, transform, combine = pair.shortcut

    def cheaper(p, queries, keys):
        return _feature_sum(combine, p, *transform(queries, keys))

    exact = _reduced_over_batch(is_exact)(*map(jax.lax.stop_gradient, (queries, keys)))
    return jax.lax.cond(exact, cheaper, partial(_feature_sum, pair.term), p, queries, keys)


def _reduced_over_batch(predicate):
    """Returns the predicate reduced over a batch, so that a branch on it stays a branch under `vmap`."""

    @jax.custom_batching.custom_vmap
    def holds(*args):
        return predicate(*args)

    @holds.def_vmap
    def _(size, batched, *args):
        mapped = jax.vmap(predicate, [0 if one else None for one in batched])
        return _reduced_over_batch(lambda *args: jnp.all(mapped(*args)))(*args), False

    return holds


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _feature_sum(term, p, queries, keys):
    """Returns Σ_a term(p_a, q_ia, k_ja), computed one feature at a time, as [Q, K]."""

    def add(total, feature):
        one_p, query, key = feature
        matrices = [jnp.broadcast_to(x, total.shape) for x in (one_p, query[:, None], key)]
        return total + term(*matrices).astype(total.dtype), None

    zeros = jnp.zeros((len(queries), len(keys)), accumulator(queries.dtype))
    return jax.lax.scan(add, zeros, (p, queries.T, keys.T))[0]


def _feature_sum_backward(term, inputs, cotangent):
    """With g the cotangent: d_p = Σ_ij g_ij ∂term/∂p, d_q = Σ_j g_ij ∂term/∂q, d_k = Σ_i g_ij ∂term/∂k.

    Sums over queries are accumulated query by query, and the sum over keys key by key: each step is an elementwise
    operation on [K, A] or [Q, A], whereas XLA on a CPU reduces along an axis one number at a time.
    """
    p, queries, keys = inputs

    def slopes(query, key, g):
        shape = (*g.shape, *p.shape)
        out, pull = jax.vjp(term, *(jnp.broadcast_to(x, shape) for x in (p, query, key)))
        return pull(jnp.broadcast_to(g[:, None], shape).astype(out.dtype))

    def one_query(so_far, row):
        d_p, _, d_keys = slopes(row[0], keys, row[1])
        return _add(so_far, (d_p, d_keys)), None

    def one_key(so_far, row):
        return _add(so_far, slopes(queries, row[0], row[1])[1]), None

    def nothing(like):
        return jnp.zeros(like.shape, cotangent.dtype)

    start = (nothing(keys), nothing(keys))
    (d_p, d_keys), _ = jax.lax.scan(one_query, start, (queries, cotangent))
    d_queries, _ = jax.lax.scan(one_key, nothing(queries), (keys, cotangent.T))
    grads = (jnp.ones(len(keys), d_p.dtype) @ d_p, d_queries, d_keys)
    return tuple(d.astype(x.dtype) for d, x in zip(grads, inputs, strict=True))


_feature_sum.defvjp(
    lambda term, *inputs: (_feature_sum(term, *inputs), inputs), _feature_sum_backward
)


def _add(sums, terms):
    return jax.tree.map(lambda total, term: total + term.astype(total.dtype), sums, terms)


def score_matrix(score: Score, params: Params, queries: Array, keys: Array) -> Array:
    """Returns the scores [Q, K] of queries [Q, D] and keys [K, D] at positions 0, 1, ..."""
    query_shares = jax.vmap(score.query, (None, 0, 0))(
        params, queries, jnp.arange(queries.shape[0])
    )
    key_shares = jax.vmap(score.key, (None, 0, 0))(params, keys, jnp.arange(keys.shape[0]))
    return pairwise(score, params, query_shares, key_shares)
