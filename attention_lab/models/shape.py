"""The options that all layers of a Transformer's stack share, and the scales of its initial parameters.

A stack of the literature is a dict of these options: attention_lab/runs/named.py has those of GPT-2, T5, BART and PEGASUS.
"""

import math
from collections.abc import Callable
from types import MappingProxyType
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn

from attention_lab.mechanism.contracts import Array
from attention_lab.models.base import look_up

NORMS = ("pre", "post")
NORM_KINDS = ("layer", "rms")


class Activation(NamedTuple):
    """The function a of a feed-forward layer; gated: a(W_1 x) is multiplied by W_3 x (Shazeer 2020)."""

    function: Callable[[Array], Array]
    gated: bool = False


def gelu_exact(x: Array) -> Array:
    """Returns x Φ(x) (Hendrycks & Gimpel 2016), with Φ(x) = (1 + erf(x/√2)) / 2, as PyTorch computes it.

    An erf takes half of the time of the erfc of `jax.nn.gelu` on a CPU. The error is that of x, and not that of a tiny
    x Φ(x) where x is far below 0.
    """
    return x * (0.5 + 0.5 * jax.lax.erf(x * math.sqrt(0.5)))


# gelu is its tanh form, as in GPT-2 and in T5's gate; relu2 is relu(x)² (So et al. 2021); silu is x σ(x).
ACTIVATIONS = MappingProxyType(
    {
        "relu": Activation(nn.relu),
        "relu2": Activation(lambda x: jnp.square(nn.relu(x))),
        "gelu": Activation(nn.gelu),
        "gelu_exact": Activation(gelu_exact),
        "silu": Activation(nn.silu),
        "reglu": Activation(nn.relu, gated=True),
        "geglu": Activation(nn.gelu, gated=True),
        "swiglu": Activation(nn.silu, gated=True),
    }
)


class Shape(NamedTuple):
    """The sizes and options that all layers of a stack share.

    key_value_heads: fewer than heads for grouped queries; by default as many. key_size: d_k, by default features /
    heads; value_size: d_v, by default d_k. projection_bias: whether W_Q, W_V and W_O have biases.

    feed_forward: features of its hidden layer. activation: one of `ACTIVATIONS`. feed_forward_bias: whether its matrices
    have biases.

    norm: "pre" normalizes the input of a sublayer, and the output of the last layer, "post" the sum after it. norm_kind:
    "layer" (Ba et al. 2016) or "rms", which neither subtracts a mean nor has a bias (Zhang & Sennrich 2019). norm_bias:
    whether layer norms have biases. epsilon: added to the variance, or to the mean square. embedding_norm: whether
    embeddings with their positions are normalized too.

    positions: the length of tables of learned positions and of scores that are indexed by position. shared_bias: whether
    all layers share the parameters of the bias of their self-attention, such as T5's table. init: one of `INITS`.
    attention_dropout: whether weights are dropped too, which Vaswani et al. 2017 do not do.
    """

    features: int = 512
    heads: int = 8
    key_value_heads: int | None = None
    key_size: int | None = None
    value_size: int | None = None
    projection_bias: bool = False
    feed_forward: int = 2048
    activation: str = "relu"
    feed_forward_bias: bool = True
    norm: str = "post"
    norm_kind: str = "layer"
    norm_bias: bool = True
    epsilon: float = 1e-6
    embedding_norm: bool = False
    positions: int = 512
    shared_bias: bool = False
    init: str = "lecun"
    attention_dropout: bool = False


def make_shape(**fields: Any) -> Shape:
    """Returns the `Shape` of these fields. Raises ValueError if a name is unknown or a value is not of its type."""
    shape = Shape(**fields)
    if shape.norm not in NORMS:
        raise ValueError(f"norm={shape.norm!r} is not one of {', '.join(NORMS)}")
    look_up("norm_kind", NORM_KINDS, shape.norm_kind)
    look_up("activation", ACTIVATIONS, shape.activation)
    look_up("init", INITS, shape.init)
    for name, value in Shape._field_defaults.items():
        if isinstance(value, bool) and not isinstance(getattr(shape, name), bool):
            raise ValueError(f"{name}={getattr(shape, name)!r} must be True or False")
    if not isinstance(shape.epsilon, int | float) or not shape.epsilon > 0:
        raise ValueError(f"epsilon={shape.epsilon!r} must be a number greater than 0")
    return shape


def make_norm(shape: Shape, **options: Any) -> nn.Module:
    """Returns a norm over the last axis, whose statistics are computed in float32 at least."""
    if shape.norm_kind == "rms":
        return nn.RMSNorm(epsilon=shape.epsilon, **options)
    return nn.LayerNorm(epsilon=shape.epsilon, use_bias=shape.norm_bias, **options)


class Deviations(NamedTuple):
    """Standard deviations of initial matrices; None: 1/√fan-in (LeCun et al. 1998). Biases are zero.

    query: of W_Q; residual: of W_O and W_2, whose products are added to the residual stream; others: of W_K, W_V, W_1,
    W_3 and of a table of positions.
    """

    query: float | None = None
    residual: float | None = None
    others: float | None = None


def _t5(shape: Shape, sublayers: int) -> Deviations:
    key_size = shape.features // shape.heads if shape.key_size is None else shape.key_size
    return Deviations(query=1 / math.sqrt(shape.features * key_size))


# lecun: 1/√fan-in for all.  normal: .02 for all, as in BART.
# gpt2: .02, and .02/√N for the N matrices of a stack whose products are added up (Radford et al. 2019, §2.3).
# t5: W_Q is smaller by √d_k, in place of the scale of the score; the others as lecun (Raffel et al. 2020, their code).
INITS: MappingProxyType[str, Callable[[Shape, int], Deviations]] = MappingProxyType(
    {
        "lecun": lambda shape, sublayers: Deviations(),
        "normal": lambda shape, sublayers: Deviations(0.02, 0.02, 0.02),
        "gpt2": lambda shape, sublayers: Deviations(0.02, 0.02 / math.sqrt(sublayers), 0.02),
        "t5": _t5,
    }
)


def deviations(shape: Shape, sublayers: int) -> Deviations:
    """Returns the deviations of a stack with that number of sublayers, by the name `shape.init`."""
    return INITS[shape.init](shape, sublayers)


def rescaled(tree: Any, deviation: float | None, fan_in: int) -> Any:
    """Returns matrices of deviation 1/√fan-in with another one; None: as they are."""
    if deviation is None:
        return tree
    return jax.tree.map(lambda x: x * (deviation * math.sqrt(fan_in)), tree)
