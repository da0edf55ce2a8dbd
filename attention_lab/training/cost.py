"""Cost, before anything is compiled: floating-point operations and memory, read from what JAX traces."""

from collections.abc import Callable
from math import prod
from typing import Any

import jax
import numpy as np


def flops(function: Callable[..., Any], *args: Any) -> int:
    """The multiplications and additions in the matrix products of function(*args).

    args may be shapes. A scan counts as often as it turns; a while loop, whose turns nobody knows, once;
    of a condition's branches, the most expensive one. What is not a matrix product is not counted.
    """
    return _of(jax.make_jaxpr(function)(*args).jaxpr)


def residual_bytes(function: Callable[..., Any], *args: Any) -> int:
    """What the backward pass of function(*args), differentiated by all of args, needs of the forward pass.

    It is the most that must be kept; a compiler may choose to keep less and compute more.
    """
    return tree_bytes(jax.eval_shape(lambda *inputs: jax.vjp(function, *inputs)[1], *args))


def tree_bytes(tree: Any) -> int:
    """The memory of all leaves, which may be shapes."""
    return sum(
        prod(leaf.shape) * np.dtype(leaf.dtype).itemsize
        for leaf in jax.tree.leaves(tree)
        if not jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.extended)
    )


def _of(jaxpr):
    return sum(_of_equation(equation) for equation in jaxpr.eqns)


def _of_equation(equation):
    if equation.primitive.name == "dot_general":
        (contracted, _), _ = equation.params["dimension_numbers"]
        left = equation.invars[0].aval.shape
        return 2 * prod(equation.outvars[0].aval.shape) * prod(left[i] for i in contracted)
    inner = [_of(jaxpr) for jaxpr in _inside(equation.params)]
    if equation.primitive.name == "cond":
        return max(inner, default=0)
    return sum(inner) * equation.params.get("length", 1)


def _inside(params):
    """The jaxprs among an equation's parameters, closed or not, alone or in a sequence."""
    for value in params.values():
        for one in value if isinstance(value, tuple | list) else (value,):
            one = getattr(one, "jaxpr", one)
            if hasattr(one, "eqns"):
                yield one
