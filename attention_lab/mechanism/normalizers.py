"""Normalizers turn one row of scores into one row of weights.

All take `where`: a key that may not be attended to has weight exactly 0 and gradient 0, and the weights of a row
without any key are all zeros, never NaN and never uniform.
"""

from types import MappingProxyType

import jax
import jax.numpy as jnp

from attention_lab.mechanism.contracts import Array, Normalizer, Stream


def in_one_tile(stream: Stream):
    """Applies a streaming normalizer to a whole row, as its only tile."""

    def weigh(scores: Array, where: Array) -> Array:
        total, _, raw = stream.absorb(stream.start(scores.dtype), scores, where)
        return raw * stream.finish(total)[0]

    return weigh


def _softmax_start(dtype):
    """Returns (shift, sum): the greatest score so far and the sum of exp(score − shift).

    The shift starts at the least finite number rather than at −∞, so that a row without keys gives no NaN.
    """
    return jnp.finfo(dtype).min.astype(dtype), jnp.zeros((), dtype)


def _softmax_absorb(total, scores, where):
    shift, normalizer = total
    # The weights do not depend on the shift, hence it needs no gradient.
    greatest = jax.lax.stop_gradient(jnp.maximum(shift, jnp.max(_hide(scores, where))))
    raw = _softmax_weigh(greatest, scores, where)
    keep = jnp.exp(shift - greatest)
    return (greatest, normalizer * keep + jnp.sum(raw)), keep, raw


def _softmax_finish(total):
    shift, normalizer = total
    nonempty = normalizer > 0
    safe = jnp.where(nonempty, normalizer, 1)
    return jnp.where(nonempty, 1 / safe, 0), shift + jnp.log(safe)


def _softmax_weigh(log_normalizer, scores, where):
    return jnp.exp(_hide(scores, where) - log_normalizer)


def _hide(scores, where):
    """Returns −∞ for masked scores, by selection rather than addition: a masked score may itself be ∞ or NaN."""
    return jnp.where(where, scores, -jnp.inf)


def _softmax_pull(weights, cotangents, inner, scores):
    return weights * (cotangents - inner)


_softmax = Stream(_softmax_start, _softmax_absorb, _softmax_finish, _softmax_weigh, _softmax_pull)

# softmax: w_j = exp(s_j) / Σ exp(s). In tiles: Milakov & Gimelshein 2018; Rabe & Staats 2021.
softmax = Normalizer("softmax", in_one_tile(_softmax), _softmax)


def _sigmoid_absorb(one, scores, where):
    return one, one, _sigmoid_weigh(one, scores, where)


def _sigmoid_weigh(statistic, scores, where):
    return jnp.where(where, jax.nn.sigmoid(jnp.where(where, scores, 0)), 0)


_sigmoid = Stream(
    start=lambda dtype: jnp.ones((), dtype),
    absorb=_sigmoid_absorb,
    finish=lambda one: (one, one),
    weigh=_sigmoid_weigh,
    pull=lambda weights, cotangents, inner, scores: weights * (1 - weights) * cotangents,
)

# sigmoid: w_j = 1 / (1 + exp(−s_j)), each key on its own (Ramapuram et al. 2024, without their
# offset −log K: the sum of a row's weights lies anywhere between 0 and K).
sigmoid = Normalizer("sigmoid", in_one_tile(_sigmoid), _sigmoid)


def _log_sigmoid(scores, where):
    return jax.nn.log_sigmoid(jnp.where(where, scores, 0))


def _smoothing_absorb(total, scores, where):
    return _softmax_absorb(total, _log_sigmoid(scores, where), where)


def _smoothing_weigh(log_normalizer, scores, where):
    return _softmax_weigh(log_normalizer, _log_sigmoid(scores, where), where)


def _smoothing_pull(weights, cotangents, inner, scores):
    # Where a weight is 0, the score may be one that no product should read.
    slope = jax.nn.sigmoid(jnp.where(weights > 0, -scores, 0))
    return _softmax_pull(weights, cotangents, inner, scores) * slope


_smoothing = Stream(
    _softmax_start, _smoothing_absorb, _softmax_finish, _smoothing_weigh, _smoothing_pull
)

# smoothing: w_j = σ(s_j) / Σ σ(s), which many keys can share (Chorowski et al. 2015, eq. 15). It is the softmax of
# log σ(s), in which no σ underflows.
smoothing = Normalizer("smoothing", in_one_tile(_smoothing), _smoothing)


def _entmax(threshold, slope):
    """Returns a normalizer that solves max_p p·z + H_α(p) over the simplex; the two functions depend on α.

    threshold: (z [K] with max z = 0 and masked keys at −4) -> weights. slope: p -> p^(2−α), which gives
    the Jacobian diag(s) − s sᵀ / Σs of every α-entmax (Peters et al. 2019, prop. 2).
    """

    @jax.custom_jvp
    def weigh(scores: Array, where: Array) -> Array:
        # As in a softmax, a score of −∞ is masked.
        where = where & (scores != -jnp.inf)
        greatest = jnp.max(scores, initial=-jnp.inf, where=where)
        shifted = jnp.where(where, scores, 0) - jnp.where(jnp.isfinite(greatest), greatest, 0)
        # A key whose score is lower than the greatest by 2 or more has weight 0 for both α.
        return jnp.where(where, threshold(jnp.where(where, jnp.maximum(shifted, -4), -4)), 0)

    @weigh.defjvp
    def weigh_jvp(primals, tangents):
        scores, where = primals
        weights = weigh(scores, where)
        s = slope(weights)
        total = jnp.sum(s)
        tangent = jnp.where(where, tangents[0], 0)
        mean = jnp.sum(s * tangent) / jnp.where(total > 0, total, 1)
        return weights, s * (tangent - mean)

    return weigh


def _sparsemax_threshold(z):
    ordered = jnp.sort(z, descending=True)
    excess = jnp.cumsum(ordered) - 1
    count = jnp.arange(1, z.size + 1)
    size = jnp.sum(count * ordered > excess)
    return jnp.maximum(z - excess[size - 1] / size, 0)


def _entmax15_threshold(z):
    ordered = jnp.sort(z / 2, descending=True)
    count = jnp.arange(1, z.size + 1)
    mean = jnp.cumsum(ordered) / count
    spread = jnp.cumsum(ordered**2) - count * mean**2
    threshold = mean - jnp.sqrt(jnp.maximum((1 - spread) / count, 0))
    size = jnp.sum(threshold <= ordered)
    return jnp.maximum(z / 2 - threshold[size - 1], 0) ** 2


def _root(p):
    """Returns √p with derivative 0, not ∞, at 0, so that second derivatives are finite too."""
    return jnp.where(p > 0, jnp.sqrt(jnp.where(p > 0, p, 1)), 0)


# sparsemax: the point of the simplex nearest to the scores (Martins & Astudillo 2016, alg. 1).
sparsemax = Normalizer(
    "sparsemax", _entmax(_sparsemax_threshold, lambda p: (p > 0).astype(p.dtype))
)

# entmax15: weights exactly zero where scores fall behind, yet smooth (Peters et al. 2019, alg. 2).
entmax15 = Normalizer("entmax15", _entmax(_entmax15_threshold, _root))


NORMALIZERS = MappingProxyType(
    {
        "softmax": softmax,
        "sigmoid": sigmoid,
        "smoothing": smoothing,
        "sparsemax": sparsemax,
        "entmax15": entmax15,
    }
)
