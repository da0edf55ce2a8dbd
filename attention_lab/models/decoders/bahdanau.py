"""Bahdanau's decoder: the previous state is the query, and the step reads the context.

c_t = attend(s_{t−1}, h);  s_t = f([y_{t−1}; c_t], s_{t−1})     Bahdanau et al. 2015, A.2.2

With a gate, c_t is σ(w·s_{t−1} + b) attend(s_{t−1}, h): how much the next word depends on the source, Xu et al. 2015, §4.2.1.
"""

from functools import partial

import jax
import jax.numpy as jnp

from attention_lab.mechanism.contracts import matmul
from attention_lab.models.decoders.contract import Variant
from attention_lab.models.decoders.deep_output import deep_init, deep_readout
from attention_lab.models.decoders.recurrent import make_recurrent


def _init(rng, sizes):
    params = deep_init(rng, sizes)
    gate = {"w": jnp.zeros(sizes.hidden), "b": jnp.zeros(1)}
    return params | ({"gate": gate} if sizes.gate else {})


def _step(cells, source, state, entered, noise):
    query = cells.top(state)
    context, place, state = cells.attend(state, source, noise)
    if "gate" in cells.params["readout"]:
        gate = cells.params["readout"]["gate"]
        opened = jax.nn.sigmoid(matmul(gate["w"], query, query.dtype) + gate["b"][0])
        context = (opened * context).astype(context.dtype)
    state = cells.advance(state, entered, context, noise)
    return state, jnp.concatenate([cells.top(state), context]), place


bahdanau = partial(
    make_recurrent,
    Variant(
        "bahdanau",
        attends=True,
        extra=lambda sizes: sizes.source,
        fed=lambda sizes: 0,
        init=_init,
        step=_step,
        readout=deep_readout,
        deep=True,
        gated=True,
    ),
)
