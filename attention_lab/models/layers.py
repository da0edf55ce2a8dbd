"""The layers of a Transformer, for one sentence: sublayers with a residual connection and a norm.

encoder layer   x ← x + self(x);  x ← x + feed_forward(x)
decoder layer   x ← x + causal self(x);  x ← x + cross(x, encoder's x);  x ← x + feed_forward(x)
"""

from collections.abc import Callable
from typing import Any

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
from attention_lab.mechanism.positions import no_bias
from attention_lab.models.base import HEADS, Dropout
from attention_lab.models.feed_forward import FeedForward
from attention_lab.models.shape import Deviations, Shape, make_norm, rescaled


class Attend(nn.Module):
    """Multi-head attention with its parameters, for a whole sequence or step by step.

    memory: features of the sequence to which it attends; by default those of its input. shared_bias: whether the
    parameters of its bias are not its own, but are given at each call.
    """

    attention: Attention
    shape: Shape
    deviations: Deviations
    memory: int | None = None
    shared_bias: bool = False

    def setup(self) -> None:
        """Makes the parameters."""
        shape, deviations = self.shape, self.deviations
        memory = shape.features if self.memory is None else self.memory
        attention = self.attention._replace(bias=no_bias) if self.shared_bias else self.attention

        def init(rng, dims):
            params = init_multi_head(
                attention,
                rng,
                dims,
                heads=shape.heads,
                key_value_heads=shape.key_value_heads,
                features=shape.key_size,
                value_features=shape.value_size,
                bias=shape.projection_bias,
            )
            values = shape.heads * params["W_O"].shape[-1]
            initial = {
                "W_Q": (deviations.query, dims.query),
                "W_K": (deviations.others, dims.key),
                "W_V": (deviations.others, dims.key),
                "W_O": (deviations.residual, values),
            }
            return params | {name: rescaled(params[name], *to) for name, to in initial.items()}

        self.params = self.param(
            HEADS, init, Dims(shape.features, memory, positions=shape.positions)
        )

    def remember(self, x: Array, valid: Array | None = None, positions: Array | None = None):
        """Returns the memory of x [K, D], in every head."""
        return remember_heads(self.attention, self.params, x, valid, positions)

    def __call__(
        self,
        x: Array,
        dropout: Dropout,
        memory: Memory | None = None,
        bias: Params = None,
        **options: Any,
    ):
        """Returns the context of x [Q, D], of itself or of a memory, and the weights. Options as in `multi_head`.

        bias: the parameters of a shared bias, as `init_shared_bias` returns them.
        """
        dropped: dict[str, Any] = {}
        if self.shape.attention_dropout and dropout.rng is not None:
            dropped = {"rng": dropout.next_rng(), "dropout_rate": dropout.rate}
        params = self.params
        if self.shared_bias:
            params = {
                **params,
                "attention": {**params["attention"], **bias[HEADS]["attention"]},
            }
        context = multi_head(self.attention, params, x, memory, **dropped, **options)
        return context.vector, context.weights


def init_shared_bias(rng: Array, attention: Attention, shape: Shape) -> Params:
    """Returns the parameters of the bias of all layers of a stack: {"heads": {"attention": {"bias": ..}}}.

    Their path ends like that of a layer's own bias, and they have the same axis of key-value heads.
    """
    groups = shape.heads if shape.key_value_heads is None else shape.key_value_heads
    size = shape.features // shape.heads if shape.key_size is None else shape.key_size
    dims = Dims(size, size, positions=shape.positions)
    init = jax.vmap(lambda rng: attention.bias.init(rng, dims))
    return {HEADS: {"attention": {"bias": init(jax.random.split(rng, groups))}}}


class Sublayer(nn.Module):
    """x + f(norm(x)), or norm(x + f(x)), with dropout on what f returns."""

    shape: Shape

    @nn.compact
    def __call__(self, x: Array, dropout: Dropout, f: Callable[[Array], tuple[Array, Any]]):
        """f returns the term that is added to x, and an auxiliary result, which is returned too."""
        pre, layer_norm = self.shape.norm == "pre", make_norm(self.shape, name="norm")

        def norm(x):
            return layer_norm(x).astype(x.dtype)

        change, extra = f(norm(x) if pre else x)
        x = x + dropout(change)
        return x if pre else norm(x), extra


class EncoderLayer(nn.Module):
    """Self-attention, then feed-forward, over a source [K, D]."""

    attention: Attention
    shape: Shape
    deviations: Deviations

    def setup(self) -> None:
        """Names the sublayers."""
        shape, deviations = self.shape, self.deviations
        self.attend = Attend(self.attention, shape, deviations, shared_bias=shape.shared_bias)
        self.feed = FeedForward(shape, deviations)
        self.around_attend, self.around_feed = Sublayer(shape), Sublayer(shape)

    def __call__(self, x: Array, valid: Array, dropout: Dropout, weights: bool, bias: Params):
        """x: [K, D] -> [K, D] and the weights [H, K, K]. bias: the parameters of a shared bias."""

        def attend(x):
            return self.attend(x, dropout, bias=bias, valid=valid, weights=weights)

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
    deviations: Deviations
    source: int | None

    def setup(self) -> None:
        """Names the sublayers."""
        shape, deviations = self.shape, self.deviations
        self.attend_past = Attend(self.past, shape, deviations, shared_bias=shape.shared_bias)
        self.feed = FeedForward(shape, deviations)
        self.around_past, self.around_feed = Sublayer(shape), Sublayer(shape)
        if self.source is not None:
            self.attend_source = Attend(self.cross, shape, deviations, self.source)
            self.around_source = Sublayer(shape)

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
        bias: Params,
        past: Memory | None = None,
        positions: Any = None,
        segments: Any = None,
    ):
        """x: [Q, D] -> [Q, D], (weights of self-attention, of cross-attention), the cache with x added.

        bias: the parameters of a shared bias. positions: int[Q], by default 0 .. Q−1; segments: int[Q], the documents,
        if there are several. Without a cache x has all positions; with one, it has the one at positions [1].
        """
        options = {"bias": bias, "positions": positions, "weights": weights}

        def attend_past(x):
            if past is None:
                vector, seen = self.attend_past(x, dropout, segments=segments, **options)
                return vector, (seen, None)
            longer = insert(past, self.attend_past.remember(x, positions=positions), positions[0])
            vector, seen = self.attend_past(x, dropout, longer, kind="self", **options)
            return vector, (seen, longer)

        def attend_source(x):
            return self.attend_source(x, dropout, source, positions=positions, weights=weights)

        x, (own, longer) = self.around_past(x, dropout, attend_past)
        seen = None
        if source is not None:
            x, seen = self.around_source(x, dropout, attend_source)
        x, _ = self.around_feed(x, dropout, lambda x: (self.feed(x), None))
        return x, (own, seen), longer


def final_norm(shape: Shape) -> Callable[[Array], Array]:
    """Returns the norm after the last layer of "pre" layers, whose output is not normalized; else the identity."""
    return make_norm(shape) if shape.norm == "pre" else lambda x: x


def embedding_norm(shape: Shape) -> Callable[[Array], Array]:
    """Returns the norm of embeddings with their positions, if the shape has one; else the identity."""
    return make_norm(shape) if shape.embedding_norm else lambda x: x


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
