"""Estimates of floating-point operations and memory from a traced function (a jaxpr), without compilation."""

from collections.abc import Callable
from math import prod
from typing import Any

import jax
import numpy as np


def flops(function: Callable[..., Any], *args: Any) -> int:
    """Returns the number of multiplications and additions in the matrix products of function(*args).

    args may be shapes. The body of a scan counts once for each iteration; that of a while loop, whose number of
    iterations is unknown, counts once; a `cond` counts as its most expensive branch. Operations other than matrix
    products are not counted.
    """
    return _flops(jax.make_jaxpr(function)(*args).jaxpr)


def residual_bytes(function: Callable[..., Any], *args: Any) -> int:
    """Returns the bytes of residuals that the forward pass stores for the gradient of function(*args) by all args.

    This is an upper bound: the compiler may store less and recompute more.
    """
    return tree_bytes(jax.eval_shape(lambda *inputs: jax.vjp(function, *inputs)[1], *args))


def tree_bytes(tree: Any) -> int:
    """Returns the bytes of all leaves, which may be shapes."""
    return sum(
        prod(leaf.shape) * np.dtype(leaf.dtype).itemsize
        for leaf in jax.tree.leaves(tree)
        if not jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.extended)
    )


def _flops(jaxpr):
    return sum(_equation_flops(equation) for equation in jaxpr.eqns)


def _equation_flops(equation):
    if equation.primitive.name == "dot_general":
        (contracted, _), _ = equation.params["dimension_numbers"]
        left = equation.invars[0].aval.shape
        return 2 * prod(equation.outvars[0].aval.shape) * prod(left[i] for i in contracted)
    inner = [_flops(jaxpr) for jaxpr in _inner_jaxprs(equation.params)]
    if equation.primitive.name == "cond":
        return max(inner, default=0)
    return sum(inner) * equation.params.get("length", 1)


def _inner_jaxprs(params):
    """Yields the jaxprs among an equation's parameters, closed or not, alone or in a sequence."""
    for value in params.values():
        for one in value if isinstance(value, tuple | list) else (value,):
            one = getattr(one, "jaxpr", one)
            if hasattr(one, "eqns"):
                yield one
