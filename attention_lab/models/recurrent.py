"""RNN encoder-decoders: with a fixed context (2014), with Bahdanau's attention and with Luong's (2015).

h_j = [h→_j; h←_j]                  the encoder reads the source in both directions
s_t = f([y_{t−1}; ..], s_{t−1})     the decoder: timings.py says what the dots are
p(y_t) = softmax(W r_t)             from its readout r_t
"""

import functools
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from attention_lab.marks import PAD
from attention_lab.mechanism import Attention, Dims, init_attention, remember
from attention_lab.mechanism.contracts import Array, matmul
from attention_lab.mechanism.feedback import no_feedback
from attention_lab.mechanism.legality import Request, why_not
from attention_lab.mechanism.scores import additive
from attention_lab.models.base import (
    Limits,
    Model,
    Noise,
    Output,
    from_module,
    look_up,
    shift_right,
    widened,
)
from attention_lab.models.cells import CELLS, Cell, bidirectional, init_bidirectional
from attention_lab.models.embeddings import Embeddings
from attention_lab.models.timings import (
    TIMINGS,
    Decoder,
    Sizes,
    Source,
    State,
    Timing,
    none,
    weights_init,
)


class Recurrent(nn.Module):
    """The parameters of an RNN encoder-decoder, and what is computed with them for one sentence."""

    source_vocabulary: int
    target_vocabulary: int
    cell: Cell
    timing: Timing
    attention: Attention | None
    sizes: Sizes
    layers: int
    positions: int
    tie: str
    recompute: bool

    def setup(self) -> None:
        """Makes the parameters."""
        sizes, cell = self.sizes, self.cell
        half = sizes.memory // 2
        self.embeddings = Embeddings(
            self.source_vocabulary, self.target_vocabulary, sizes.embedding, self.tie
        )
        self.encoder = [
            self.param(
                f"encoder_{layer}",
                partial(init_bidirectional, cell),
                sizes.memory if layer else sizes.embedding,
                half,
            )
            for layer in range(self.layers)
        ]
        self.bridge = self.param("bridge", weights_init, (sizes.memory, self.layers * sizes.state))
        lowest = sizes.embedding + self.timing.extra(sizes)
        cells = [
            self.param(f"decoder_{layer}", cell.init, sizes.state if layer else lowest, sizes.state)
            for layer in range(self.layers)
        ]
        params = {"cells": cells, "timing": self.param("timing", self.timing.init, sizes)}
        if self.attention is not None:
            dims = Dims(sizes.state, sizes.memory, sizes.state, positions=self.positions)
            params["attention"] = self.param(
                "attention", partial(init_attention, self.attention), dims
            )
        self.decoder = Decoder(cell, self.attention, params)

    def encode(self, source: Array, noise: Noise, dtype: Any = None) -> tuple[Source, State]:
        """The source [K], read; and the state before the first word, s_0 = tanh(W [h→_K; h←_1])."""
        valid = source != PAD
        x = noise(self.embeddings.of_source(source, dtype))
        for number, params in enumerate(self.encoder):
            x, summary = bidirectional(self.cell, params, noise(x) if number else x, valid)
        memory, feedback = None, ()
        if self.attention is not None:
            params = self.decoder.params["attention"]
            memory = remember(self.attention, params, x, x, valid)
            feedback = self.attention.feedback.start(params["feedback"], memory)
        first = jnp.split(jnp.tanh(matmul(summary, self.bridge, x.dtype)), self.layers)
        state = State(
            layers=tuple(self.cell.start(h) for h in first),
            fed=jnp.zeros(self.timing.fed(self.sizes), x.dtype),
            feedback=feedback,
            position=jnp.zeros((), int),
        )
        return Source(memory, summary), state

    def __call__(
        self, source: Array, target: Array, noise: Noise, weights: bool = False, dtype: Any = None
    ) -> Output:
        """Teacher forcing: the output at every position of target [T]."""
        read, state = self.encode(source, noise, dtype)
        embedded = noise(self.embeddings.of_target(shift_right(target), dtype))
        keep = noise(jnp.ones((target.size, self.layers - 1, self.sizes.state), embedded.dtype))

        kept = widened(read)

        def one(state, inputs):
            source = jax.tree.map(lambda wide, narrow: wide.astype(narrow.dtype), kept, read)
            state, features, row = self.timing.step(self.decoder, source, state, *inputs)
            return state, (features, row)

        entered = jax.vmap(self.decoder.enter)(embedded)
        if self.recompute:  # else each step's scores are kept for the backward pass
            one = jax.checkpoint(one, prevent_cse=False)
        _, (features, rows) = jax.lax.scan(one, state, (entered, keep))
        return self.read_out(features, embedded, rows, noise, weights)

    def start(self, source: Array, length: int) -> tuple[Source, State]:
        """The source, read, and the state before the first word; any length of target fits it."""
        del length
        return self.encode(source, Noise(None, None))

    def step(
        self, read: Source, state: State, token: Array, weights: bool = False
    ) -> tuple[State, Output]:
        """The output after one more target token []."""
        embedded = self.embeddings.of_target(token)
        keep = jnp.ones((self.layers - 1, self.sizes.state), embedded.dtype)
        entered = self.decoder.enter(embedded)
        state, features, row = self.timing.step(self.decoder, read, state, entered, keep)
        return state, self.read_out(features, embedded, row, Noise(None, None), weights)

    def read_out(self, features, embedded, rows, noise, weights) -> Output:
        """Logits from the features of one or all positions; rows: their weights [.., K]."""
        readout = self.timing.readout(self.decoder.params["timing"], features, embedded)
        logits = self.embeddings.logits(noise(readout))
        if not weights:
            return Output(logits)
        # One head: [H, T, K], or [H, K] of one step.
        return Output(logits, {} if rows is None else {"cross/0": rows[None]})


@functools.cache
def recurrent(
    source_vocabulary: int,
    target_vocabulary: int,
    *,
    cell: str = "gru",
    timing: str = "bahdanau",
    input_feeding: bool = True,
    attention: Attention = Attention(score=additive),
    embedding: int = 256,
    hidden: int = 256,
    memory: int | None = None,
    layers: int = 1,
    tie: str = "nothing",
    positions: int = 512,
    recompute: bool = False,
) -> Model:
    """An RNN encoder-decoder.

    hidden: N of the decoder's states; memory: features of h_j, both directions together, by default N, so
    that every score can compare the two. attention: unused where timing is "none". input_feeding: of
    timing "luong". positions: how many source positions a score that counts them (location) can tell apart.
    recompute: a decoder step's insides are made again in the backward pass, not kept for it (Chen et al. 2016).
    Raises ValueError where a name is unknown, the memory odd, or the attention not one of another sequence.
    """
    memory = hidden if memory is None else memory
    if memory % 2:
        raise ValueError(f"memory={memory} is for two directions, and must be even")
    # The decoder asks another sequence, step by step: what holds for cross-attention, and feedback too.
    reason = why_not(attention._replace(feedback=no_feedback), Request("cross"))
    if reason is not None:
        raise ValueError(f"recurrent decoder: {reason}")
    chosen = look_up("timing", TIMINGS, timing)
    model = from_module(
        f"recurrent({cell}, {timing})",
        Recurrent(
            source_vocabulary=source_vocabulary,
            target_vocabulary=target_vocabulary,
            cell=look_up("cell", CELLS, cell),
            timing=chosen(input_feeding) if timing == "luong" else chosen,
            attention=None if chosen is none else attention,
            sizes=Sizes(hidden, memory, embedding),
            layers=layers,
            positions=positions,
            tie=tie,
            recompute=recompute,
        ),
    )

    def limits(params):
        return Limits(source=attention.score.limit(params["attention"]["score"]))

    return model if chosen is none else model._replace(limits=limits)
