"""The contracts: which functions each piece of an attention mechanism provides.

Every piece provides the same three kinds of function. `init` returns its parameters. `query` and `key` compute
once per query and once per key what depends on it alone; the result is called a share. `pair` combines two shares
into a number. Everything is written for ONE query and ONE key; `jax.vmap` makes the matrix.

Shape legend:  Q query positions  ·  K key positions  ·  D features  ·  A attention features (a share)
               H heads  ·  G key-value heads.  i is a query's position, j is a key's.

Pieces are named tuples of functions: they are immutable and hashable, and hence static under `jax.jit`. A piece
with options is returned by a cached factory, so that equal options give the identical object and no recompilation.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

Array = jax.Array
Params = Any  # a dict of arrays, {} if a piece has none
Share = Any  # an array [A] for scores; any pytree elsewhere
Position = Any  # an integer, or a traced scalar of integer type
Mask = Callable[[Position, Position], Any]  # (i, j) -> bool: may position i attend to position j?


class Dims(NamedTuple):
    """The sizes from which parameters are initialized.

    query, key: features D of one query and of one key.
    hidden: A, the width of a learned comparison; by default that of the query.
    positions: the number of rows of a table that is indexed by absolute position (location, learned).
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
    """Returns the parameters of a piece without parameters: {}."""
    del rng, dims
    return {}


def no_limit(params: Params) -> int | None:
    """Returns None: the number of keys is not limited."""
    del params
    return None


class Score(NamedTuple):
    """How well one query and one key match: score(q, k) = pair(query(q), key(k)).

    Both shares are arrays [A] of the same width. `limit` returns the number of keys for which the parameters have
    entries, None if it is unbounded. `relative` marks a score that depends on i − j, which is defined only where
    queries and keys are positions of one sequence.
    """

    name: str
    init: Callable[[Array, Dims], Params]
    query: Callable[[Params, Array, Position], Array]  # [D] -> [A]
    key: Callable[[Params, Array, Position], Array]  # [D] -> [A]
    pair: Callable[[Params, Array, Array], Any]  # [A], [A] -> []
    limit: Callable[[Params], int | None] = no_limit
    relative: bool = False


class Head(NamedTuple):
    """The index of a query head, counted from 0, and the number of heads: ALiBi's slopes differ by head."""

    number: Any = 0
    of: int = 1


class Bias(NamedTuple):
    """A term that is added to a score, and depends on the positions of query and key and on the query head.

    `relative` marks a bias that depends on j − i, which is defined only within one sequence.
    """

    name: str
    init: Callable[[Array, Dims], Params]
    query: Callable[[Params, Array, Position, Head], Share]  # [D], i, head -> share
    pair: Callable[[Params, Share, Position, Position], Any]  # share, i, j -> []
    relative: bool = False


class Encoding(NamedTuple):
    """A term that is added to an embedding, and depends on its position.

    `limit` returns the number of positions for which the parameters have entries, None if it is unbounded.
    """

    name: str
    init: Callable[[Array, Dims], Params]
    encode: Callable[[Params, Array, Position], Array]  # [D] -> [D]
    limit: Callable[[Params], int | None] = no_limit


class Locality(NamedTuple):
    """Restricts a query to some of the keys, and multiplies their weights by a gain.

    `length` is one more than the last position to which the query may attend. Under a causal mask it is i + 1, not
    the length of the whole sequence, so that this integer carries no information from the future.
    """

    name: str
    init: Callable[[Array, Dims], Params]
    query: Callable[[Params, Array, Position, Position], Share]  # [D], i, length -> focus
    inside: Callable[[Params, Share, Position], Array]  # focus, j -> bool
    gain: Callable[[Params, Share, Position], Array]  # focus, j -> []


class Feedback(NamedTuple):
    """A term that is added to the keys' shares, and depends on the weights of earlier decoding steps.

    `init`'s dims.hidden is A, the width of the key's share that `key` adds to. `seen` says to which keys the next query
    may attend, as far as the earlier weights decide it.
    """

    name: str
    init: Callable[[Array, Dims], Params]
    start: Callable[[Params, Any], Any]  # memory -> state
    key: Callable[[Params, Any], Any]  # state -> [K, A], or a scalar 0
    update: Callable[[Params, Any, Array, Array], Any]  # state, weights[K], query[D] -> state
    seen: Callable[[Params, Any], Any] = lambda params, state: True  # state -> bool[K], or True


class Stream(NamedTuple):
    """A normalizer that reads a row of scores tile by tile, with a running total of one or two numbers.

    absorb returns (total', keep, raw): the sums accumulated so far are to be multiplied by `keep`, and `raw` are
    the tile's unscaled weights. finish turns the last total into (scale, statistic): the factor by which the
    accumulated sums are multiplied in the end, and the number from which `weigh` recomputes any tile's weights.
    pull is the vector-Jacobian product of a row's weights: from the tile's weights, their cotangents,
    inner = the sum of weights times cotangents over the whole row, and the scores, it computes the cotangents of these.
    None of these functions may close over an array, since it could not return a gradient for it.
    """

    start: Callable[[Any], Any]  # dtype -> total
    absorb: Callable[[Any, Array, Array], tuple[Any, Array, Array]]  # total, scores[T], where[T]
    finish: Callable[[Any], tuple[Array, Array]]
    weigh: Callable[[Array, Array, Array], Array]  # statistic, scores[T], where[T] -> weights[T]
    pull: Callable[
        [Array, Array, Array, Array], Array
    ]  # weights[T], cotangents[T], inner, scores[T]


class Normalizer(NamedTuple):
    """Turns one row of scores [K] into weights [K], exactly zero where `where` is False.

    A row without any key to attend to gives zeros and finite gradients. `stream` is None if the weights
    depend on the whole row at once.
    """

    name: str
    weigh: Callable[[Array, Array], Array]  # scores[K], where[K] -> weights[K]
    stream: Stream | None = None


def accumulator(dtype: Any) -> Any:
    """Returns the type in which sums over features or keys are accumulated: float32 at least."""
    return jnp.promote_types(dtype, jnp.float32)


def saturated(x: Array) -> Array:
    """Replaces ±∞ in x by the largest finite numbers of its type; NaN stays NaN.

    An infinite share would put NaN, 0 · ∞, into the gradient even of a query that may not attend to it.
    """
    kind = jnp.finfo(x.dtype)
    # Not jnp.clip, whose gradient halves at ties and takes two more arrays of the size of x.
    return jax.lax.clamp(kind.min, x, kind.max)


def summed_wide(dtype: Any) -> dict[str, Any]:
    """Returns options of a product with operands of this type: it is accumulated and returned in float32 at least.

    Operands of a narrow type are represented exactly in one pass on any machine, and a gradient that is rounded
    to one pass is as exact as the operand with which it is multiplied: more passes would gain nothing.
    """
    wide = accumulator(dtype)
    precision = None if dtype == wide else jax.lax.Precision.DEFAULT
    return {"preferred_element_type": wide, "precision": precision}


def matmul(a: Array, b: Array, dtype: Any) -> Array:
    """Returns a @ b in `dtype`, accumulated in float32 at least, as is the gradient of an operand of a wider type."""
    return jnp.matmul(a.astype(dtype), b.astype(dtype), **summed_wide(dtype)).astype(dtype)


def affine(x: Array, W: Array, b: Array | None = None) -> Array:
    """Returns x W + b [.., F] of x [.., D], with operands of the type of x, in float32 at least."""
    total = jnp.matmul(x, W.astype(x.dtype), **summed_wide(x.dtype))
    return total if b is None else total + jnp.reshape(b, (1,) * (x.ndim - 1) + (-1,))


def inner_product(params: Params, query: Array, key: Array) -> Array:
    """Returns the inner product of two shares: the pair function of every score in the dot family."""
    del params
    return jnp.dot(query, key, preferred_element_type=accumulator(jnp.result_type(query, key)))
