"""When a recurrent decoder asks its source, and what it does with the answer.

    none      s_t = f([y_{t−1}; c], s_{t−1}), c fixed                        Cho et al. 2014
    bahdanau  c_t = attend(s_{t−1}, h); s_t = f([y_{t−1}; c_t], s_{t−1})     Bahdanau et al. 2015, A.2.2
    luong     s_t = f([y_{t−1}; h~_{t−1}], s_{t−1}); c_t = attend(s_t, h);
              h~_t = tanh(W_c [c_t; s_t])                                    Luong et al. 2015, §3

Each is written for ONE position of ONE sentence.
"""

import functools
from collections.abc import Callable
from types import MappingProxyType
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from attention_lab.mechanism import attend
from attention_lab.mechanism.contracts import Array, Params, matmul
from attention_lab.models.base import affine
from attention_lab.models.cells import Cell, project

weights_init = jax.nn.initializers.glorot_uniform()


class Sizes(NamedTuple):
    """Features of a state s_t, of a memory h_j, and of an embedding y_t, which a readout r_t equals."""

    state: int
    memory: int
    embedding: int


class Source(NamedTuple):
    """What is known of a source sentence."""

    memory: Any  # h_j, ready to be asked: a Memory; None where nothing is asked
    summary: Array  # [h→_K; h←_1], all that a fixed context holds


class State(NamedTuple):
    """What a decoder carries from one position to the next."""

    layers: tuple[Any, ...]  # the state of each cell, lowest first
    fed: Array  # what this step is told of the last readout, [0] where nothing
    feedback: Any  # the attention's own
    position: Array  # t


class Decoder(NamedTuple):
    """A decoder's parts; params: {"cells": [..], "attention", "timing"}."""

    cell: Cell
    attention: Any  # an Attention; None where nothing is asked
    params: Params

    def top(self, state: State) -> Array:
        """s_t [N] of the highest layer, in the type that is computed in."""
        return self.cell.output(state.layers[-1]).astype(state.fed.dtype)

    def enter(self, embedded: Array) -> Array:
        """W_y y + b of the lowest cell for an embedding [E]: needs no state, so all t at once."""
        lowest = self.params["cells"][0]
        return affine(embedded, lowest["W"][: embedded.size], lowest["b"]).astype(embedded.dtype)

    def advance(self, state: State, entered: Array, extra: Array, keep: Array) -> State:
        """The next state. extra: what the lowest cell reads beside y; keep: [layers − 1, N], dropout."""
        cells = self.params["cells"]
        beside = cells[0]["W"][cells[0]["W"].shape[0] - extra.size :]
        projected = entered + matmul(extra, beside, extra.dtype)
        layers: list[Any] = []
        for number, (params, before) in enumerate(zip(cells, state.layers, strict=True)):
            if number:
                below = self.cell.output(layers[-1]).astype(keep.dtype)
                projected = project(params, below * keep[number - 1])
            layers.append(self.cell.step(params, projected, before))
        return state._replace(layers=tuple(layers), position=state.position + 1)

    def ask(self, state: State, source: Source) -> tuple[Array, Array | None, State]:
        """c_t, the weights [K], and the state with the attention's feedback."""
        context = attend(
            self.attention,
            self.params["attention"],
            self.top(state),
            state.position,
            source.memory,
            state.feedback,
        )
        return context.vector, context.weights, state._replace(feedback=context.feedback_state)


class Timing(NamedTuple):
    """How a decoder goes from one position to the next.

    extra, fed: features that the lowest cell reads beside y_{t−1}, and that a readout hands on.
    step: (decoder, source, state, entered, keep) -> state, features [F], weights [K] or None.
    readout: (params, features [T, F], embedded [T, E]) -> r [T, E], for all positions at once.
    """

    name: str
    extra: Callable[[Sizes], int]
    fed: Callable[[Sizes], int]
    init: Callable[[Array, Sizes], Params]
    step: Callable[..., tuple[State, Array, Array | None]]
    readout: Callable[[Params, Array, Array], Array]


def _deep_init(rng, sizes):
    inputs = sizes.state + sizes.memory + sizes.embedding
    return {"W": weights_init(rng, (inputs, sizes.embedding))}


def _deep_readout(params, features, embedded):
    """r_t = tanh(W [s_t; c_t; y_{t−1}]): Bahdanau's deep output, with tanh in place of maxout."""
    return jnp.tanh(matmul(jnp.concatenate([features, embedded], -1), params["W"], features.dtype))


def _none_step(decoder, source, state, entered, keep):
    state = decoder.advance(state, entered, source.summary, keep)
    return state, jnp.concatenate([decoder.top(state), source.summary]), None


none = Timing(
    "none", lambda sizes: sizes.memory, lambda sizes: 0, _deep_init, _none_step, _deep_readout
)


def _bahdanau_step(decoder, source, state, entered, keep):
    context, weights, state = decoder.ask(state, source)
    state = decoder.advance(state, entered, context, keep)
    return state, jnp.concatenate([decoder.top(state), context]), weights


bahdanau = Timing(
    "bahdanau",
    lambda sizes: sizes.memory,
    lambda sizes: 0,
    _deep_init,
    _bahdanau_step,
    _deep_readout,
)


def _luong_init(rng, sizes):
    return {"W_c": weights_init(rng, (sizes.memory + sizes.state, sizes.embedding))}


def _luong_step(decoder, source, state, entered, keep):
    now = state.position
    state = decoder.advance(state, entered, state.fed, keep)
    context, weights, state = decoder.ask(state._replace(position=now), source)
    both = jnp.concatenate([context, decoder.top(state)])
    attentional = jnp.tanh(matmul(both, decoder.params["timing"]["W_c"], both.dtype))
    return (
        state._replace(fed=attentional[: state.fed.size], position=now + 1),
        attentional,
        weights,
    )


@functools.cache
def luong(input_feeding: bool = True) -> Timing:
    """Luong's timing; input_feeding: h~_{t−1} is read by the lowest cell (§3.3)."""

    def fed(sizes):
        return sizes.embedding if input_feeding else 0

    return Timing(
        f"luong({input_feeding})",
        fed,
        fed,
        _luong_init,
        _luong_step,
        lambda params, attentional, embedded: attentional,
    )


TIMINGS = MappingProxyType({"none": none, "bahdanau": bahdanau, "luong": luong})
