"""The common part of recurrent decoders: parameters, teacher forcing by one scan, and one step of a `Variant`."""

from functools import partial

import jax
import jax.numpy as jnp
from flax import linen as nn

from attention_lab.mechanism import Attention, Dims, init_attention, remember
from attention_lab.mechanism.contracts import Array, Params, accumulator, matmul
from attention_lab.mechanism.feedback import no_feedback
from attention_lab.mechanism.legality import Request, why_not
from attention_lab.mechanism.scores import additive
from attention_lab.models.base import Dropout, Encoded, Readout, look_up, widened
from attention_lab.models.cells import CELLS, Cell
from attention_lab.models.decoders.contract import (
    Cells,
    Noise,
    Sizes,
    SourceMemory,
    State,
    Variant,
    weights_init,
)
from attention_lab.models.decoders.deep_output import READOUTS
from attention_lab.models.decoders.hard import Drawn, Hard, gumbel, of_pass


class Recurrent(nn.Module):
    """The parameters of a recurrent decoder, and the computation for one example."""

    variant: Variant
    cell: Cell
    attention: Attention
    sizes: Sizes
    layers: int
    positions: int
    recompute: bool
    initial_memory: bool = False
    doubly_stochastic: float = 0.0
    hard: Hard | None = None

    @property
    def label(self) -> str:
        """The variant and the score."""
        return (
            f"{self.variant.name}({'hard ' if self.hard else ''}{self.attention.score.name})"
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
        bridge = weights_init, (sizes.source, self.layers * sizes.hidden)
        self.bridges = [
            self.param(name, *bridge)
            for name in ("bridge", "memory_bridge")[: 1 + self.initial_memory]
        ]
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
        """Returns the source, and the state before the first token, whatever the length.

        s_0 = tanh(W summary), and likewise the memory c_0 of an LSTM if it has one before the first token.
        """
        del length
        x, memory, feedback = encoded.states, None, ()
        if self.variant.attends:
            params = self.cells.params["attention"]
            memory = remember(self.attention, params, x, x, encoded.valid)
            feedback = self.attention.feedback.start(params["feedback"], memory)
        first = [
            jnp.split(jnp.tanh(matmul(encoded.summary, bridge, x.dtype)), self.layers)
            for bridge in self.bridges
        ]
        state = State(
            layers=tuple(map(self.cell.start, *first)),
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
        rng = dropout.next_rng() if self.hard else None
        noise = Noise(keep, self._noise(rng, len(embedded), source))

        def one(state, inputs):
            narrow, fresh = jax.tree.map(lambda wide, x: wide.astype(x.dtype), kept, first)
            begins, projected, noise = inputs
            if starts is not None:
                state = jax.tree.map(partial(jnp.where, begins), fresh, state)
            projected = projected.astype(embedded.dtype)
            state, features, place = self.variant.step(self.cells, narrow, state, projected, noise)
            return state, (features, place)

        entered = jax.vmap(self.cells.enter)(embedded)
        if self.recompute:  # otherwise each step's scores are stored for the backward pass
            one = jax.checkpoint(one, prevent_cse=False)

        def decode(entered, expected=None):
            inputs = noise._replace(expected=expected)
            _, (features, places) = jax.lax.scan(one, state, (starts, entered, inputs))
            return features, places

        if rng is None:
            features, places = decode(entered)
            readout = self._read_out(features, embedded, places, dropout, weights)
        else:  # both the places that are drawn and expected contexts, as one program
            expected = jnp.broadcast_to(jnp.array([[False], [True]]), (2, len(embedded)))
            # The gradient of `entered` is a sum over both, hence wide.
            wide = jnp.stack([widened(entered)] * 2)
            features, places = jax.vmap(decode)(wide, expected)
            readout, expected = (
                self._read_out(features[n], embedded, of_pass(places, n), dropout, weights)
                for n in (0, 1)
            )
            places = of_pass(places, 0)
            drawn = Drawn(places.log_probability, places.entropy, expected.features)
            readout = readout._replace(drawn=drawn)
        if not self.doubly_stochastic:
            return readout
        exists = jnp.ones(len(embedded), bool) if valid is None else valid
        penalty = self._penalty(places.weights, exists, encoded.valid)
        return readout._replace(losses={"coverage": penalty})

    def _noise(self, rng, length, source):
        """Returns the noise [T, K] of hard attention, or None."""
        return None if self.hard is None else gumbel(rng, (length, len(source.memory.valid)))

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
        noise = Noise(keep, None if self.hard is None else self._noise(None, 1, source)[0])
        entered = self.cells.enter(embedded)
        state, features, place = self.variant.step(self.cells, source, state, entered, noise)
        return state, self._read_out(features, embedded, place, Dropout(None, None), weights)

    def _read_out(self, features, embedded, place, dropout, weights):
        """place: of one or of all positions."""
        read_out = self.variant.readout(self.sizes)
        readout = read_out(self.cells.params["readout"], features, embedded)
        # One head: [H, T, K], or [H, K] of one step.
        shown = {"cross/0": place.weights[None]} if weights and place is not None else {}
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
    readout: str = "tanh",
    initial_memory: bool = False,
    doubly_stochastic: float = 0.0,
    hard: bool = False,
    hard_expected: float = 1.0,
    hard_reinforce: float = 1.0,
    hard_entropy: float = 0.01,
    recompute: bool = False,
) -> Recurrent:
    """Returns a recurrent decoder of that variant.

    source: features of the source's states. attention: unused by `fixed`. embedding: E; hidden: N of the decoder's
    states. positions: the number of source states for which a score that is indexed by position (location) has
    entries. input_feeding: of `luong` alone, whether the lowest cell reads h~_{t−1} (§3.3 there). gate: of `bahdanau`
    alone, whether the context is scaled by a number that the state decides. readout: of `bahdanau` and `fixed`, a name in
    READOUTS. initial_memory: whether the memory c_0 of an LSTM is made from the source as s_0 is, rather than 0 (Xu et
    al. 2015, §3.1.2). doubly_stochastic: the weight λ of a penalty that is added to the cross-entropy of each target.
    hard: whether each step reads one place, drawn from the weights in training and the likeliest otherwise;
    hard_expected, hard_reinforce, hard_entropy: as in `Hard`. recompute: whether activations of a step are computed again
    in the backward pass rather than stored (Chen et al. 2016). Raises ValueError if there is no source, a name is
    unknown, the attention is defined within one sequence only, or the decoder or its cell has no place for an option.
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
    if readout != "tanh" and not variant.deep:
        raise ValueError(
            f"readout={readout}: decoder {variant.name} has a readout of its own, which is a tanh"
        )
    if initial_memory and not look_up("cell", CELLS, cell).memory:
        raise ValueError(
            f"initial_memory={initial_memory}: cell {cell} has no memory; lstm has one"
        )
    for option, value in {"doubly_stochastic": doubly_stochastic, "hard": hard}.items():
        if value and not variant.attends:
            raise ValueError(f"{option}={value}: decoder {variant.name} attends to nothing")
    look_up("readout", READOUTS, readout)
    sizes = Sizes(hidden, source, embedding, input_feeding, gate, readout)
    chosen = look_up("cell", CELLS, cell)
    draws = Hard(hard_expected, hard_reinforce, hard_entropy) if hard else None
    numbers = layers, positions, recompute, initial_memory, doubly_stochastic, draws
    return Recurrent(variant, chosen, attention, sizes, *numbers)
