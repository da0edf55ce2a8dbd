"""The layers of a Transformer, for one sentence: sublayers with a residual connection and a norm.

encoder layer   x ← x + self(x);  x ← x + feed_forward(x)
decoder layer   x ← x + causal self(x);  x ← x + cross(x, encoder's x);  x ← x + feed_forward(x)
"""

from collections.abc import Callable
from functools import partial
from types import MappingProxyType
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn

from attention_lab.mechanism import (
    Attention,
    Dims,
    Memory,
    init_multi_head,
    multi_head,
    remember_heads,
)
from attention_lab.mechanism.contracts import Array, Encoding, Params
from attention_lab.models.base import HEADS, Dropout, affine, look_up

NORMS = ("pre", "post")
ACTIVATIONS = MappingProxyType({"relu": nn.relu, "gelu": nn.gelu, "swiglu": nn.silu})


class Shape(NamedTuple):
    """The sizes and options that all layers of a stack share.

    key_value_heads: fewer than heads for grouped queries; by default as many. key_size: d_k, by default features /
    heads; value_size: d_v, by default d_k. norm: "pre" normalizes the input of a sublayer, "post" the
    sum after it. positions: the length of tables of learned positions and of scores that are indexed by position.
    attention_dropout: whether weights are dropped too, which Vaswani et al. 2017 do not do.
    """

    features: int = 512
    heads: int = 8
    key_value_heads: int | None = None
    key_size: int | None = None
    value_size: int | None = None
    feed_forward: int = 2048
    activation: str = "relu"
    norm: str = "post"
    positions: int = 512
    attention_dropout: bool = False


def make_shape(**fields: Any) -> Shape:
    """Returns the `Shape` of these fields. Raises ValueError if the norm or the activation is unknown."""
    shape = Shape(**fields)
    if shape.norm not in NORMS:
        raise ValueError(f"norm={shape.norm!r} is not one of {', '.join(NORMS)}")
    look_up("activation", ACTIVATIONS, shape.activation)
    return shape


class Attend(nn.Module):
    """Multi-head attention with its parameters, for a whole sequence or step by step.

    memory: features of the sequence to which it attends; by default those of its input.
    """

    attention: Attention
    shape: Shape
    memory: int | None = None

    def setup(self) -> None:
        """Makes the parameters."""
        shape = self.shape
        memory = shape.features if self.memory is None else self.memory
        self.params = self.param(
            HEADS,
            partial(
                init_multi_head,
                self.attention,
                heads=shape.heads,
                key_value_heads=shape.key_value_heads,
                features=shape.key_size,
                value_features=shape.value_size,
            ),
            Dims(shape.features, memory, positions=shape.positions),
        )

    def remember(self, x: Array, valid: Array | None = None, positions: Array | None = None):
        """Returns the memory of x [K, D], in every head."""
        return remember_heads(self.attention, self.params, x, valid, positions)

    def __call__(self, x: Array, dropout: Dropout, memory: Memory | None = None, **options: Any):
        """Returns the context of x [Q, D], of itself or of a memory, and the weights. Options as in `multi_head`."""
        dropped: dict[str, Any] = {}
        if self.shape.attention_dropout and dropout.rng is not None:
            dropped = {"rng": dropout.next_rng(), "dropout_rate": dropout.rate}
        context = multi_head(self.attention, self.params, x, memory, **dropped, **options)
        return context.vector, context.weights


class FeedForward(nn.Module):
    """W_2 a(W_1 x + b_1) + b_2; "swiglu": W_2 (silu(W_1 x) ∘ W_3 x) (Shazeer 2020)."""

    shape: Shape

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """x: [.., D] -> [.., D]."""
        shape = self.shape
        hidden = ACTIVATIONS[shape.activation](Dense(shape.feed_forward, name="W_1")(x))
        if shape.activation == "swiglu":
            hidden = hidden * Dense(shape.feed_forward, name="W_3")(x)
        return Dense(shape.features, name="W_2")(hidden)


class Dense(nn.Module):
    """x W + b in the type of x, accumulated in float32 at least; its parameters are those of Flax's Dense."""

    features: int

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """x: [.., D] -> [.., F]."""
        kernel_init = nn.initializers.lecun_normal()
        kernel = self.param("kernel", kernel_init, (x.shape[-1], self.features))
        bias = self.param("bias", nn.initializers.zeros, (self.features,))
        return affine(x, kernel, bias).astype(x.dtype)


class Sublayer(nn.Module):
    """x + f(norm(x)), or norm(x + f(x)), with dropout on what f returns."""

    norm: str

    @nn.compact
    def __call__(self, x: Array, dropout: Dropout, f: Callable[[Array], tuple[Array, Any]]):
        """f returns the term that is added to x, and an auxiliary result, which is returned too."""
        layer_norm = nn.LayerNorm(name="norm")

        def norm(x):
            return layer_norm(x).astype(x.dtype)

        change, extra = f(norm(x) if self.norm == "pre" else x)
        x = x + dropout(change)
        return x if self.norm == "pre" else norm(x), extra


class EncoderLayer(nn.Module):
    """Self-attention, then feed-forward, over a source [K, D]."""

    attention: Attention
    shape: Shape

    def setup(self) -> None:
        """Names the sublayers."""
        norm = self.shape.norm
        self.attend, self.feed = Attend(self.attention, self.shape), FeedForward(self.shape)
        self.around_attend, self.around_feed = Sublayer(norm), Sublayer(norm)

    def __call__(self, x: Array, valid: Array, dropout: Dropout, weights: bool):
        """x: [K, D] -> [K, D] and the weights [H, K, K]."""

        def attend(x):
            return self.attend(x, dropout, valid=valid, weights=weights)

        x, seen = self.around_attend(x, dropout, attend)
        x, _ = self.around_feed(x, dropout, lambda x: (self.feed(x), None))
        return x, seen


class DecoderLayer(nn.Module):
    """Causal self-attention, cross-attention, feed-forward, over target positions [Q, D].

    source: features of the source's states; None: there is no source, and no cross-attention.
    """

    past: Attention
    cross: Attention
    shape: Shape
    source: int | None

    def setup(self) -> None:
        """Names the sublayers."""
        norm = self.shape.norm
        self.attend_past = Attend(self.past, self.shape)
        self.feed = FeedForward(self.shape)
        self.around_past, self.around_feed = Sublayer(norm), Sublayer(norm)
        if self.source is not None:
            self.attend_source = Attend(self.cross, self.shape, self.source)
            self.around_source = Sublayer(norm)

    def remember_source(self, states: Array, valid: Array) -> Memory | None:
        """Returns the source's memory in every head, computed once per source; None if there is no source."""
        return None if self.source is None else self.attend_source.remember(states, valid)

    def no_past(self, length: int, dtype: Any) -> Memory:
        """Returns an empty cache for `length` positions."""
        blank = jnp.zeros((length, self.shape.features), dtype)
        return self.attend_past.remember(blank, jnp.zeros(length, bool))

    def __call__(
        self,
        x: Array,
        source: Memory | None,
        dropout: Dropout,
        weights: bool,
        past: Memory | None = None,
        position: Any = None,
    ):
        """x: [Q, D] -> [Q, D], (weights of self-attention, of cross-attention), the cache with x added.

        Without a cache x has all positions; with one, x [1, D] is that at `position`.
        """

        def attend_past(x):
            if past is None:
                vector, seen = self.attend_past(x, dropout, weights=weights)
                return vector, (seen, None)
            positions = position[None]
            longer = insert(past, self.attend_past.remember(x, positions=positions), position)
            vector, seen = self.attend_past(
                x, dropout, longer, kind="self", positions=positions, weights=weights
            )
            return vector, (seen, longer)

        def attend_source(x):
            positions = None if position is None else position[None]
            return self.attend_source(x, dropout, source, positions=positions, weights=weights)

        x, (own, longer) = self.around_past(x, dropout, attend_past)
        seen = None
        if source is not None:
            x, seen = self.around_source(x, dropout, attend_source)
        x, _ = self.around_feed(x, dropout, lambda x: (self.feed(x), None))
        return x, (own, seen), longer


def encode_positions(
    encoding: Encoding, params: Params, embedded: Array, positions: Array
) -> Array:
    """Returns embeddings [L, D] with an encoding of their positions [L].

    Raises ValueError if a table of positions is too short for them.
    """
    limit = encoding.limit(params)
    if limit is not None and len(embedded) > limit:
        raise ValueError(
            f"{encoding.name} supports {limit} positions, but there are {len(embedded)} tokens; create the "
            f"model with positions={len(embedded)} or more"
        )
    return jax.vmap(encoding.encode, (None, 0, 0))(params, embedded, positions)


def final_norm(shape: Shape) -> Callable[[Array], Array]:
    """Returns the norm after the last layer of "pre" layers, whose output is not normalized; else the identity."""
    return nn.LayerNorm() if shape.norm == "pre" else lambda x: x


def run_layer(layer: nn.Module, x: Array, dropout: Dropout, recompute: bool, **inputs: Any) -> Any:
    """Returns layer(x, ..); with `recompute`, only x is stored for the backward pass."""
    if not recompute:
        return layer(x, dropout=dropout, **inputs)

    def pure(layer, x, rng):
        inside = dropout.continued(rng)
        return layer(x, dropout=inside, **inputs), inside.rng

    result, dropout.rng = nn.remat(pure)(layer, x, dropout.rng)
    return result


def insert(past: Memory, new: Memory, position: Any) -> Memory:
    """Returns the cache with one more position, which is marked valid."""
    return past._replace(
        keys=jax.lax.dynamic_update_slice_in_dim(past.keys, new.keys, position, 1),
        values=jax.lax.dynamic_update_slice_in_dim(past.values, new.values, position, 1),
        valid=past.valid | (past.positions == position),
    )
