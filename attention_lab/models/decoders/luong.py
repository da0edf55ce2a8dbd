"""Luong's decoder: the new state is the query, and the next step reads the attentional vector.

s_t = f([y_{t−1}; h~_{t−1}], s_{t−1});  c_t = attend(s_t, h);  h~_t = tanh(W_c [c_t; s_t])     Luong et al. 2015, §3
"""

from functools import partial

import jax.numpy as jnp

from attention_lab.mechanism.contracts import matmul
from attention_lab.models.decoders.contract import Variant, weights_init
from attention_lab.models.decoders.recurrent import make_recurrent


def _init(rng, sizes):
    return {"W_c": weights_init(rng, (sizes.source + sizes.hidden, sizes.embedding))}


def _step(cells, source, state, entered, noise):
    now = state.position
    state = cells.advance(state, entered, state.fed, noise)
    context, place, state = cells.attend(state._replace(position=now), source, noise)
    both = jnp.concatenate([context, cells.top(state)])
    attentional = jnp.tanh(matmul(both, cells.params["readout"]["W_c"], both.dtype))
    return (
        state._replace(fed=attentional[: state.fed.size], position=now + 1),
        attentional,
        place,
    )


def _fed(sizes):
    return sizes.embedding if sizes.input_feeding else 0


luong = partial(
    make_recurrent,
    Variant(
        "luong",
        attends=True,
        extra=_fed,
        fed=_fed,
        init=_init,
        step=_step,
        readout=lambda sizes: lambda params, attentional, embedded: attentional,
    ),
)
