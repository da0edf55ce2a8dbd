"""The fixed context of 2014: every step reads the source as one vector.

s_t = f([y_{t−1}; c], s_{t−1})                                  Cho et al. 2014
"""

from functools import partial

import jax.numpy as jnp

from attention_lab.models.decoders.contract import Variant
from attention_lab.models.decoders.deep_output import deep_init, deep_readout
from attention_lab.models.decoders.recurrent import make_recurrent


def _step(cells, source, state, entered, noise):
    state = cells.advance(state, entered, source.summary, noise)
    return state, jnp.concatenate([cells.top(state), source.summary]), None


fixed = partial(
    make_recurrent,
    Variant(
        "fixed",
        attends=False,
        extra=lambda sizes: sizes.source,
        fed=lambda sizes: 0,
        init=deep_init,
        step=_step,
        readout=deep_readout,
        deep=True,
    ),
)
