"""The common part of recurrent decoders: cells, a state, teacher forcing by one scan, and one step.

s_t = f([y_{t−1}; extra], s_{t−1}),  r_t = readout(s_t, ..),  p(y_t) = softmax(W r_t)

A `Variant` defines the extra input, when the source is attended to, and the readout r_t: fixed.py,
bahdanau.py and luong.py.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn

from attention_lab.mechanism import Attention, Dims, attend, init_attention, remember
from attention_lab.mechanism.contracts import Array, Params, accumulator, affine, matmul
from attention_lab.mechanism.feedback import no_feedback
from attention_lab.mechanism.legality import Request, why_not
from attention_lab.mechanism.scores import additive
from attention_lab.models.base import Dropout, Encoded, Readout, look_up, widened
from attention_lab.models.cells import CELLS, Cell, project

weights_init = jax.nn.initializers.glorot_uniform()


class Sizes(NamedTuple):
    """Features of a state s_t, of a source's state h_j, and of an embedding y_t, which a readout r_t equals.

    input_feeding: whether `luong` feeds a readout to the next step. gate: whether `bahdanau` scales its context.
    """

    hidden: int
    source: int
    embedding: int
    input_feeding: bool = True
    gate: bool = False


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

    def advance(self, state: State, entered: Array, extra: Array, keep: Array) -> State:
        """Returns the next state. extra: the lowest cell's input beside y; keep: [layers − 1, N], the mask of dropout."""
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

    def attend(self, state: State, source: SourceMemory) -> tuple[Array, Array | None, State]:
        """Returns c_t, the weights [K], and the state with the attention's feedback."""
        context = attend(
            self.attention,
            self.params["attention"],
            self.top(state),
            state.position,
            source.memory,
            state.feedback,
        )
        return context.vector, context.weights, state._replace(feedback=context.feedback_state)


class Variant(NamedTuple):
    """The step of a recurrent decoder, written for ONE position of ONE example.

    attends: whether it attends to the source. extra, fed: the number of features that the lowest cell reads beside
    y_{t−1}, and of those that a readout passes to the next step.
    step: (cells, source, state, entered, keep) -> state, features [F], weights [K] or None.
    readout: (params, features [T, F], embedded [T, E]) -> r [T, E], for all positions at once.
    gated: whether its context may be scaled by a gate.
    """

    name: str
    attends: bool
    extra: Callable[[Sizes], int]
    fed: Callable[[Sizes], int]
    init: Callable[[Array, Sizes], Params]
    step: Callable[..., tuple[State, Array, Array | None]]
    readout: Callable[[Params, Array, Array], Array]
    gated: bool = False


class Recurrent(nn.Module):
    """The parameters of a recurrent decoder, and the computation for one example."""

    variant: Variant
    cell: Cell
    attention: Attention
    sizes: Sizes
    layers: int
    positions: int
    recompute: bool
    doubly_stochastic: float = 0.0

    @property
    def label(self) -> str:
        """The variant and the score."""
        return (
            f"{self.variant.name}({self.attention.score.name})"
            if self.variant.attends
            else self.variant.name
        )

    @property
    def embedding(self) -> int:
        """E of the embeddings that it reads and of its readouts."""
        return self.sizes.embedding

    def setup(self) -> None:
        """Makes the parameters."""
        sizes, cell = self.sizes, self.cell
        self.bridge = self.param("bridge", weights_init, (sizes.source, self.layers * sizes.hidden))
        lowest = sizes.embedding + self.variant.extra(sizes)
        cells = [
            self.param(f"cell_{n}", cell.init, sizes.hidden if n else lowest, sizes.hidden)
            for n in range(self.layers)
        ]
        params = {"cells": cells, "readout": self.param("readout", self.variant.init, sizes)}
        if self.variant.attends:
            dims = Dims(sizes.hidden, sizes.source, sizes.hidden, positions=self.positions)
            init = partial(init_attention, self.attention)
            params["attention"] = self.param("attention", init, dims)
        self.cells = Cells(cell, self.attention, params)

    def start(self, encoded: Encoded, length: int) -> tuple[SourceMemory, State]:
        """Returns the source, and the state before the first token, s_0 = tanh(W summary), whatever the length."""
        del length
        x, memory, feedback = encoded.states, None, ()
        if self.variant.attends:
            params = self.cells.params["attention"]
            memory = remember(self.attention, params, x, x, encoded.valid)
            feedback = self.attention.feedback.start(params["feedback"], memory)
        first = jnp.split(jnp.tanh(matmul(encoded.summary, self.bridge, x.dtype)), self.layers)
        state = State(
            layers=tuple(self.cell.start(h) for h in first),
            fed=jnp.zeros(self.variant.fed(self.sizes), x.dtype),
            feedback=feedback,
            position=jnp.zeros((), int),
        )
        return SourceMemory(memory, encoded.summary), state

    def __call__(
        self,
        encoded: Encoded,
        embedded: Array,
        dropout: Dropout,
        weights: bool,
        starts: Array | None = None,
        valid: Array | None = None,
    ) -> Readout:
        """Returns r_t for each of the previous tokens, embedded [T, E], by teacher forcing.

        starts: where a document starts, bool[T], if there are several; the state there is that before the first token.
        valid: which target positions exist, bool[T]; None: all.
        """
        source, state = self.start(encoded, len(embedded))
        embedded = dropout(embedded)
        ones = jnp.ones((len(embedded), self.layers - 1, self.sizes.hidden), embedded.dtype)
        keep, kept = dropout(ones), widened((source, state))
        first = source, state

        def one(state, inputs):
            narrow, fresh = jax.tree.map(lambda wide, x: wide.astype(x.dtype), kept, first)
            begins, *inputs = inputs
            if starts is not None:
                state = jax.tree.map(partial(jnp.where, begins), fresh, state)
            state, features, row = self.variant.step(self.cells, narrow, state, *inputs)
            return state, (features, row)

        entered = jax.vmap(self.cells.enter)(embedded)
        if self.recompute:  # otherwise each step's scores are stored for the backward pass
            one = jax.checkpoint(one, prevent_cse=False)
        _, (features, rows) = jax.lax.scan(one, state, (starts, entered, keep))
        readout = self._read_out(features, embedded, rows, dropout, weights)
        if not self.doubly_stochastic:
            return readout
        exists = jnp.ones(len(embedded), bool) if valid is None else valid
        return readout._replace(losses={"coverage": self._penalty(rows, exists, encoded.valid)})

    def _penalty(self, rows, exists, valid):
        """Returns λ Σ_j (1 − Σ_t w_tj)² over the source's states: each is to be attended to once (Xu et al. 2015, eq. 14)."""
        attended = jnp.sum(
            jnp.where(exists[:, None], rows, 0), axis=0, dtype=accumulator(rows.dtype)
        )
        return self.doubly_stochastic * jnp.sum(jnp.where(valid, (1 - attended) ** 2, 0))

    def step(
        self, source: SourceMemory, state: State, embedded: Array, weights: bool
    ) -> tuple[State, Readout]:
        """Returns the next state, and r_t after one more token, embedded [E]."""
        keep = jnp.ones((self.layers - 1, self.sizes.hidden), embedded.dtype)
        entered = self.cells.enter(embedded)
        state, features, row = self.variant.step(self.cells, source, state, entered, keep)
        return state, self._read_out(features, embedded, row, Dropout(None, None), weights)

    def _read_out(self, features, embedded, rows, dropout, weights):
        """rows: weights [.., K] of one or all positions."""
        readout = self.variant.readout(self.cells.params["readout"], features, embedded)
        # One head: [H, T, K], or [H, K] of one step.
        shown = {"cross/0": rows[None]} if weights and rows is not None else {}
        return Readout(dropout(readout), shown)

    def source_limit(self, params: Params) -> int | None:
        """Returns the number of source states that the score supports, or None if there is no limit."""
        return (
            self.attention.score.limit(params["attention"]["score"])
            if self.variant.attends
            else None
        )

    def target_limit(self, params: Params) -> int | None:
        """Returns None: the number of tokens is not limited."""
        del params
        return None


def make_recurrent(
    variant: Variant,
    source: int | None,
    *,
    cell: str = "gru",
    attention: Attention = Attention(score=additive),
    embedding: int = 256,
    hidden: int = 256,
    layers: int = 1,
    positions: int = 512,
    input_feeding: bool = True,
    gate: bool = False,
    doubly_stochastic: float = 0.0,
    recompute: bool = False,
) -> Recurrent:
    """Returns a recurrent decoder of that variant.

    source: features of the source's states. attention: unused by `fixed`. embedding: E; hidden: N of the decoder's
    states. positions: the number of source states for which a score that is indexed by position (location) has
    entries. input_feeding: of `luong` alone, whether the lowest cell reads h~_{t−1} (§3.3 there). gate: of `bahdanau`
    alone, whether the context is scaled by a number that the state decides. doubly_stochastic: the weight λ of a
    penalty that is added to the cross-entropy of each target (Xu et al. 2015). recompute: whether activations of a step
    are computed again in the backward pass rather than stored (Chen et al. 2016). Raises ValueError if there is no
    source, a name is unknown, the attention is defined within one sequence only, or a decoder without attention is to
    have a gate or a penalty.
    """
    if source is None:
        raise ValueError(
            f"decoder {variant.name} needs a source, but encoder nothing has none; use decoder transformer"
        )
    # It attends to another sequence, step by step: the rules of cross-attention hold, and feedback is legal.
    reason = why_not(attention._replace(feedback=no_feedback), Request("cross"))
    if reason is not None:
        raise ValueError(f"decoder {variant.name}: {reason}")
    if layers < 1:
        raise ValueError(f"layers={layers}: a recurrent decoder needs 1 or more")
    if gate and not variant.gated:
        raise ValueError(f"decoder {variant.name} has no gate; only bahdanau has one")
    if doubly_stochastic and not variant.attends:
        raise ValueError(
            f"doubly_stochastic={doubly_stochastic}: decoder {variant.name} attends to nothing"
        )
    sizes = Sizes(hidden, source, embedding, input_feeding, gate)
    chosen = look_up("cell", CELLS, cell)
    numbers = layers, positions, recompute, doubly_stochastic
    return Recurrent(variant, chosen, attention, sizes, *numbers)
