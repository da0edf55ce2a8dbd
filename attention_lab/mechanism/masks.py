"""Masks: may query position i attend to key position j?

A mask is a predicate of two integers. Which keys exist at all (padding) is data, not a mask: it is
`valid` in the memory. Data are also the arguments `segments` and `seen` of `cross_attention`.

Several documents packed into one sequence are separated by their `segments`, or by positions that encode the
document as well: with `positions = document * 1000 + offset` by the mask `lambda i, j: i // 1000 == j // 1000`, which
skips the tiles between documents even within a batch. A mask may close over an array too, as in
`lambda i, j: table[i, j]`; outside jit every new lambda is compiled anew.
"""

import functools
from types import MappingProxyType

import jax.numpy as jnp

from attention_lab.mechanism.contracts import Mask


def everything(i, j):
    """Every key."""
    return True


def causal(i, j):
    """j ≤ i: the past and the present."""
    return j <= i


@functools.cache
def window(reach: int) -> Mask:
    """|i − j| ≤ reach: the neighbors on both sides; with `causal`, a sliding window."""
    if reach < 0:
        raise ValueError(f"window({reach}): the reach must be 0 or more")

    def window_mask(i, j):
        return jnp.abs(i - j) <= reach

    return window_mask


@functools.cache
def grid_window(columns: int = 8, reach: int = 1) -> Mask:
    """|y_i − y_j| ≤ reach and |x_i − x_j| ≤ reach, the neighbors on a grid that is read row by row: i = columns · y + x."""
    if columns < 1 or reach < 0:
        raise ValueError(
            f"grid_window({columns}, {reach}): there must be 1 column or more, and the reach must be 0 or more"
        )

    def grid_mask(i, j):
        across = jnp.abs(i % columns - j % columns) <= reach
        return (jnp.abs(i // columns - j // columns) <= reach) & across

    return grid_mask


@functools.cache
def prefix(length: int) -> Mask:
    """j < length or j ≤ i: a prefix to which all may attend, then causal (Raffel et al. 2020, fig. 4)."""
    if length < 0:
        raise ValueError(f"prefix({length}): the length must be 0 or more")

    def prefix_mask(i, j):
        return (j < length) | (j <= i)

    return prefix_mask


@functools.cache
def both(first: Mask, second: Mask) -> Mask:
    """Returns the intersection of two masks: i may attend to j where both permit it."""
    return lambda i, j: first(i, j) & second(i, j)


@functools.cache
def either(first: Mask, second: Mask) -> Mask:
    """Returns the union of two masks: i may attend to j where at least one permits it."""
    return lambda i, j: first(i, j) | second(i, j)


MASKS = MappingProxyType(
    {
        "everything": everything,
        "causal": causal,
        "window": window,
        "grid_window": grid_window,
        "prefix": prefix,
    }
)
