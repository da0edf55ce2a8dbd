"""Closure conversion: functions that close over arrays become functions that take these arrays as an argument.

A piece may be `lambda i, j: table[i, j]`, and an outer gradient or vmap may be tracing that table. JAX
handles such closures everywhere but in a function with a custom derivative, which sees its arguments alone.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import jax
from jax.extend.core import jaxpr_as_fun


def explicit(functions: Iterable[Callable], examples: Sequence[tuple]) -> tuple[list, list]:
    """Returns (gs, arrays) such that g(arrays, *args) = function(*args), and no g closes over an array.

    examples: arguments, or their shapes, for each combination of shapes with which a g will be called.
    """
    arrays: list[Any] = []
    return [_explicit(function, examples, arrays) for function in functions], arrays


def _explicit(function, examples, arrays):
    """Converts one function, and appends its arrays to those of the others."""
    programs = {}
    for example in examples:
        program, out = jax.make_jaxpr(function, return_shape=True)(*example)
        own = slice(len(arrays), len(arrays) + len(program.consts))
        programs[_shapes(example)] = program, own, jax.tree.structure(out)
        arrays += program.consts

    def g(arrays, *args):
        program, own, structure = programs[_shapes(args)]
        run = jaxpr_as_fun(program.replace(consts=arrays[own]))
        return jax.tree.unflatten(structure, run(*jax.tree.leaves(args)))

    return g


def _shapes(args):
    return tuple(x.shape for x in jax.tree.leaves(args))
