"""Bahdanau's decoder: the previous state is the query, and the step reads the context.

c_t = attend(s_{t−1}, h);  s_t = f([y_{t−1}; c_t], s_{t−1})     Bahdanau et al. 2015, A.2.2
"""

from functools import partial

import jax.numpy as jnp

from attention_lab.models.decoders.deep_output import deep_init, deep_readout
from attention_lab.models.decoders.recurrent import Variant, make_recurrent


def _step(cells, source, state, entered, keep):
    context, weights, state = cells.attend(state, source)
    state = cells.advance(state, entered, context, keep)
    return state, jnp.concatenate([cells.top(state), context]), weights


bahdanau = partial(
    make_recurrent,
    Variant(
        "bahdanau",
        attends=True,
        extra=lambda sizes: sizes.source,
        fed=lambda sizes: 0,
        init=deep_init,
        step=_step,
        readout=deep_readout,
    ),
)
