"""Positions: how attention, which treats the keys as a set, is informed of their order.

Encodings are added to embeddings, biases to scores; `rotary` rotates the shares of a score. Rotary scores and
biases depend only on the difference j − i, and so belong to self-attention.
"""

import functools
import math
from types import MappingProxyType

import jax.numpy as jnp
import numpy as np

from attention_lab.mechanism.contracts import (
    Array,
    Bias,
    Encoding,
    Params,
    Position,
    Score,
    accumulator,
    inner_product,
    no_params,
    saturated,
)
from attention_lab.mechanism.scores import matrix, row

# --- Encodings: embedding + a function of i ------------------------------------------------------


def _angles(position: Position, features: int, base: float) -> Array:
    """Returns position · base^(−2m/D) for m = 0 .. ⌈D/2⌉−1, the frequencies of Vaswani et al. 2017, §3.5."""
    frequencies = base ** (-2 * np.arange((features + 1) // 2) / features)
    return position * jnp.asarray(frequencies, jnp.result_type(float))


# no_encoding: the embedding alone; attention then treats a sentence as a set.
no_encoding = Encoding("no_encoding", no_params, lambda params, embedding, i: embedding)


@functools.cache
def sinusoidal(halves: bool = False) -> Encoding:
    """sin(i / 10000^(2m/D)) at feature 2m, the cosine at 2m + 1 (Vaswani et al. 2017, §3.5).

    halves: all sines, m = 0 .. ⌈D/2⌉−1, come first and the cosines after them, as in the authors' code.
    """

    def encode(params, embedding, i):
        angles = _angles(i, embedding.size, 10000.0)
        waves = _joined(jnp.sin(angles), jnp.cos(angles), halves)[: embedding.size]
        return embedding + waves.astype(embedding.dtype)

    return Encoding("sinusoidal", no_params, encode)


def _learned_init(rng, dims):
    if dims.positions is None:
        raise ValueError("learned needs dims.positions, the length of the longest sequence")
    return {"table": matrix(rng, dims.positions, dims.query)}


def _learned(params, embedding, i):
    return (embedding + row(params["table"], i)).astype(embedding.dtype)


# learned: row i of a learned table (Gehring et al. 2017, §3.1).
learned = Encoding(
    "learned", _learned_init, _learned, limit=lambda params: params["table"].shape[-2]
)


# --- Rotary: a score whose shares are rotated by their positions -------------------------------------


def rotate(share: Array, position: Position, base: float, halves: bool = False) -> Array:
    """Rotates each pair (x_2m, x_2m+1) of share [A] by the angle position · base^(−2m/A).

    halves: the pairs are (x_m, x_m+A/2) instead.
    """
    angles = _angles(position, share.size, base)
    first, second = _halves(share.astype(angles.dtype), halves)
    cos, sin = jnp.cos(angles), jnp.sin(angles)
    turned = _joined(first * cos - second * sin, first * sin + second * cos, halves)
    return saturated(turned.astype(share.dtype))


def _halves(x, halves):
    return jnp.split(x, 2) if halves else (x[0::2], x[1::2])


def _joined(first, second, halves):
    return jnp.concatenate([first, second]) if halves else jnp.stack([first, second], -1).ravel()


@functools.cache
def rotary(score: Score, base: float = 10000.0, halves: bool = False) -> Score:
    """Returns the score with both shares rotated by their positions (Su et al. 2021, eq. 34).

    For the dot family the pair then depends on positions only through j − i. halves: feature m is paired with
    feature m + A/2, as in Llama, and not with its neighbor; the two differ by a permutation of the features
    only. Raises ValueError if base is not positive.
    """
    if base <= 0:
        raise ValueError(f"rotary({score.name}, {base}): base must be positive")

    def turned(share_of):
        def share(params: Params, vector: Array, position: Position) -> Array:
            plain = share_of(params, vector, position)
            if plain.size % 2:
                raise ValueError(
                    f"rotary({score.name}) rotates pairs of features, but a projected query or key has {plain.size}; "
                    "use an even number of features"
                )
            return rotate(plain, position, base, halves)

        return share

    name = f"rotary({score.name})"
    return score._replace(
        name=name, query=turned(score.query), key=turned(score.key), relative=True
    )


# --- Biases: score + a function of i and j --------------------------------------------------------


def _nothing(params, query, i, head):
    return ()


# no_bias: nothing is added.
no_bias = Bias("no_bias", no_params, _nothing, lambda params, share, i, j: 0.0)


@functools.cache
def shaw(clip: int = 16) -> Bias:
    """q · a_r / √d for the relative distance r = j − i clipped to ±clip (Shaw et al. 2018, eq. 5).

    This is their term for the keys, on the scale of `scaled_dot`; their vectors for the values are left out,
    which the paper found to cost nothing. The query's share is its product with all 2·clip + 1 vectors.
    Raises ValueError if clip < 1.
    """
    if clip < 1:
        raise ValueError(f"shaw({clip}): clip must be at least 1")

    def init(rng, dims):
        return {"a": matrix(rng, 2 * clip + 1, dims.query)}

    def query_share(params, query, i, head):
        return inner_product({}, params["a"].astype(query.dtype), query) / math.sqrt(query.size)

    def pair(params, share, i, j):
        return share[jnp.clip(j - i, -clip, clip) + clip]

    return Bias(f"shaw({clip})", init, query_share, pair, relative=True)


def t5_bucket(distance: int, buckets: int, max_distance: int, bidirectional: bool) -> int:
    """Returns the bucket of the relative distance j − i: near ones are exact, far ones logarithmic.

    Raffel et al. 2020, §2.1. It is computed in integers, so that no rounding moves a boundary.
    """
    if bidirectional:
        buckets //= 2
        offset, distance = (buckets if distance > 0 else 0), abs(distance)
    else:
        offset, distance = 0, max(-distance, 0)
    exact = buckets // 2
    if distance < exact:
        return offset + distance
    # The largest m with exact · (max_distance / exact)^(m / far) ≤ distance, far = buckets − exact.
    far = buckets - exact
    m = 0
    while m < far - 1 and distance**far * exact ** (m + 1) >= max_distance ** (m + 1) * exact**far:
        m += 1
    return offset + exact + m


@functools.cache
def t5(buckets: int = 32, max_distance: int = 128, bidirectional: bool = True) -> Bias:
    """One learned number for each bucket of relative distances j − i (Raffel et al. 2020, §2.1).

    T5's decoder uses bidirectional=False: all buckets are for the past. All distances beyond max_distance share one.
    """
    if buckets < 4 or buckets % 4 or max_distance <= buckets // 2:
        raise ValueError(
            f"t5(buckets={buckets}, max_distance={max_distance}): buckets must be a multiple of 4 and "
            "max_distance more than half of it"
        )
    bucket_of = np.array(
        [
            t5_bucket(distance, buckets, max_distance, bidirectional)
            for distance in range(-max_distance, max_distance + 1)
        ]
    )

    def init(rng, dims):
        return {"table": matrix(rng, 1, buckets)[0]}

    def pair(params, share, i, j):
        bucket = jnp.asarray(bucket_of)[jnp.clip(j - i, -max_distance, max_distance) + max_distance]
        return params["table"][bucket]

    name = f"t5({buckets}, {max_distance}, {bidirectional})"
    return Bias(name, init, _nothing, pair, relative=True)


def alibi_slopes(heads: int) -> np.ndarray:
    """Returns [H], 2^(−8h/H) for h = 1 .. H where H is a power of two (Press et al. 2022, §3).

    Otherwise, as in the authors' code, they are the slopes of the largest power of two n < H, followed by every
    other slope of 2n, beginning with the first: for 3 heads 2^−4, 2^−8, 2^−2.
    """
    n = 2 ** (heads.bit_length() - 1)
    powers = [8 * h / n for h in range(1, n + 1)] + [
        4 * h / n for h in range(1, 2 * (heads - n), 2)
    ]
    return 2.0 ** -np.array(powers)


def _alibi_query(params, query, i, head):
    # Constants, which are not trained; each query head has its own, however many share its keys.
    return jnp.asarray(alibi_slopes(head.of), accumulator(query.dtype))[head.number]


def _alibi_pair(params, slope, i, j):
    return -slope * jnp.abs(j - i).astype(slope.dtype)


# alibi: −slope · |i − j|, with a slope for every query head, `alibi_slopes` (Press et al. 2022, §3).
alibi = Bias("alibi", no_params, _alibi_query, _alibi_pair, relative=True)


ENCODINGS = MappingProxyType(
    {"no_encoding": no_encoding, "sinusoidal": sinusoidal, "learned": learned}
)
BIASES = MappingProxyType({"no_bias": no_bias, "shaw": shaw, "t5": t5, "alibi": alibi})
