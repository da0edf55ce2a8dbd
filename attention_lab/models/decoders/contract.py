"""The contract of recurrent decoders: the parts of a step, written for ONE position of ONE example.

s_t = f([y_{t−1}; extra], s_{t−1}),  r_t = readout(s_t, ..),  p(y_t) = softmax(W r_t)

A `Variant` defines the extra input, when the source is attended to, and the readout r_t: fixed.py,
bahdanau.py and luong.py.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax

from attention_lab.mechanism import Attention, attend
from attention_lab.mechanism.contracts import Array, Params, affine, matmul
from attention_lab.models.cells import Cell, project
from attention_lab.models.decoders.hard import Place, look

weights_init = jax.nn.initializers.glorot_uniform()


class Sizes(NamedTuple):
    """Features of a state s_t, of a source's state h_j, and of an embedding y_t, which a readout r_t equals.

    input_feeding: whether `luong` feeds a readout to the next step. gate: whether `bahdanau` scales its context. readout:
    the name of the readout of the others.
    """

    hidden: int
    source: int
    embedding: int
    input_feeding: bool = True
    gate: bool = False
    readout: str = "tanh"


class SourceMemory(NamedTuple):
    """An encoded source as a recurrent decoder stores it."""

    memory: Any  # a Memory; None where nothing is attended to
    summary: Array  # the fixed context


class State(NamedTuple):
    """The state of a decoder between two positions."""

    layers: tuple[Any, ...]  # the state of each cell, lowest first
    fed: Array  # the part of the last readout that this step reads, [0] where none
    feedback: Any  # the state of the attention's feedback
    position: Array  # t


class Noise(NamedTuple):
    """What is random in one step.

    keep: [layers − 1, N], the mask of dropout. place: Gumbel noise [K] for hard attention, zeros for the likeliest place,
    None for soft attention; expected: whether the context is the expected one all the same, bool[], or None.
    """

    keep: Array
    place: Array | None = None
    expected: Array | None = None


class Cells(NamedTuple):
    """A decoder's cells and attention, with their parameters {"cells": [..], "attention", "readout"}."""

    cell: Cell
    attention: Attention
    params: Params

    def top(self, state: State) -> Array:
        """Returns s_t [N] of the highest layer, in the type of computation."""
        return self.cell.output(state.layers[-1]).astype(state.fed.dtype)

    def enter(self, embedded: Array) -> Array:
        """Returns W_y y + b of the lowest cell for an embedding [E], which needs no state: it is computed for all t at once."""
        lowest = self.params["cells"][0]
        return affine(embedded, lowest["W"][: embedded.size], lowest["b"]).astype(embedded.dtype)

    def advance(self, state: State, entered: Array, extra: Array, noise: Noise) -> State:
        """Returns the next state. extra: the lowest cell's input beside y."""
        cells = self.params["cells"]
        beside = cells[0]["W"][cells[0]["W"].shape[0] - extra.size :]
        projected = entered + matmul(extra, beside, extra.dtype)
        layers: list[Any] = []
        for number, (params, before) in enumerate(zip(cells, state.layers, strict=True)):
            if number:
                below = self.cell.output(layers[-1]).astype(noise.keep.dtype)
                projected = project(params, below * noise.keep[number - 1])
            layers.append(self.cell.step(params, projected, before))
        return state._replace(layers=tuple(layers), position=state.position + 1)

    def attend(
        self, state: State, source: SourceMemory, noise: Noise
    ) -> tuple[Array, Place, State]:
        """Returns c_t, its `Place`, and the state with the attention's feedback."""
        context = attend(
            self.attention,
            self.params["attention"],
            self.top(state),
            state.position,
            source.memory,
            state.feedback,
        )
        state, weights = state._replace(feedback=context.feedback_state), context.weights
        assert weights is not None  # `attend` always returns them
        if noise.place is None:
            return context.vector, Place(weights), state
        return *look(weights, source.memory.values, noise.place, noise.expected), state


class Variant(NamedTuple):
    """The step of a recurrent decoder, written for ONE position of ONE example.

    attends: whether it attends to the source. extra, fed: the number of features that the lowest cell reads beside
    y_{t−1}, and of those that a readout passes to the next step.
    step: (cells, source, state, entered, noise) -> state, features [F], a `Place` or None.
    readout: sizes -> (params, features [T, F], embedded [T, E]) -> r [T, E], for all positions at once.
    deep: whether `Sizes.readout` is its readout. gated: whether its context may be scaled by a gate.
    """

    name: str
    attends: bool
    extra: Callable[[Sizes], int]
    fed: Callable[[Sizes], int]
    init: Callable[[Array, Sizes], Params]
    step: Callable[..., tuple[State, Array, Place | None]]
    readout: Callable[[Sizes], Callable[[Params, Array, Array], Array]]
    deep: bool = False
    gated: bool = False
