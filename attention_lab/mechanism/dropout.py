"""Dropout with a rate that may be a traced number, so that replicas can differ in it without recompilation."""

import jax
import jax.numpy as jnp

from attention_lab.mechanism.contracts import Array


def dropout(rng: Array, rate, x: Array) -> Array:
    """Returns x with each element set to zero with probability `rate`, and the others divided by 1 − rate.

    rate: [] in [0, 1), rounded to 1/65536: the draws are 16-bit integers, which cost half of float32
    ones. The scale uses the rounded rate, so the expectation is exactly x (Srivastava et al. 2014).
    """
    levels = 2**16
    kept = jnp.round((1 - rate) * levels).astype(jnp.uint32)
    keep = jax.random.bits(rng, x.shape, jnp.uint16).astype(jnp.uint32) < kept
    scale = levels / jnp.maximum(kept, 1)
    return jnp.where(keep, x * scale.astype(x.dtype), 0)
