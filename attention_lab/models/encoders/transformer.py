"""The Transformer's encoder (Vaswani et al. 2017, §3.1), with any score in its self-attention.

It reads tokens; frames, which convolutions shorten; or patches of an image (Dosovitskiy et al. 2021).
"""

from functools import partial
from typing import Any

import jax.numpy as jnp

from attention_lab.mechanism import Attention, choose
from attention_lab.mechanism.contracts import Array, Dims, Encoding, Params
from attention_lab.models.base import Dropout, Encoded, least
from attention_lab.models.convolutions import Front, Patches, make_front, sequence
from attention_lab.models.encoders.contract import Encoder
from attention_lab.models.layers import (
    EncoderLayer,
    embedding_norm,
    final_norm,
    init_shared_bias,
    run_layer,
)
from attention_lab.models.places import encode_cells, encode_positions, init_cells
from attention_lab.models.shape import Shape, deviations, make_shape, rescaled
from attention_lab.padded import Padded


class Transformer(Encoder):
    """Layers of self-attention; the summary is the mean of the highest layer's states."""

    attention: Attention
    encoding: Encoding
    layers: int
    shape: Shape
    recompute: bool
    front: Front | None = None

    @property
    def label(self) -> str:
        """What it reads, and the score."""
        kind = "patches" if self.reads == "image" else "transformer"
        return f"{kind}({self.attention.score.name})"

    @property
    def embedding(self) -> int | None:
        """D: embeddings are as wide as states; None: it reads no tokens."""
        return None if self.front else self.shape.features

    @property
    def reads(self) -> str:
        """The kind of its source."""
        return self.front.reads if self.front else "tokens"

    @property
    def stride(self) -> int:
        """The positions of the source, along each axis, that one state replaces."""
        return self.front.stride if self.front else 1

    @property
    def features(self) -> int:
        """D."""
        return self.shape.features

    def setup(self) -> None:
        """Makes the layers."""
        shape, initial = self.shape, deviations(self.shape, 2 * self.layers)
        dims = Dims(shape.features, shape.features, positions=shape.positions)
        by_cell = init_cells(self.encoding, shape.features, shape.positions)

        def init_positions(rng):
            params = by_cell(rng) if self.reads == "image" else self.encoding.init(rng, dims)
            return rescaled(params, initial.others, shape.features)

        if self.front:
            self.entry = self.front.make(shape.features)

        self.positions = self.param("positions", init_positions)
        self.bias = None
        if shape.shared_bias:
            self.bias = self.param("bias", init_shared_bias, self.attention, shape)
        self.layer = [EncoderLayer(self.attention, shape, initial) for _ in range(self.layers)]
        self.embedding_norm, self.norm = embedding_norm(shape), final_norm(shape)

    def __call__(self, source: Padded, dropout: Dropout, weights: bool = False) -> Encoded:
        """source: embeddings [K, D]; frames [L, F] or an image [Y, X, C], of which K states remain.

        Returns K states, and the weights of "encoder/0", .. [H, K, K].
        """
        if self.front:
            source = self.entry(source, dropout)
        if source.valid.ndim > 1:
            cells = encode_cells(self.encoding, self.positions, source.values)
            source = sequence(source._replace(values=cells))
            x = source.values
        else:
            positions = jnp.arange(len(source.valid))
            x = encode_positions(self.encoding, self.positions, source.values, positions)
        x = dropout(self.embedding_norm(x).astype(x.dtype))
        seen: dict[str, Any] = {}
        for number, layer in enumerate(self.layer):
            inputs = {"valid": source.valid, "weights": weights, "bias": self.bias}
            x, seen[f"encoder/{number}"] = run_layer(layer, x, dropout, self.recompute, **inputs)
        x = self.norm(x).astype(x.dtype)
        return Encoded(x, source.valid, mean(x, source.valid), seen if weights else {})

    def limit(self, params: Params) -> int | None:
        """Returns the length of the tables of positions and of scores, if they have one."""
        first = params.get("layer_0")  # all layers have the same shapes
        score = (
            self.attention.score.limit(first["attend"]["heads"]["attention"]["score"])
            if first
            else None
        )
        own = None if self.reads == "image" else self.encoding.limit(params["positions"])
        return least(own, score)


def mean(states: Array, valid: Array) -> Array:
    """Returns the mean [D] of the valid states [K, D], accumulated in float32 at least; 0 where none is valid."""
    wide = jnp.promote_types(states.dtype, jnp.float32)
    total = jnp.sum(jnp.where(valid[:, None], states, 0), axis=0, dtype=wide)
    return (total / jnp.maximum(valid.sum(), 1)).astype(states.dtype)


def transformer(
    *,
    attention: Attention = Attention(),
    encoding: str = "sinusoidal",
    layers: int = 6,
    recompute: bool = False,
    reads: str = "tokens",
    stride: int = 4,
    **shape: Any,
) -> Transformer:
    """Returns a Transformer encoder; by default that of the base model of Vaswani et al. 2017.

    recompute: whether activations inside a layer are computed again in the backward pass rather than stored (Chen et
    al. 2016), on accelerators; XLA on CPU removes the recomputation. reads: "tokens", or "frames", of which convolutions
    leave one in `stride`. shape: fields of `Shape`. Raises ValueError if a name is unknown, or stride is not a power of two.
    """
    front = None if reads == "tokens" else make_front(reads, stride)
    chosen = choose("encoding", encoding)
    return Transformer(attention, chosen, layers, make_shape(**shape), recompute, front)


def patches(
    *,
    attention: Attention = Attention(),
    encoding: str = "sinusoidal",
    layers: int = 6,
    recompute: bool = False,
    stride: int = 8,
    **shape: Any,
) -> Transformer:
    """Returns a Transformer over patches of an image, each of `stride` x `stride` pixels.

    encoding: of rows and columns, in half of the features each. The others are those of `transformer`.
    """
    front = Front("image", stride, partial(Patches, stride=stride))
    chosen = choose("encoding", encoding)
    return Transformer(attention, chosen, layers, make_shape(**shape), recompute, front)
