"""The model of an encoder and a decoder: embeddings below both, logits above the decoder."""

from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from attention_lab.mechanism.contracts import Array
from attention_lab.models.base import (
    Dropout,
    Encoded,
    Limits,
    Model,
    Output,
    Readout,
    Source,
    blank,
    least,
    matrices,
    shift_right,
    starts_of,
)
from attention_lab.models.decoders.hard import losses
from attention_lab.models.embeddings import Embeddings, Scales
from attention_lab.padded import Padded


class EncoderDecoder(nn.Module):
    """The parameters of encoder and decoder, and the computation for one example."""

    encoder: nn.Module
    decoder: nn.Module
    source_vocabulary: int
    target_vocabulary: int
    tie: str
    scales: Scales

    def setup(self) -> None:
        """Makes the embeddings."""
        self.embeddings = Embeddings(
            self.source_vocabulary,
            self.target_vocabulary,
            self.encoder.embedding,
            self.decoder.embedding,
            self.tie,
            self.scales,
        )

    def encode(self, source: Padded, dropout: Dropout, weights: bool, dtype: Any = None) -> Encoded:
        """Returns the encoded source, whose tokens are embedded first."""
        kind = self.embeddings.dtype if dtype is None else dtype
        if self.encoder.embedding is not None:
            source = source._replace(values=self.embeddings.of_source(source.values, dtype))
        else:
            source = source._replace(values=source.values.astype(kind))
        encoded = self.encoder(source, dropout, weights)
        return encoded._replace(states=encoded.states.astype(kind))

    def __call__(
        self,
        source: Padded,
        target: Padded,
        dropout: Dropout,
        weights: bool = False,
        dtype: Any = None,
        inputs: Array | None = None,
        segments: Array | None = None,
    ) -> Output:
        """Returns the output at every position of target [T], by teacher forcing. inputs, segments: as in `Model`."""
        encoded = self.encode(source, dropout, weights, dtype)
        starts = None if segments is None else starts_of(segments)
        inputs = shift_right(target.values, starts) if inputs is None else inputs
        embedded = self.embeddings.of_target(inputs, dtype)
        readout = self.decoder(encoded, embedded, dropout, weights, starts, target.valid)
        output = self._output(readout, weights, encoded.weights)
        if readout.drawn is None:
            return output
        expected = self.embeddings.logits(readout.drawn.expected)
        added = losses(self.decoder.hard, readout.drawn, output.logits, expected, target)
        return output._replace(losses={**(output.losses or {}), **added})

    def start(self, source: Padded, length: int) -> tuple[Source, Any]:
        """Returns the encoded source as the decoder stores it, and the state before the first of `length` tokens."""
        encoded = self.encode(source, Dropout(None, None), False)
        memory, state = self.decoder.start(encoded, length)
        return Source(memory, encoded.valid), state

    def step(
        self, source: Source, state: Any, token: Array, weights: bool = False
    ) -> tuple[Any, Output]:
        """Returns the next state, and the output after one more target token []."""
        embedded = self.embeddings.of_target(token)
        state, readout = self.decoder.step(source.memory, state, embedded, weights)
        return state, self._output(readout, weights, {})

    def _output(self, readout: Readout, weights: bool, also: dict[str, Array]) -> Output:
        logits = self.embeddings.logits(readout.features)
        seen = {**also, **readout.weights} if weights else None
        return Output(logits, seen, readout.losses)


def make_encoder_decoder(
    encoder: Any,
    decoder: Any,
    source_size: int,
    target_vocabulary: int,
    tie: str,
    scales: Scales = Scales(),
) -> Model:
    """Returns the `Model` of an encoder and a decoder, which are modules made by `ENCODERS` and `DECODERS`.

    source_size: the number of source tokens, or of features of a frame, or of channels of an image. Raises ValueError if they share a table of embeddings (tie="all" or "inputs") and differ in its features.
    """
    widths = encoder.embedding, decoder.embedding
    if tie in ("all", "inputs") and None not in widths and widths[0] != widths[1]:
        raise ValueError(
            f"tie={tie!r} shares one table of embeddings, but the encoder's have {widths[0]} features and the "
            f"decoder's {widths[1]}; make them equal, or choose tie='output'"
        )
    module = EncoderDecoder(encoder, decoder, source_size, target_vocabulary, tie, scales)

    def blank_source():
        return blank(encoder.reads, source_size)

    @jax.jit  # so that the forward pass, whose result is not used, is not computed
    def init(rng):
        one = Padded(jnp.zeros(1, int), jnp.ones(1, bool))
        return module.init(rng, blank_source(), one, Dropout(None, None))["params"]

    def apply(params, example, *, rng=None, hyper=None, weights=False, dtype=None):
        sides = _padded(example["source"]), _padded(example["target"])
        given = {name: _by_position(name, example) for name in ("inputs", "segments")}
        return module.apply(
            {"params": params}, *sides, Dropout(rng, hyper), weights, dtype, **given
        )

    def start(params, source, length):
        return module.apply({"params": params}, _padded(source), length, method="start")

    def step(params, source, state, token, *, weights=False):
        return module.apply({"params": params}, source, state, token, weights, method="step")

    def limits(params):
        read = params.get("encoder", {})
        states = encoder.limit(read), decoder.source_limit(params["decoder"])
        target = decoder.target_limit(params["decoder"])
        return Limits(least(*states), target, encoder.stride)

    name = f"{encoder.label}, {decoder.label}"
    kind = encoder.reads, encoder.stride, getattr(decoder, "hard", None) is not None
    return Model(name, init, apply, start, step, matrices, limits, blank_source, *kind)


def _padded(sequence: Any) -> Padded:
    """Returns the sequence. Raises ValueError if it is not `Padded`, so that its valid positions are unknown."""
    if not isinstance(sequence, Padded):
        raise ValueError(
            "sources and targets must be Padded(values, valid), where valid is True for the positions that exist, but "
            f"{type(sequence).__name__} was given"
        )
    return sequence


def _by_position(name: str, example: Any) -> Any:
    """Returns what an example has by that name for each target position, or None. Raises ValueError if lengths differ."""
    values = example.get(name)
    if values is not None and jnp.shape(values) != (length := jnp.shape(example["target"].valid)):
        raise ValueError(
            f"{name} must have one number for each position of the target, {length}, but has the shape "
            f"{jnp.shape(values)}"
        )
    return values
