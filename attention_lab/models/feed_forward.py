"""The feed-forward layers of a Transformer, of one position at a time (Vaswani et al. 2017, §3.3)."""

import math

import jax
from flax import linen as nn

from attention_lab.mechanism.contracts import Array, affine
from attention_lab.models.shape import ACTIVATIONS, Deviations, Shape


class FeedForward(nn.Module):
    """W_2 a(W_1 x + b_1) + b_2; gated: W_2 (a(W_1 x + b_1) ∘ (W_3 x + b_3)) + b_2 (Shazeer 2020)."""

    shape: Shape
    deviations: Deviations

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """x: [.., D] -> [.., D]."""
        shape, others = self.shape, self.deviations.others
        bias = shape.feed_forward_bias
        activation = ACTIVATIONS[shape.activation]
        hidden = activation.function(Dense(shape.feed_forward, bias, others, name="W_1")(x))
        if activation.gated:
            hidden = hidden * Dense(shape.feed_forward, bias, others, name="W_3")(x)
        return Dense(shape.features, bias, self.deviations.residual, name="W_2")(hidden)


class Dense(nn.Module):
    """x W + b in the type of x, accumulated in float32 at least; its parameters are those of Flax's Dense.

    deviation: of the initial W; None: LeCun's.
    """

    features: int
    use_bias: bool = True
    deviation: float | None = None

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """x: [.., D] -> [.., F]."""
        lecun = self.deviation is None
        init = nn.initializers.lecun_normal() if lecun else nn.initializers.normal(self.deviation)
        kernel = self.param("kernel", init, (x.shape[-1], self.features))
        if math.prod(x.shape[:-1]) > 1:  # a single position is a step of decoding
            kernel = transposed_gradient(kernel)
        bias = None
        if self.use_bias:
            bias = self.param("bias", nn.initializers.zeros, (self.features,))
        return affine(x, kernel, bias).astype(x.dtype)


def transposed_gradient(W: Array) -> Array:
    """Returns W [D, F], whose gradient XLA computes on a CPU as that of Wᵀ: gᵀ x, and then transposes.

    It has a fast product for gᵀ x, but merges the transposition into a product xᵀ g that takes twice the time.
    """
    if jax.default_backend() != "cpu":
        return W
    return jax.lax.optimization_barrier(W.T).T
