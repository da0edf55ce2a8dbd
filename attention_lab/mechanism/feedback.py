"""Feedback of the attention weights of earlier decoding steps into the next one.

A feedback adds a term to the keys' shares, or restricts the next step to some keys, and so works with any score. It
needs the steps in order: it is for recurrent decoders, not for a Transformer, which processes all queries at once.
"""

import functools
from types import MappingProxyType

import jax
import jax.numpy as jnp

from attention_lab.mechanism.contracts import Feedback, accumulator, no_params
from attention_lab.mechanism.scores import matrix

# no_feedback: every step is independent of the weights before.
no_feedback = Feedback(
    "no_feedback",
    no_params,
    start=lambda params, memory: (),
    key=lambda params, state: 0,
    update=lambda params, state, weights, query: (),
)


def _no_weights(params, memory):
    """Returns [K] zeros: before the first step no key has been attended to."""
    return jnp.zeros(memory.positions.shape, accumulator(memory.keys.dtype))


@functools.cache
def location_aware(filters: int = 10, width: int = 201) -> Feedback:
    """U f_j added to key j, f = F * w: the last weights w [K] convolved (Chorowski et al. 2015, eq. 8).

    The defaults are the paper's for speech: 10 centered filters of width 201. The weights before the first step
    are zeros. Keys must be in the order of their positions.
    """
    if filters < 1 or width < 1 or width % 2 == 0:
        raise ValueError(
            f"location_aware(filters={filters}, width={width}): needs 1 filter or more, and an odd width"
        )

    def init(rng, dims):
        rng_f, rng_u = jax.random.split(rng)
        return {"F": matrix(rng_f, filters, width), "U": matrix(rng_u, dims.width, filters)}

    def key_term(params, state):
        center = slice(width // 2, width // 2 + state.size)
        convolved = jax.vmap(lambda row: jnp.convolve(state, row.astype(state.dtype))[center])
        return (params["U"].astype(state.dtype) @ convolved(params["F"])).T

    def update(params, state, weights, query):
        return weights.astype(state.dtype)

    return Feedback(f"location_aware({filters}, {width})", init, _no_weights, key_term, update)


def _coverage_init(rng, dims):
    return {"w": matrix(rng, 1, dims.width)[0]}


def _coverage_key(params, state):
    return jnp.outer(state, params["w"].astype(state.dtype))


def _coverage_update(params, state, weights, query):
    return state + weights.astype(state.dtype)


# coverage: c_j w added to key j, c the sum of all earlier weights (See et al. 2017, eq. 10-11; Tu et al.
# 2016 with every fertility 1).
coverage = Feedback("coverage", _coverage_init, _no_weights, _coverage_key, _coverage_update)


@functools.cache
def windowed(width: int = 75, feedback: Feedback = no_feedback) -> Feedback:
    """Attention to keys m − width .. m + width − 1 alone, m the median of the last weights (Chorowski et al. 2015, §2.3).

    Before the first step, m is the first key. feedback: another one, whose term is added to the keys' shares. Keys must
    be in the order of their positions. No gradient passes through m.
    """
    if width < 1:
        raise ValueError(f"windowed({width}): the width must be 1 or more")

    def seen(params, state):
        total = jnp.cumsum(state[0])
        median = jnp.argmax(total >= total[-1] / 2)
        distance = jnp.arange(total.size) - median
        return (-width <= distance) & (distance < width) & feedback.seen(params, state[1])

    def update(params, state, weights, query):
        return weights.astype(state[0].dtype), feedback.update(params, state[1], weights, query)

    return Feedback(
        f"windowed({width}, {feedback.name})",
        feedback.init,
        start=lambda params, memory: (_no_weights(params, memory), feedback.start(params, memory)),
        key=lambda params, state: feedback.key(params, state[1]),
        update=update,
        seen=seen,
    )


FEEDBACKS = MappingProxyType(
    {
        "no_feedback": no_feedback,
        "location_aware": location_aware,
        "coverage": coverage,
        "windowed": windowed,
    }
)
