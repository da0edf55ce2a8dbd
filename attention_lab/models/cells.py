"""Recurrent cells, and functions that run them over a sentence in one direction or both.

A cell is split as a score is: `project` computes, for all inputs in one matrix product, what does not depend on the
state; `step` computes the rest. This split, and one product for all gates, is why Flax's cells are not used. A
state is a sum over time, and is stored in float32 at least.
"""

from collections.abc import Callable
from functools import partial
from types import MappingProxyType
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from attention_lab.mechanism.contracts import Array, Params, affine
from attention_lab.models.base import widened

# U is not orthogonal: the QR decomposition calls LAPACK, which under jit can deadlock on a CPU.
_weights = jax.nn.initializers.glorot_uniform()


class Cell(NamedTuple):
    """A recurrence h_t = f(x_t, h_{t−1}), in which x_t is multiplied by one matrix."""

    name: str
    init: Callable[[Array, int, int], Params]  # rng, inputs D, hidden N
    step: Callable[[Params, Array, Any], Any]  # params, projected input [gates · N], state -> state
    start: Callable[..., Any]  # h_0 [N], and c_0 [N] if it has a memory and this is not 0 -> state
    output: Callable[[Any], Array]  # state -> h [N]
    memory: bool = False  # whether a state has a memory c beside h


def project(params: Params, x: Array) -> Array:
    """Returns W x + b for all gates at once: x [D] -> [gates · N]."""
    return affine(x, params["W"], params["b"]).astype(x.dtype)


def _init(gates):
    def init(rng, inputs, hidden):
        rng_w, rng_u = jax.random.split(rng)
        one_gate = jax.vmap(lambda r: _weights(r, (hidden, hidden)))
        recurrent = one_gate(jax.random.split(rng_u, gates))
        return {
            "W": _weights(rng_w, (inputs, gates * hidden)),
            "U": jnp.moveaxis(recurrent, 0, 1).reshape(hidden, gates * hidden),
            "b": jnp.zeros(gates * hidden),
        }

    return init


def _gru_init(rng, inputs, hidden):
    return {**_init(3)(rng, inputs, hidden), "b_n": jnp.zeros(hidden)}


def _gru_step(params, projected, h):
    """r, z = σ(..), n = tanh(W x + b + r ∘ (U h + b_n)), h' = (1 − z) ∘ n + z ∘ h.

    Cho et al. 2014, with the reset gate after the product with U, so that there is only one product.
    """
    x_r, x_z, x_n = jnp.split(projected, 3)
    h_r, h_z, h_n = jnp.split(affine(h.astype(projected.dtype), params["U"]), 3)
    r, z = jax.nn.sigmoid(x_r + h_r), jax.nn.sigmoid(x_z + h_z)
    n = jnp.tanh(x_n + r * (h_n + params["b_n"]))
    return ((1 - z) * n + z * h).astype(h.dtype)


gru = Cell("gru", _gru_init, _gru_step, start=widened, output=lambda h: h)


def _lstm_init(rng, inputs, hidden):
    params = _init(4)(rng, inputs, hidden)
    # The forget gate starts open (Gers et al. 2000; Jozefowicz et al. 2015).
    return {**params, "b": params["b"].at[hidden : 2 * hidden].set(1.0)}


def _lstm_step(params, projected, state):
    """i, f, o = σ(..), c' = f ∘ c + i ∘ tanh(..), h' = o ∘ tanh(c') (Hochreiter & Schmidhuber 1997)."""
    h, c = state
    recurrent = affine(h.astype(projected.dtype), params["U"])
    i, f, g, o = jnp.split(projected + recurrent, 4)
    c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
    return jax.nn.sigmoid(o) * jnp.tanh(c), c


lstm = Cell(
    "lstm",
    _lstm_init,
    _lstm_step,
    start=lambda h, c=None: widened((h, jnp.zeros_like(h) if c is None else c)),
    output=lambda state: state[0],
    memory=True,
)

CELLS = MappingProxyType({"gru": gru, "lstm": lstm})


def run(cell: Cell, params: Params, x: Array, valid: Array, *, reverse: bool = False) -> Any:
    """Returns all hidden states [K, N] over x [K, D], and the last one [N]. Padding does not change the state."""
    projected = jax.vmap(partial(project, params))(x)
    state = cell.start(jnp.zeros(params["U"].shape[0], x.dtype))

    def one(state, inputs):
        projected, exists = inputs
        after = cell.step(params, projected, state)
        state = jax.tree.map(lambda new, old: jnp.where(exists, new, old), after, state)
        return state, cell.output(state).astype(x.dtype)

    last, outputs = jax.lax.scan(one, state, (projected, valid), reverse=reverse)
    return outputs, cell.output(last).astype(x.dtype)


def init_bidirectional(cell: Cell, rng: Array, inputs: int, hidden: int) -> Params:
    """Returns the parameters of one cell for each direction."""
    forward, backward = jax.random.split(rng)
    return {
        "forward": cell.init(forward, inputs, hidden),
        "backward": cell.init(backward, inputs, hidden),
    }


def bidirectional(cell: Cell, params: Params, x: Array, valid: Array) -> tuple[Array, Array]:
    """Returns [h→_j; h←_j] for every position [K, 2N], and [h→_K; h←_1], the last states of both directions, [2N]."""
    ahead, last = run(cell, params["forward"], x, valid)
    back, first = run(cell, params["backward"], x, valid, reverse=True)
    return jnp.concatenate([ahead, back], -1), jnp.concatenate([last, first])
