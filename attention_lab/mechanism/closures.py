"""Closures made arguments: functions that close over arrays become functions that are given them.

A piece may be `lambda i, j: table[i, j]`, and a gradient or a vmap outside may be tracing that table. JAX
follows it through everything but a custom derivative, which knows its arguments alone.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import jax
from jax.extend.core import jaxpr_as_fun


def explicit(functions: Iterable[Callable], examples: Sequence[tuple]) -> tuple[list, list]:
    """(gs, arrays) such that g(arrays, *args) = function(*args), and no g closes over an array.

    examples: the args, arrays or their shapes, for each combination of shapes that a g will be given.
    """
    arrays: list[Any] = []
    return [_explicit(function, examples, arrays) for function in functions], arrays


def _explicit(function, examples, arrays):
    """One g, whose arrays are appended to those of the others."""
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
