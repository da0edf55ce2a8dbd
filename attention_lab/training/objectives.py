"""The training objective: cross-entropy of the next token, with label smoothing."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from attention_lab.mechanism.contracts import Array


@partial(jax.custom_vjp, nondiff_argnums=(3,))
def cross_entropy(logits: Array, target: Array, smoothing: Any, z_loss: float = 0.0) -> Array:
    """−Σ_v q_v log p_v + ζ log² Z, p = exp(logits) / Z, q = (1 − ε) [v = target] + ε / V (Szegedy et al. 2016, §7).

    logits: [.., V]; target: int[..]; smoothing: ε, []; z_loss: ζ, which keeps log Z close to 0, as in T5's code
    (Shazeer et al. 2018), static. Returns [..], in nats. The derivative p (1 + 2 ζ log Z) − q is given
    explicitly, so that the backward pass reads the logits once; this takes two thirds of the time of automatic
    differentiation.
    """
    return _forward(logits, target, smoothing, z_loss)[0]


def _forward(logits, target, smoothing, z_loss):
    normalizer = jax.nn.logsumexp(logits, axis=-1)
    target_logit = jnp.take_along_axis(logits, target[..., None], -1)[..., 0]
    loss = normalizer - (1 - smoothing) * target_logit - smoothing * logits.mean(-1)
    if z_loss:
        loss = loss + z_loss * normalizer**2
    return loss, (logits, normalizer, target, smoothing)


def _backward(z_loss, residuals, cotangent):
    logits, normalizer, target, smoothing = residuals
    p = jnp.exp(logits - normalizer[..., None])
    if z_loss:
        p = p * (1 + 2 * z_loss * normalizer[..., None])
    size = logits.shape[-1]
    # XLA fuses a comparison with its consumer; the gradient of a gather would be a scatter.
    is_target = target[..., None] == jnp.arange(size).reshape((1,) * target.ndim + (size,))
    q = jnp.where(is_target, 1 - smoothing, 0) + smoothing / size
    return (p - q) * cotangent[..., None], None, None


cross_entropy.defvjp(_forward, _backward)
