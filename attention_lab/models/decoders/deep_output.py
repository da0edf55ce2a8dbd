"""The readout of Bahdanau et al. 2015, A.2.2, with tanh in place of maxout: r_t = tanh(W [s_t; c_t; y_{t−1}])."""

import jax.numpy as jnp

from attention_lab.mechanism.contracts import Array, Params, matmul
from attention_lab.models.decoders.contract import Sizes, weights_init


def deep_init(rng: Array, sizes: Sizes) -> Params:
    """Returns W [N + D + E, E]."""
    inputs = sizes.hidden + sizes.source + sizes.embedding
    return {"W": weights_init(rng, (inputs, sizes.embedding))}


def deep_readout(params: Params, features: Array, embedded: Array) -> Array:
    """Returns r [.., E] of [s; c], features [.., N + D], and of the embedding of the previous token [.., E]."""
    return jnp.tanh(matmul(jnp.concatenate([features, embedded], -1), params["W"], features.dtype))
