"""Hard attention: a step reads one place of the source, drawn from the weights (Xu et al. 2015, §4.1).

The probability of a target is an expectation over the places s_1 .. s_T. Its lower bound E[log p(y | s)] has the gradient

    E[∇ log p(y | s) + Σ_t (R_t − b_t) ∇ log p(s_t)],    R_t = Σ_u≥t log p(y_u | s),    p(s_t = j) = w_tj / Σ_k w_tk

which one sample estimates without bias (Williams 1992), since neither R_t without the terms before t nor a baseline b_t
that does not depend on s_t changes the expectation. The baseline is the log-probability of the same tokens under expected
contexts, those of soft attention. Xu et al. instead have a moving average over batches, which is the same for each
position of each sentence, and let half of the examples have expected contexts: here each example has both.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from attention_lab.mechanism.attention import weighted_sum
from attention_lab.mechanism.contracts import Array, accumulator
from attention_lab.padded import Padded


class Hard(NamedTuple):
    """The weights of the terms of the objective beside −log p(y | s).

    expected: of −log p(y) under expected contexts. reinforce: of the estimate of ∇ log p(s). entropy: of the entropies of
    the w_t, which are to stay high.
    """

    expected: float
    reinforce: float
    entropy: float


class Place(NamedTuple):
    """Where one step attends: the weights [K], and with hard attention the log-probability of what it reads and their entropy."""

    weights: Array
    log_probability: Any = None  # []
    entropy: Any = None  # []


class Drawn(NamedTuple):
    """What the places drawn for a target say to its objective: each [T], and the readouts of expected contexts [T, E]."""

    log_probability: Array
    entropy: Array
    expected: Array


def gumbel(rng: Array | None, shape: tuple[int, ...]) -> Array:
    """Returns noise g for which argmax_j log w_j + g_j has the probabilities w; zeros without an rng, for the likeliest j."""
    return jnp.zeros(shape) if rng is None else jax.random.gumbel(rng, shape)


def look(
    weights: Array, values: Array, noise: Array, expected: Array | None
) -> tuple[Array, Place]:
    """Returns the value [D] of the place that the noise [K] chooses by the weights [K], and the `Place`.

    expected: bool[], whether the result is the weighted sum of all values instead; None: it is not. A row of zeros, which
    attends to nothing, has the first value, log-probability 0 and entropy 0.
    """
    wide = weights.astype(accumulator(weights.dtype))
    total = jnp.sum(wide)
    # Selections inside and outside of the logarithm, so that no weight of 0 has an infinite gradient.
    logs = jnp.log(jnp.where(wide > 0, wide, 1)) - jnp.log(jnp.where(total > 0, total, 1))
    place = jnp.argmax(jnp.where(wide > 0, logs + noise, -jnp.inf))
    chosen = jax.nn.one_hot(place, len(weights), dtype=weights.dtype)
    if expected is not None:
        chosen = jnp.where(expected, weights, chosen)
    entropy = -jnp.sum(jnp.where(wide > 0, wide, 0) * logs) / jnp.where(total > 0, total, 1)
    vector = weighted_sum(chosen, values)
    return vector, Place(weights, logs[place], entropy)


def of_pass(places: Place, number: int) -> Place:
    """Returns one of several passes, which lead all arrays."""
    return jax.tree.map(lambda x: x[number], places)


def losses(
    hard: Hard, drawn: Drawn, logits: Array, expected: Array, target: Padded
) -> dict[str, Array]:
    """Returns what is added to −Σ log p(y | s) of a target, by name, [] each.

    logits, expected: [T, V], given the places drawn, and given expected contexts. The value of "reinforce" is 0; only its
    gradient matters.
    """
    exists = target.valid
    log_p, expected = (
        jnp.take_along_axis(jax.nn.log_softmax(one), target.values[:, None], -1)[:, 0]
        for one in (logits, expected)
    )
    gain = jnp.where(exists, log_p - expected, 0)
    ahead = jax.lax.stop_gradient(jnp.cumsum(gain[::-1])[::-1])
    estimate = jnp.sum(jnp.where(exists, ahead * drawn.log_probability, 0))
    return {
        "expected": -hard.expected * jnp.sum(jnp.where(exists, expected, 0)),
        "reinforce": -hard.reinforce * (estimate - jax.lax.stop_gradient(estimate)),
        "entropy": -hard.entropy * jnp.sum(jnp.where(exists, drawn.entropy, 0)),
    }
