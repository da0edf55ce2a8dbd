"""Localities restrict a query to a window of positions (Luong et al. 2015, §3.2)."""

import functools
from types import MappingProxyType

import jax
import jax.numpy as jnp

from attention_lab.mechanism.contracts import Locality, accumulator, no_params
from attention_lab.mechanism.scores import matrix


def _all_inside(params, focus, j):
    return True


def no_gain(params, focus, j):
    """Returns the gain 1: the weights stay those of the normalizer."""
    return 1.0


# global_: the whole source.
global_ = Locality("global_", no_params, lambda params, query, i, length: (), _all_inside, no_gain)


def _check(name: str, half_width: int) -> None:
    if half_width < 1:
        raise ValueError(f"{name}({half_width}): the window's half width must be 1 or more")


@functools.cache
def local_m(half_width: int = 10) -> Locality:
    """Monotonic: p = i, and the keys in [p − half_width, p + half_width] (Luong et al. 2015, §3.2).

    For a query beyond the last key p = length − 1, the position of that key, as in the authors' own code: a
    target may be longer than its source.
    """
    _check("local_m", half_width)

    def query_focus(params, query, i, length):
        return jnp.minimum(i, length - 1)

    def inside(params, focus, j):
        return jnp.abs(j - focus) <= half_width

    return Locality(f"local_m({half_width})", no_params, query_focus, inside, no_gain)


@functools.cache
def local_p(half_width: int = 10) -> Locality:
    """Predictive: p = length · σ(vᵀ tanh(W q)), and the keys in [⌊p⌋ − half_width, ⌊p⌋ + half_width].

    The weights are then multiplied by exp(−(j − p)² / 2σ²), σ = half_width / 2, and not renormalized. The window
    of 2 · half_width + 1 keys around ⌊p⌋ and the omitted renormalization follow the authors' own code (Luong et
    al. 2015, eq. 9-10). p is differentiable through the gain.
    """
    _check("local_p", half_width)

    def init(rng, dims):
        rng_w, rng_v = jax.random.split(rng)
        return {
            "W": matrix(rng_w, dims.width, dims.query),
            "v": matrix(rng_v, 1, dims.width)[0],
        }

    def query_focus(params, query, i, length):
        # A position among hundreds needs more digits than bfloat16 has.
        wide = accumulator(query.dtype)
        hidden = jnp.tanh(params["W"].astype(wide) @ query.astype(wide))
        return jnp.asarray(length, wide) * jax.nn.sigmoid(params["v"].astype(wide) @ hidden)

    def inside(params, focus, j):
        return jnp.abs(j - jnp.floor(focus)) <= half_width

    def gain(params, focus, j):
        return jnp.exp(-((j - focus) ** 2) / (2 * (half_width / 2) ** 2))

    return Locality(f"local_p({half_width})", init, query_focus, inside, gain)


@functools.cache
def local_grid(columns: int = 8, half_width: int = 2) -> Locality:
    """Predictive, as `local_p`, on a grid that is read row by row, j = columns · y + x.

    (p_y, p_x) = (rows, columns) ∘ σ(V tanh(W q)), rows = ⌈length / columns⌉, and the keys with |y − ⌊p_y⌋| and
    |x − ⌊p_x⌋| at most half_width. Their weights are multiplied by exp(−((y − p_y)² + (x − p_x)²) / 2σ²), σ =
    half_width / 2, and not renormalized.
    """
    _check("local_grid", half_width)
    if columns < 1:
        raise ValueError(f"local_grid({columns}): there must be 1 column or more")

    def init(rng, dims):
        rng_w, rng_v = jax.random.split(rng)
        return {"W": matrix(rng_w, dims.width, dims.query), "V": matrix(rng_v, 2, dims.width)}

    def query_focus(params, query, i, length):
        wide = accumulator(query.dtype)
        hidden = jnp.tanh(params["W"].astype(wide) @ query.astype(wide))
        size = jnp.stack([-(-jnp.asarray(length) // columns), jnp.asarray(columns)]).astype(wide)
        return size * jax.nn.sigmoid(params["V"].astype(wide) @ hidden)

    def place(j):
        return jnp.stack([j // columns, j % columns])

    def inside(params, focus, j):
        return jnp.all(jnp.abs(place(j) - jnp.floor(focus)) <= half_width)

    def gain(params, focus, j):
        return jnp.exp(-jnp.sum((place(j) - focus) ** 2) / (2 * (half_width / 2) ** 2))

    return Locality(f"local_grid({columns}, {half_width})", init, query_focus, inside, gain)


LOCALITIES = MappingProxyType(
    {"global_": global_, "local_m": local_m, "local_p": local_p, "local_grid": local_grid}
)
