"""Blockwise attention: the same result in memory of the size of a tile, for any pair function.

The score matrix is never stored: its tiles are computed, normalized online and summed into the context. The
backward pass computes them again, and `jax.vjp` of the pair function gives the gradients. Hence not only dot
products but also additive attention, Luong's windows and any other score need only O(Q + K) memory (Rabe & Staats
2021; Dao et al. 2022). A tile that the mask forbids, which its positions determine, is skipped.

Gradients are reverse-mode and of first order only; `dense` supports all others.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from attention_lab.mechanism.closures import explicit
from attention_lab.mechanism.contracts import Array, Params, Stream, accumulator

# Numbers in the largest array of one tile: 1 MiB of float32, which fits into the cache of a core.
TILE_NUMBERS = 2**18
LONGEST = 512


class Tile(NamedTuple):
    """The numbers of queries and of keys in one tile of the backward pass."""

    queries: int
    keys: int


# The forward pass seldom stores the arrays of a pair, only scores: its tiles are this many times as long.
STRIDE = Tile(2, 4)


class Problem(NamedTuple):
    """The static part of a computation: its functions and the size of a tile.

    compare: (params, queries, memory), both with a leading axis, -> (score, seen, gain), each [Q, K].
    allowed: of the same arguments, whether positions permit any of the pairs.
    """

    compare: Callable[[Params, Any, Any], Any]
    allowed: Callable[[Params, Any, Any], Any]
    stream: Stream
    tile: Tile


def tile_for(pair_numbers: int, queries: int, keys: int) -> Tile:
    """Returns the largest square tile, its side a power of two, whose arrays fit into TILE_NUMBERS numbers.

    pair_numbers: how many numbers one pair needs.
    """
    side = 8
    while side < LONGEST and 4 * side * side * pair_numbers <= TILE_NUMBERS:
        side *= 2
    return Tile(min(side, queries), min(side, keys))


def blockwise(problem: Problem, params: Params, queries: Any, memory: Any) -> Array:
    """Returns the context vectors [Q, D] of queries and a memory, equal to the dense result up to rounding.

    queries: a pytree of leading axis Q with a field `position`; memory: named tuple of keys [K, A],
    values [K, D], positions [K] and valid [K].
    """
    return in_tiles(_blockwise, problem, params, queries, memory)


def in_tiles(run: Callable[..., Array], problem: Problem, params, queries, memory) -> Array:
    """Computes `blockwise` with a function run(problem, smooth, fixed) that processes the tiles.

    smooth, fixed: the tree (params, queries, keys), split by `partition`, with queries and keys cut into tiles.
    """
    count = queries.position.shape[0]
    rows = _forward_side(problem.tile.queries, STRIDE.queries, count)
    columns = _forward_side(problem.tile.keys, STRIDE.keys, memory.positions.shape[0])
    sides = Tile(rows, columns), problem.tile
    problem, arrays = _explicit(problem, params, queries, memory, sides)
    smooth, fixed = partition(((params, arrays), _cut(queries, rows), _cut(memory, columns)))
    vectors = run(problem, smooth, fixed)
    return vectors.reshape(-1, vectors.shape[-1])[:count].astype(memory.values.dtype)


def _explicit(problem, params, queries, memory, sides):
    """Returns (problem, arrays): the problem takes (params, arrays) for params, arrays being those its functions closed over."""

    def rows(tree, side):
        return jax.tree.map(lambda x: jax.ShapeDtypeStruct((side, *x.shape[1:]), x.dtype), tree)

    tiles = [(params, rows(queries, tile.queries), rows(memory, tile.keys)) for tile in sides]
    (compare, allowed), arrays = explicit((problem.compare, problem.allowed), tiles)
    return problem._replace(
        compare=lambda bundle, *tile: compare(bundle[1], bundle[0], *tile),
        allowed=lambda bundle, *tile: allowed(bundle[1], bundle[0], *tile),
    ), arrays


def _forward_side(side, stride, count):
    """Returns the side of a forward tile: a multiple of the backward one's, not longer than the sequence requires."""
    return side * max(1, min(stride, LONGEST // side, -(-count // side)))


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _blockwise(problem, smooth, fixed):
    return _forward(problem, smooth, fixed)[0]


def _forward(problem, smooth, fixed):
    """Processes all tiles of keys for each tile of queries. Also returns the residuals of `_backward`."""
    params, queries, keys = combine(smooth, fixed)

    def one_tile(query):
        nothing = start(problem, params, query, keys)
        return finish(problem, process_keys(problem, params, query, keys, nothing))

    vectors, statistic = lax.map(one_tile, queries)
    return vectors, (smooth, fixed, vectors, statistic)


def start(problem: Problem, params: Params, query: Any, keys: Any) -> Any:
    """Returns the accumulators of a tile of T queries before any tile of keys: totals [T], vectors [T, D]."""
    key = jax.tree.map(lambda x: x[0], keys)
    score = jax.eval_shape(problem.compare, params, query, key)[0]
    total = jax.vmap(lambda _: problem.stream.start(score.dtype))(query.position)
    return total, zeros(jax.eval_shape(_product, score, key.values))


def process_keys(problem: Problem, params: Params, query: Any, keys: Any, so_far: Any) -> Any:
    """Returns the accumulators of a tile of queries after these tiles of keys, which are processed one after the other."""

    def one_tile(so_far, key):
        def absorb(so_far):
            total, vectors = so_far
            score, seen, gain = problem.compare(params, query, key)
            total, keep, raw = jax.vmap(problem.stream.absorb)(total, score, seen)
            kept = vectors * keep[:, None].astype(vectors.dtype)
            return total, kept + _product(raw * gain, key.values)

        return _unless_hidden(problem, (params, query, key), absorb, so_far), None

    return lax.scan(one_tile, so_far, keys)[0]


def finish(problem: Problem, so_far: Any) -> tuple[Array, Array]:
    """Returns the context vectors [T, D], and the statistic from which the weights of a row can be recomputed."""
    total, vectors = so_far
    scale, statistic = jax.vmap(problem.stream.finish)(total)
    return vectors * scale[:, None].astype(vectors.dtype), statistic


def _backward(problem, residuals, cotangents):
    """Returns the gradients of all inputs; `backward` has the formula."""
    params, queries, keys, so_far = backward_setup(problem, residuals, cotangents)
    (d_params, d_queries), d_keys = backward(problem, params, queries, keys, so_far)
    return gradients((d_params, d_queries, d_keys), residuals[0]), None


_blockwise.defvjp(_forward, _backward)


def backward_setup(problem: Problem, residuals: Any, cotangents: Array) -> Any:
    """Returns the arguments of `backward`, made from the residuals: params, queries, keys and zero sums."""
    (params, *smooth), (fixed_params, *fixed), vectors, statistic = residuals
    by_query = (smooth[0], fixed[0], cotangents, statistic, jnp.sum(cotangents * vectors, axis=-1))
    queries = _recut(by_query, problem.tile.queries)
    keys = _recut((smooth[1], fixed[1]), problem.tile.keys)
    return (params, fixed_params), queries, keys, (zeros(params), zeros(queries[0]))


def backward(problem: Problem, params: Any, queries: Any, keys: Any, so_far: Any) -> Any:
    """Returns the gradients of params and queries, added to so_far, and those of these keys.

    Each tile is computed again. With w the weights, g their gains, v the values, o the contexts:

    dv = (w g)ᵀ do,  dg = w (do vᵀ),  ds = pull(w, g (do vᵀ), do·o);  the rest is vjp(compare)(ds, dg).
    """
    params, fixed_params = params

    def all_queries(so_far, key):
        d_params, d_queries = so_far
        key, fixed_key = key

        def process_query(so_far, query):
            d_query, (query, fixed_query, cotangent, row_statistic, row_inner) = query
            fixed_tile = (fixed_params, fixed_query, fixed_key)

            def compare(*smooth_tile):
                score, seen, gain = problem.compare(*combine(smooth_tile, fixed_tile))
                return (score, gain), seen

            def absorb(so_far):
                (score, gain), pull, seen = jax.vjp(compare, params, query, key, has_aux=True)
                # The residuals of `pull` are computed once, not again inside each of the sums that read them.
                pull = lax.optimization_barrier(pull)
                weights = jax.vmap(problem.stream.weigh)(row_statistic, score, seen)
                # Where the weight is 0, an overflow would still give NaN: 0 · ∞.
                reach = jnp.where(seen, _product(cotangent, key.values.T), 0)
                d_score = jax.vmap(problem.stream.pull)(weights, gain * reach, row_inner, score)
                d_gain = weights * reach
                d_params, d_query, d_key = pull(
                    (d_score.astype(score.dtype), d_gain.astype(gain.dtype))
                )
                d_values = _product((weights * gain).T, cotangent)
                return add(so_far, (d_params, d_query, d_key._replace(values=d_values)))

            d_params, d_key = so_far
            whole = combine((params, query, key), fixed_tile)
            d_params, d_query, d_key = _unless_hidden(
                problem, whole, absorb, (d_params, d_query, d_key)
            )
            return (d_params, d_key), d_query

        (d_params, d_key), d_queries = lax.scan(
            process_query, (d_params, zeros(key)), (d_queries, queries)
        )
        return (d_params, d_queries), d_key

    return lax.scan(all_queries, so_far, keys)


def gradients(sums: Any, smooth: Any) -> Any:
    """Returns the sums in the shapes and types of the arrays of which they are the gradients."""
    return jax.tree.map(lambda g, x: g.reshape(x.shape).astype(x.dtype), sums, smooth)


def _unless_hidden(problem, tile, absorb, so_far):
    """Returns absorb(so_far), or so_far if no query of the tile may attend to any of its keys.

    Positions are tested first, since a vmap over heads or a batch does not map them: under a predicate that
    differs within a batch both branches would be computed. All other masks are tested inside that branch.
    """

    def unless_unseen(so_far):
        seen = problem.compare(*tile)[1]
        return lax.cond(jnp.any(seen), absorb, lambda x: x, so_far)

    return lax.cond(problem.allowed(*tile), unless_unseen, lambda x: x, so_far)


def _product(a, b):
    """Returns a @ b in the type of b, accumulated in float32 at least."""
    return jnp.matmul(a.astype(b.dtype), b, preferred_element_type=accumulator(b.dtype))


# --- Trees of arrays --------------------------------------------------------------------------------


def pad(tree: Any, size: int) -> Any:
    """Pads the leading axis of every leaf to a multiple of `size`, with zeros, and with False for `valid`.

    Integers, such as positions, repeat the last one, so that the ends of a tile bound its positions.
    """

    def longer(x):
        mode = "edge" if jnp.issubdtype(x.dtype, jnp.integer) else "constant"
        return jnp.pad(x, [(0, -len(x) % size)] + [(0, 0)] * (x.ndim - 1), mode=mode)

    return jax.tree.map(longer, tree)


def _cut(tree, size):
    """Pads every leaf and splits it: [tiles, size, ...]."""
    return jax.tree.map(lambda x: x.reshape(-1, size, *x.shape[1:]), pad(tree, size))


def _recut(tree, size):
    """Splits tiles [tiles, size', ...] into smaller ones [tiles', size, ...]."""
    return jax.tree.map(lambda x: x.reshape(-1, size, *x.shape[2:]), tree)


def partition(tree: Any) -> Any:
    """Returns the tree twice: with None for all but floating-point leaves, and with None for those."""

    def smooth(x):
        return jnp.issubdtype(x.dtype, jnp.inexact)

    return (
        jax.tree.map(lambda x: x if smooth(x) else None, tree),
        jax.tree.map(lambda x: None if smooth(x) else x, tree),
    )


def combine(smooth: Any, fixed: Any) -> Any:
    """Inverts `partition`."""
    return jax.tree.map(
        lambda x, y: y if x is None else x, smooth, fixed, is_leaf=lambda x: x is None
    )


def zeros(tree: Any) -> Any:
    """Returns zeros of the shapes of the tree, in float32 at least."""
    return jax.tree.map(lambda x: jnp.zeros(x.shape, accumulator(x.dtype)), tree)


def add(sums: Any, terms: Any) -> Any:
    """Adds the terms to the sums, leaf by leaf."""
    return jax.tree.map(lambda total, term: total + term.astype(total.dtype), sums, terms)
