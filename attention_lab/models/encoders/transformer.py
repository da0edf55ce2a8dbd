"""The Transformer's encoder (Vaswani et al. 2017, §3.1), with any score in its self-attention."""

from typing import Any

import jax.numpy as jnp
from flax import linen as nn

from attention_lab.mechanism import Attention, choose
from attention_lab.mechanism.contracts import Array, Dims, Encoding, Params
from attention_lab.models.base import Dropout, Encoded, least
from attention_lab.models.layers import (
    EncoderLayer,
    embedding_norm,
    encode_positions,
    final_norm,
    init_shared_bias,
    run_layer,
)
from attention_lab.models.shape import Shape, deviations, make_shape, rescaled
from attention_lab.padded import Padded


class Transformer(nn.Module):
    """Layers of self-attention; the summary is the mean of the highest layer's states."""

    attention: Attention
    encoding: Encoding
    layers: int
    shape: Shape
    recompute: bool

    @property
    def label(self) -> str:
        """The score."""
        return f"transformer({self.attention.score.name})"

    @property
    def embedding(self) -> int:
        """D: embeddings are as wide as states."""
        return self.shape.features

    @property
    def features(self) -> int:
        """D."""
        return self.shape.features

    def setup(self) -> None:
        """Makes the layers."""
        shape, initial = self.shape, deviations(self.shape, 2 * self.layers)
        dims = Dims(shape.features, shape.features, positions=shape.positions)

        def init_positions(rng):
            return rescaled(self.encoding.init(rng, dims), initial.others, shape.features)

        self.positions = self.param("positions", init_positions)
        self.bias = None
        if shape.shared_bias:
            self.bias = self.param("bias", init_shared_bias, self.attention, shape)
        self.layer = [EncoderLayer(self.attention, shape, initial) for _ in range(self.layers)]
        self.embedding_norm, self.norm = embedding_norm(shape), final_norm(shape)

    def __call__(self, source: Padded, dropout: Dropout, weights: bool = False) -> Encoded:
        """source: embeddings [K, D]. Returns K states, and the weights of "encoder/0", .. [H, K, K]."""
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
        return least(self.encoding.limit(params["positions"]), score)


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
    **shape: Any,
) -> Transformer:
    """Returns a Transformer encoder; by default that of the base model of Vaswani et al. 2017.

    recompute: whether activations inside a layer are computed again in the backward pass rather than stored (Chen et
    al. 2016), on accelerators; XLA on CPU removes the recomputation. shape: fields of `Shape`. Raises ValueError if a name is unknown.
    """
    return Transformer(
        attention, choose("encoding", encoding), layers, make_shape(**shape), recompute
    )
