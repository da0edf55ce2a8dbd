"""The layers of a Transformer, for one sentence: sublayers with a residual sum and a norm around them.

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
from attention_lab.mechanism.contracts import Array, Params
from attention_lab.models.base import Noise, affine

NORMS = ("pre", "post")
HEADS = "heads"  # the parameters of `init_multi_head`, each of which has one axis that counts heads
ACTIVATIONS = MappingProxyType({"relu": nn.relu, "gelu": nn.gelu, "swiglu": nn.silu})


class Shape(NamedTuple):
    """What all layers have in common. key_size: d_k, by default features / heads; value_size: d_v, d_k."""

    features: int
    heads: int
    key_value_heads: int
    key_size: int | None
    value_size: int | None
    feed_forward: int
    activation: str
    norm: str
    positions: int
    attention_dropout: bool


class Attend(nn.Module):
    """Many-headed attention as a sublayer: its parameters, asked in one go or step by step."""

    attention: Attention
    shape: Shape

    def setup(self) -> None:
        """Makes the parameters."""
        shape = self.shape
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
            Dims(shape.features, shape.features, positions=shape.positions),
        )

    def remember(self, x: Array, valid: Array | None = None, positions: Array | None = None):
        """The memory of x [K, D], in every head."""
        return remember_heads(self.attention, self.params, x, valid, positions)

    def __call__(self, x: Array, noise: Noise, memory: Memory | None = None, **options: Any):
        """What x [Q, D] gets, of itself or of a memory, and the weights. Options as of `multi_head`."""
        dropped: dict[str, Any] = {}
        if self.shape.attention_dropout and noise.rng is not None:
            dropped = {"rng": noise.next_rng(), "dropout_rate": noise.rate}
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
    """x W + b in x's type, summed in float32 at least; its parameters are those of Flax's."""

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
    def __call__(self, x: Array, noise: Noise, f: Callable[[Array], tuple[Array, Any]]):
        """f returns what is added to x, and something to hand on."""
        layer_norm = nn.LayerNorm(name="norm")

        def norm(x):
            return layer_norm(x).astype(x.dtype)

        change, told = f(norm(x) if self.norm == "pre" else x)
        x = x + noise(change)
        return x if self.norm == "pre" else norm(x), told


class EncoderLayer(nn.Module):
    """Self-attention, then feed-forward, on a source [K, D]."""

    attention: Attention
    shape: Shape

    def setup(self) -> None:
        """Names the sublayers."""
        norm = self.shape.norm
        self.attend, self.feed = Attend(self.attention, self.shape), FeedForward(self.shape)
        self.around_attend, self.around_feed = Sublayer(norm), Sublayer(norm)

    def __call__(self, x: Array, valid: Array, noise: Noise, weights: bool):
        """x: [K, D] -> [K, D] and the weights [H, K, K]."""

        def ask(x):
            return self.attend(x, noise, valid=valid, weights=weights)

        x, seen = self.around_attend(x, noise, ask)
        x, _ = self.around_feed(x, noise, lambda x: (self.feed(x), None))
        return x, seen


class DecoderLayer(nn.Module):
    """Causal self-attention, cross-attention, feed-forward, on target positions [Q, D]."""

    past: Attention
    cross: Attention
    shape: Shape

    def setup(self) -> None:
        """Names the sublayers."""
        norm = self.shape.norm
        self.attend_past = Attend(self.past, self.shape)
        self.attend_source = Attend(self.cross, self.shape)
        self.feed = FeedForward(self.shape)
        self.around_past, self.around_source = Sublayer(norm), Sublayer(norm)
        self.around_feed = Sublayer(norm)

    def remember_source(self, x: Array, valid: Array) -> Memory:
        """The source's memory in every head, once per sentence."""
        return self.attend_source.remember(x, valid)

    def no_past(self, length: int, dtype: Any) -> Memory:
        """A cache for `length` positions, all still to come."""
        blank = jnp.zeros((length, self.shape.features), dtype)
        return self.attend_past.remember(blank, jnp.zeros(length, bool))

    def __call__(
        self,
        x: Array,
        source: Memory,
        noise: Noise,
        weights: bool,
        past: Memory | None = None,
        position: Any = None,
    ):
        """x: [Q, D] -> [Q, D], (weights of self, of cross), the past with x in it.

        Without a past x are all positions; with one, x [1, D] stands at `position`.
        """

        def ask_past(x):
            if past is None:
                vector, seen = self.attend_past(x, noise, weights=weights)
                return vector, (seen, None)
            place = position[None]
            longer = insert(past, self.attend_past.remember(x, positions=place), position)
            vector, seen = self.attend_past(
                x, noise, longer, place="self", positions=place, weights=weights
            )
            return vector, (seen, longer)

        def ask_source(x):
            positions = None if position is None else position[None]
            return self.attend_source(x, noise, source, positions=positions, weights=weights)

        x, (own, longer) = self.around_past(x, noise, ask_past)
        x, seen = self.around_source(x, noise, ask_source)
        x, _ = self.around_feed(x, noise, lambda x: (self.feed(x), None))
        return x, (own, seen), longer


def matrices(params: Params) -> Any:
    """For each parameter of layers, whether it is a matrix: its axis that counts heads is none of its own."""

    def is_matrix(path, x):
        by_head = any(getattr(key, "key", None) == HEADS for key in path)
        return x.ndim - by_head >= 2

    return jax.tree_util.tree_map_with_path(is_matrix, params)


def insert(past: Memory, new: Memory, position: Any) -> Memory:
    """The cache with one more position, and that one valid."""
    return past._replace(
        keys=jax.lax.dynamic_update_slice_in_dim(past.keys, new.keys, position, 1),
        values=jax.lax.dynamic_update_slice_in_dim(past.values, new.values, position, 1),
        valid=past.valid | (past.positions == position),
    )
