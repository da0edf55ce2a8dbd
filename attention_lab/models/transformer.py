"""The Transformer encoder-decoder (Vaswani et al. 2017), with any score in each of its three attentions.

layers.py holds what an encoder or decoder layer does; here they are stacked, for one sentence, with all
target positions at once or one by one.
"""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn

from attention_lab.marks import PAD
from attention_lab.mechanism import Attention, Memory, choose
from attention_lab.mechanism.contracts import Array, Dims, Encoding
from attention_lab.mechanism.masks import both, causal, everything
from attention_lab.models.base import (
    Limits,
    Model,
    Noise,
    Output,
    from_module,
    least,
    look_up,
    shift_right,
)
from attention_lab.models.embeddings import Embeddings
from attention_lab.models.layers import (
    ACTIVATIONS,
    NORMS,
    DecoderLayer,
    EncoderLayer,
    Shape,
    matrices,
)


class State(NamedTuple):
    """What the decoder carries: a cache for each layer, and how many tokens it holds."""

    caches: tuple[Memory, ...]
    position: Array


class Transformer(nn.Module):
    """The parameters of an encoder-decoder, and what is computed with them for one sentence."""

    source_vocabulary: int
    target_vocabulary: int
    encoder_attention: Attention
    decoder_attention: Attention
    cross_attention: Attention
    encoding: Encoding
    encoder_layers: int
    decoder_layers: int
    shape: Shape
    tie: str
    recompute: bool

    def setup(self) -> None:
        """Makes the layers."""
        shape = self.shape
        self.embeddings = Embeddings(
            self.source_vocabulary, self.target_vocabulary, shape.features, self.tie
        )
        dims = Dims(shape.features, shape.features, positions=shape.positions)
        self.source_encoding = self.param("source_encoding", self.encoding.init, dims)
        self.target_encoding = self.param("target_encoding", self.encoding.init, dims)
        self.encoder = [
            EncoderLayer(self.encoder_attention, shape) for _ in range(self.encoder_layers)
        ]
        self.decoder = [
            DecoderLayer(self.decoder_attention, self.cross_attention, shape)
            for _ in range(self.decoder_layers)
        ]
        # Before a "pre" layer everything is a plain sum, which has to be normalized in the end.
        last = nn.LayerNorm if shape.norm == "pre" else (lambda: lambda x: x)
        self.encoder_norm, self.decoder_norm = last(), last()

    def place(self, params, embedded: Array, positions: Array) -> Array:
        """Embeddings [L, D], told where they stand. Raises ValueError where the table of positions is too short."""
        limit = self.encoding.limit(params)
        if limit is not None and len(embedded) > limit:
            raise ValueError(
                f"{self.encoding.name} tells {limit} positions apart, but there are {len(embedded)} tokens; make the "
                f"model with positions={len(embedded)} or more"
            )
        return jax.vmap(self.encoding.encode, (None, 0, 0))(params, embedded, positions)

    def encode(self, source: Array, noise: Noise, weights: bool, dtype: Any = None):
        """The source's memory in every decoder layer, and the encoder's weights by place."""
        valid = source != PAD
        embedded = self.embeddings.of_source(source, dtype)
        x = noise(self.place(self.source_encoding, embedded, jnp.arange(source.size)))
        seen = {}
        for number, layer in enumerate(self.encoder):
            x, seen[f"encoder/{number}"] = self.through(
                layer, x, noise, valid=valid, weights=weights
            )
        x = self.encoder_norm(x).astype(x.dtype)
        return tuple(layer.remember_source(x, valid) for layer in self.decoder), seen

    def decode(self, embedded, positions, sources, noise, weights, caches=None, position=None):
        """Logits of embedded [Q, D], the decoder's weights by place, and the longer caches."""
        x = noise(self.place(self.target_encoding, embedded, positions))
        seen, longer = {}, []
        for number, (layer, source) in enumerate(zip(self.decoder, sources, strict=True)):
            past = None if caches is None else caches[number]
            given = {"source": source, "weights": weights, "past": past, "position": position}
            x, (own, cross), past = self.through(layer, x, noise, **given)
            seen[f"decoder/{number}"], seen[f"cross/{number}"] = own, cross
            longer.append(past)
        return self.embeddings.logits(self.decoder_norm(x).astype(x.dtype)), seen, tuple(longer)

    def through(self, layer: nn.Module, x: Array, noise: Noise, **given: Any) -> Any:
        """layer(x, ..); where it is to `recompute`, all that is kept of it for the backward pass is x."""
        if not self.recompute:
            return layer(x, noise=noise, **given)

        def pure(layer, x, rng):
            inside = noise.going_on_from(rng)
            return layer(x, noise=inside, **given), inside.rng

        told, noise.rng = nn.remat(pure)(layer, x, noise.rng)
        return told

    def __call__(
        self, source: Array, target: Array, noise: Noise, weights: bool = False, dtype: Any = None
    ) -> Output:
        """Teacher forcing: the output at every position of target [T]."""
        sources, seen = self.encode(source, noise, weights, dtype)
        embedded = self.embeddings.of_target(shift_right(target), dtype)
        positions = jnp.arange(target.size)
        logits, also_seen, _ = self.decode(embedded, positions, sources, noise, weights)
        return Output(logits, {**seen, **also_seen} if weights else None)

    def start(self, source: Array, length: int):
        """The source's memories, and empty caches for `length` target tokens."""
        sources, _ = self.encode(source, Noise(None, None), False)
        dtype = sources[0].values.dtype
        caches = tuple(layer.no_past(length, dtype) for layer in self.decoder)
        return sources, State(caches, jnp.zeros((), int))

    def step(self, sources, state: State, token: Array, weights: bool = False):
        """The output after one more target token []."""
        embedded = self.embeddings.of_target(token[None])
        here = state.position
        logits, seen, caches = self.decode(
            embedded, here[None], sources, Noise(None, None), weights, state.caches, here
        )
        rows = {place: matrix[:, 0] for place, matrix in seen.items()} if weights else None
        return State(caches, here + 1), Output(logits[0], rows)


@functools.cache
def transformer(
    source_vocabulary: int,
    target_vocabulary: int,
    *,
    encoder: Attention = Attention(),
    decoder: Attention = Attention(),
    cross: Attention = Attention(),
    encoding: str = "sinusoidal",
    features: int = 512,
    heads: int = 8,
    key_value_heads: int | None = None,
    key_size: int | None = None,
    value_size: int | None = None,
    feed_forward: int = 2048,
    layers: int = 6,
    decoder_layers: int | None = None,
    activation: str = "relu",
    norm: str = "post",
    tie: str = "all",
    attention_dropout: bool = False,
    positions: int = 512,
    recompute: bool = False,
) -> Model:
    """A Transformer; the defaults are the base model of Vaswani et al. 2017.

    encoder, decoder, cross: the three attentions; the decoder's is made causal. key_value_heads: fewer
    than heads for grouped queries. key_size, value_size: d_k and d_v of a head. positions: the longest sentence of
    learned positions and of scores that count them. attention_dropout: drop weights too, which the paper
    does not. recompute: a layer's insides are made again in the backward pass, not kept for it (Chen et al. 2016),
    on accelerators; XLA on CPU sees through that. Raises ValueError where a name is unknown or sizes do not divide.
    """
    if norm not in NORMS:
        raise ValueError(f"norm={norm!r} is not one of {', '.join(NORMS)}")
    look_up("activation", ACTIVATIONS, activation)
    mask = causal if decoder.mask is everything else both(causal, decoder.mask)
    model = from_module(
        f"transformer({encoder.score.name}, {decoder.score.name}, {cross.score.name})",
        Transformer(
            source_vocabulary=source_vocabulary,
            target_vocabulary=target_vocabulary,
            encoder_attention=encoder,
            decoder_attention=decoder._replace(mask=mask),
            cross_attention=cross,
            encoding=choose("encoding", encoding),
            encoder_layers=layers,
            decoder_layers=layers if decoder_layers is None else decoder_layers,
            shape=Shape(
                features=features,
                heads=heads,
                key_value_heads=heads if key_value_heads is None else key_value_heads,
                key_size=key_size,
                value_size=value_size,
                feed_forward=feed_forward,
                activation=activation,
                norm=norm,
                positions=positions,
                attention_dropout=attention_dropout,
            ),
            tie=tie,
            recompute=recompute,
        ),
    )

    def limits(params):
        def positions(side):
            return choose("encoding", encoding).limit(params[f"{side}_encoding"])

        def keys(score, stack, sublayer):
            layer = params.get(f"{stack}_0")  # all layers of a stack are alike
            return layer and score.limit(layer[sublayer]["heads"]["attention"]["score"])

        return Limits(
            least(
                positions("source"),
                keys(encoder.score, "encoder", "attend"),
                keys(cross.score, "decoder", "attend_source"),
            ),
            least(positions("target"), keys(decoder.score, "decoder", "attend_past")),
        )

    return model._replace(matrices=matrices, limits=limits)
