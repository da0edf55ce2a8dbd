"""The contracts: what a piece of an attention mechanism has to say.

Every piece has the same three verbs. `init` makes its parameters. `query` and `key` do what needs doing
once per query or once per key, and call the outcome a share. `pair` says what only the two shares
together can say. Everything is written for ONE query and ONE key; `jax.vmap` makes the matrix.

Shape legend:  Q query positions  ·  K key positions  ·  D features  ·  A attention features (a share)
               H heads  ·  G key-value heads.  i is a query's position, j is a key's.

Pieces are named tuples of functions: immutable, hashable and so static under `jax.jit`. A piece with
options comes from a cached factory, so that equal options give the very same piece and no recompilation.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

Array = jax.Array
Params = Any  # a dict of arrays, {} where a piece has none
Share = Any  # an array [A] for scores; any pytree elsewhere
Position = Any  # an integer, or a traced scalar of integer type
Mask = Callable[[Position, Position], Any]  # (i, j) -> bool: may position i look at position j?


class Dims(NamedTuple):
    """The sizes that parameters are made from.

    query, key: features D of one query and of one key.
    hidden: A, the width of a learned comparison; by default as wide as the query.
    positions: how many positions a table indexed by absolute position holds (location, learned).
    """

    query: int
    key: int
    hidden: int | None = None
    positions: int | None = None

    @property
    def width(self) -> int:
        """A: `hidden`, or by default `query`."""
        return self.query if self.hidden is None else self.hidden


def no_params(rng: Array, dims: Dims) -> Params:
    """The parameters of a piece that has none."""
    del rng, dims
    return {}


def no_limit(params: Params) -> int | None:
    """A score that can compare any number of keys."""
    del params
    return None


class Score(NamedTuple):
    """How well one query and one key match: score(q, k) = pair(query(q), key(k)).

    Both shares are arrays [A] of one width. `limit` is the number of keys that the parameters can tell
    apart, None if unbounded. `relative` says that the score depends on i - j, so that it makes sense
    only where queries and keys are positions of one sequence.
    """

    name: str
    init: Callable[[Array, Dims], Params]
    query: Callable[[Params, Array, Position], Array]  # [D] -> [A]
    key: Callable[[Params, Array, Position], Array]  # [D] -> [A]
    pair: Callable[[Params, Array, Array], Any]  # [A], [A] -> []
    limit: Callable[[Params], int | None] = no_limit
    relative: bool = False


class Head(NamedTuple):
    """Which query head asks, counted from 0, and of how many: ALiBi's slopes differ by head."""

    number: Any = 0
    of: int = 1


class Bias(NamedTuple):
    """What is added to a score because of where query and key stand, and of which head asks.

    `relative` says that it depends on j − i, so that it makes sense only within one sequence.
    """

    name: str
    init: Callable[[Array, Dims], Params]
    query: Callable[[Params, Array, Position, Head], Share]  # [D], i, head -> share
    pair: Callable[[Params, Share, Position, Position], Any]  # share, i, j -> []
    relative: bool = False


class Encoding(NamedTuple):
    """What is added to an embedding because of where it stands.

    `limit` is the number of positions that the parameters can tell apart, None if unbounded.
    """

    name: str
    init: Callable[[Array, Dims], Params]
    encode: Callable[[Params, Array, Position], Array]  # [D] -> [D]
    limit: Callable[[Params], int | None] = no_limit


class Locality(NamedTuple):
    """Where a query looks: which keys it sees at all, and a gain on their weights.

    `length` is one more than the last position that the query may see: under a causal mask i + 1, never
    the whole sequence, so that nothing leaks from the future through an integer.
    """

    name: str
    init: Callable[[Array, Dims], Params]
    query: Callable[[Params, Array, Position, Position], Share]  # [D], i, length -> focus
    inside: Callable[[Params, Share, Position], Array]  # focus, j -> bool
    gain: Callable[[Params, Share, Position], Array]  # focus, j -> []


class Feedback(NamedTuple):
    """What the weights of earlier steps tell the next one: a term added to the keys' shares.

    `init`'s dims.hidden is A, the width of the key's share that `key` adds to.
    """

    name: str
    init: Callable[[Array, Dims], Params]
    start: Callable[[Params, Any], Any]  # memory -> state
    key: Callable[[Params, Any], Any]  # state -> [K, A], or a scalar 0
    update: Callable[[Params, Any, Array, Array], Any]  # state, weights[K], query[D] -> state


class Stream(NamedTuple):
    """How a normalizer reads a row of scores tile by tile, keeping only one number or two.

    absorb returns (total', keep, raw): what has been accumulated so far is to be multiplied by `keep`,
    and the tile's unscaled weights are `raw`. finish turns the last total into (scale, statistic): the
    factor that makes accumulated sums final, and what `weigh` needs to give any tile's weights again.
    pull is the vector-Jacobian product of a row's weights: given the tile's weights, their cotangents
    and inner = the sum of weights times cotangents over the whole row, the cotangents of the scores.
    None of these functions may close over an array, whose gradient none of them could say.
    """

    start: Callable[[Any], Any]  # dtype -> total
    absorb: Callable[[Any, Array, Array], tuple[Any, Array, Array]]  # total, scores[T], where[T]
    finish: Callable[[Any], tuple[Array, Array]]
    weigh: Callable[[Array, Array, Array], Array]  # statistic, scores[T], where[T] -> weights[T]
    pull: Callable[[Array, Array, Array], Array]  # weights[T], cotangents[T], inner -> [T]


class Normalizer(NamedTuple):
    """Turns one row of scores [K] into weights [K], exactly zero where `where` is False.

    A row with nothing to look at gives zeros and finite gradients. `stream` is None where the weights
    need the whole row at once.
    """

    name: str
    weigh: Callable[[Array, Array], Array]  # scores[K], where[K] -> weights[K]
    stream: Stream | None = None


def accumulator(dtype: Any) -> Any:
    """The type in which sums over features or keys are kept: float32 at least."""
    return jnp.promote_types(dtype, jnp.float32)


def saturated(x: Array) -> Array:
    """x, with the largest number of its type where it has overflowed; NaN stays NaN.

    A share that is ∞ would be NaN in the gradient even of a query that may not see it, 0 · ∞.
    """
    kind = jnp.finfo(x.dtype)
    return jnp.clip(x, kind.min, kind.max)


def summed_wide(dtype: Any) -> dict[str, Any]:
    """Options of a product whose operands have this type: it is summed in float32 at least, and its result wide.

    What a narrow type holds is exact in one pass of any machine, and a gradient in one pass is as exact as what it
    is multiplied with: more passes would gain nothing.
    """
    wide = accumulator(dtype)
    precision = None if dtype == wide else jax.lax.Precision.DEFAULT
    return {"preferred_element_type": wide, "precision": precision}


def matmul(a: Array, b: Array, dtype: Any) -> Array:
    """a @ b in `dtype`, summed in float32 at least; of what is wider, so are the sums of its gradient."""
    return jnp.matmul(a.astype(dtype), b.astype(dtype), **summed_wide(dtype)).astype(dtype)


def inner_product(params: Params, query: Array, key: Array) -> Array:
    """The pair of every score in the dot family: the inner product of the two shares."""
    del params
    return jnp.dot(query, key, preferred_element_type=accumulator(jnp.result_type(query, key)))
