"""Readouts r_t of a new state, its context and the previous token, by the name of their last operation.

tanh    r_t = tanh(W [s_t; c_t; y_{t−1}])
maxout  r_t = max(W [s_t; c_t; y_{t−1}], V [s_t; c_t; y_{t−1}])  Bahdanau et al. 2015, A.2.2 (there with s_{t−1})
linear  r_t = y_{t−1} + W [s_t; c_t]                             Xu et al. 2015, equation 7
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

import jax.numpy as jnp

from attention_lab.mechanism.contracts import Array, Params, matmul
from attention_lab.models.decoders.contract import Sizes, weights_init


class DeepOutput(NamedTuple):
    """A readout.

    init: (rng, sizes) -> params. read: (params, features [.., N + D], embedded [.., E]) -> r [.., E] of [s; c] and of the
    embedding of the previous token.
    """

    init: Callable[[Array, Sizes], Params]
    read: Callable[[Params, Array, Array], Array]


def _of_all(pieces):
    def init(rng, sizes):
        """Returns W, or W and V side by side, [N + D + E, pieces · E]."""
        inputs = sizes.hidden + sizes.source + sizes.embedding
        return {"W": weights_init(rng, (inputs, pieces * sizes.embedding))}

    return init


def _product(params, features, embedded):
    return matmul(jnp.concatenate([features, embedded], -1), params["W"], features.dtype)


def _tanh(params, features, embedded):
    return jnp.tanh(_product(params, features, embedded))


def _maxout(params, features, embedded):
    return jnp.maximum(*jnp.split(_product(params, features, embedded), 2, -1))


def _linear_init(rng, sizes):
    """Returns W [N + D, E]."""
    return {"W": weights_init(rng, (sizes.hidden + sizes.source, sizes.embedding))}


def _linear(params, features, embedded):
    return embedded + matmul(features, params["W"], features.dtype)


READOUTS: Mapping[str, DeepOutput] = MappingProxyType(
    {
        "tanh": DeepOutput(_of_all(1), _tanh),
        "maxout": DeepOutput(_of_all(2), _maxout),
        "linear": DeepOutput(_linear_init, _linear),
    }
)


def deep_init(rng: Array, sizes: Sizes) -> Params:
    """Returns the parameters of the readout that sizes name."""
    return READOUTS[sizes.readout].init(rng, sizes)


def deep_readout(sizes: Sizes) -> Callable[[Params, Array, Array], Array]:
    """Returns `DeepOutput.read` of the readout that sizes name."""
    return READOUTS[sizes.readout].read
