"""The Transformer's decoder (Vaswani et al. 2017, §3.1), with any score in its two attentions.

Without a source it is a language model: causal self-attention and feed-forward.
"""

from typing import Any, NamedTuple

import jax.numpy as jnp
from flax import linen as nn

from attention_lab.mechanism import Attention, Memory, choose
from attention_lab.mechanism.contracts import Array, Dims, Encoding, Params
from attention_lab.mechanism.masks import both, causal, everything
from attention_lab.models.base import Dropout, Encoded, Readout, least, restarted
from attention_lab.models.layers import (
    DecoderLayer,
    embedding_norm,
    final_norm,
    init_shared_bias,
    run_layer,
)
from attention_lab.models.places import encode_positions
from attention_lab.models.shape import Shape, deviations, make_shape, rescaled


class State(NamedTuple):
    """The state of the decoder: a cache for each layer, and the number of tokens in it."""

    caches: tuple[Memory, ...]
    position: Array


class Transformer(nn.Module):
    """Layers of causal self-attention, cross-attention if there is a source, and feed-forward."""

    attention: Attention
    cross: Attention
    encoding: Encoding
    layers: int
    shape: Shape
    source: int | None
    recompute: bool

    @property
    def label(self) -> str:
        """The scores."""
        scores = (
            self.attention.score.name,
            *([] if self.source is None else [self.cross.score.name]),
        )
        return f"transformer({', '.join(scores)})"

    @property
    def embedding(self) -> int:
        """D: embeddings are as wide as states."""
        return self.shape.features

    def setup(self) -> None:
        """Makes the layers."""
        shape, sublayers = self.shape, 2 if self.source is None else 3
        initial = deviations(shape, sublayers * self.layers)
        dims = Dims(shape.features, shape.features, positions=shape.positions)

        def init_positions(rng):
            return rescaled(self.encoding.init(rng, dims), initial.others, shape.features)

        self.positions = self.param("positions", init_positions)
        self.bias = None
        if shape.shared_bias:
            self.bias = self.param("bias", init_shared_bias, self.attention, shape)
        self.layer = [
            DecoderLayer(self.attention, self.cross, shape, initial, self.source)
            for _ in range(self.layers)
        ]
        self.embedding_norm, self.norm = embedding_norm(shape), final_norm(shape)

    def remember(self, encoded: Encoded) -> tuple[Memory | None, ...]:
        """Returns the source's memory in every layer."""
        return tuple(layer.remember_source(encoded.states, encoded.valid) for layer in self.layer)

    def start(self, encoded: Encoded, length: int) -> tuple[tuple[Memory | None, ...], State]:
        """Returns the source's memories, and empty caches for `length` tokens."""
        dtype = encoded.states.dtype
        caches = tuple(layer.no_past(length, dtype) for layer in self.layer)
        return self.remember(encoded), State(caches, jnp.zeros((), int))

    def __call__(
        self,
        encoded: Encoded,
        embedded: Array,
        dropout: Dropout,
        weights: bool,
        starts: Array | None = None,
        valid: Array | None = None,
    ) -> Readout:
        """Returns the readout for each of the previous tokens, embedded [T, D], by teacher forcing.

        valid: not read, since causal attention does not see the padding after a target. starts: where a document starts, bool[T], if there are several; a token attends to those of its own alone.
        """
        del valid
        positions, packed = jnp.arange(len(embedded)), {}
        if starts is not None:
            positions = restarted(starts)
            packed = {"positions": positions, "segments": jnp.cumsum(starts)}
        sources = self.remember(encoded)
        return self._run(sources, embedded, positions, dropout, weights, packed)[0]

    def step(
        self, sources: Any, state: State, embedded: Array, weights: bool
    ) -> tuple[State, Readout]:
        """Returns the next state, and the readout after one more token, embedded [D]."""
        here, nothing = state.position[None], Dropout(None, None)
        readout, caches = self._run(
            sources, embedded[None], here, nothing, weights, {"positions": here}, state.caches
        )
        rows = {layer: matrix[:, 0] for layer, matrix in readout.weights.items()}
        return State(caches, state.position + 1), Readout(readout.features[0], rows)

    def _run(self, sources, embedded, positions, dropout, weights, options, caches=None):
        """Returns the readout of embedded [Q, D], and the extended caches. options: as in `DecoderLayer`."""
        x = encode_positions(self.encoding, self.positions, embedded, positions)
        x = dropout(self.embedding_norm(x).astype(x.dtype))
        seen, longer = {}, []
        for number, (layer, source) in enumerate(zip(self.layer, sources, strict=True)):
            past = None if caches is None else caches[number]
            inputs = {"source": source, "weights": weights, "bias": self.bias, "past": past}
            x, (own, cross), past = run_layer(
                layer, x, dropout, self.recompute, **inputs, **options
            )
            seen[f"decoder/{number}"] = own
            if source is not None:
                seen[f"cross/{number}"] = cross
            longer.append(past)
        x = self.norm(x).astype(x.dtype)
        return Readout(x, seen if weights else {}), tuple(longer)

    def source_limit(self, params: Params) -> int | None:
        """Returns the number of source states for which the cross-attention's score has entries, None if unbounded."""
        return self._keys(params, self.cross, "attend_source")

    def target_limit(self, params: Params) -> int | None:
        """Returns the length of the tables of positions and of scores, if they have one."""
        keys = self._keys(params, self.attention, "attend_past")
        return least(self.encoding.limit(params["positions"]), keys)

    def _keys(self, params, attention, sublayer):
        first = params.get("layer_0", {}).get(sublayer)  # all layers have the same shapes
        return attention.score.limit(first["heads"]["attention"]["score"]) if first else None


def transformer(
    source: int | None,
    *,
    attention: Attention = Attention(),
    cross: Attention = Attention(),
    encoding: str = "sinusoidal",
    layers: int = 6,
    recompute: bool = False,
    **shape: Any,
) -> Transformer:
    """Returns a Transformer decoder; by default that of the base model of Vaswani et al. 2017.

    source: features of the source's states; None: there is none. attention: made causal; cross: unused without a
    source. recompute and shape: as in the encoder. Raises ValueError if a name is unknown.
    """
    mask = causal if attention.mask is everything else both(causal, attention.mask)
    return Transformer(
        attention._replace(mask=mask),
        cross,
        choose("encoding", encoding),
        layers,
        make_shape(**shape),
        source,
        recompute,
    )
