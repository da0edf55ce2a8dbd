"""Checks of inputs: sequences, and arrays with an entry for each of their positions."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import jax.numpy as jnp

from attention_lab.mechanism.contracts import Array, Score


def sequence_length(what: str, rows: Array) -> int:
    """Returns the length of one sequence [length, features]. Raises ValueError if the array is not one."""
    if rows.ndim != 2:
        raise ValueError(
            f"{what} must be one sequence [length, features], but their shape is {rows.shape}; "
            "use jax.vmap for a batch"
        )
    if not jnp.issubdtype(rows.dtype, jnp.floating):
        raise ValueError(f"{what} must be of a floating-point type, but are {rows.dtype}")
    if rows.shape[0] == 0:
        raise ValueError(f"there are no {what}; pad to one position, and set valid to False there")
    return rows.shape[0]


def one_each(what: str, numbers: Any, length: int) -> Array:
    """Returns the numbers as an array [length]. Raises ValueError if there is not one for each position."""
    numbers = jnp.asarray(numbers)
    if numbers.shape != (length,):
        raise ValueError(
            f"{what} must have shape ({length},), one entry per position, but has {numbers.shape}"
        )
    return numbers


def truths(what: str, matrix: Any, shape: tuple[int, ...]) -> Array:
    """Returns the matrix as an array of bool. Raises ValueError if its shape or type differs."""
    matrix = jnp.asarray(matrix)
    if matrix.shape != shape or matrix.dtype != bool:
        raise ValueError(
            f"{what} must be bool{list(shape)}, but is {matrix.dtype}{list(matrix.shape)}"
        )
    return matrix


@contextmanager
def fitting(side: str, score: Score, vector: Array) -> Iterator[None]:
    """Turns the TypeError of a vector that does not fit the parameters into a ValueError that names the remedy."""
    try:
        yield
    except TypeError as error:
        raise ValueError(
            f"a {side} of {vector.size} features does not fit the parameters of score {score.name}; "
            f"initialize them with dims.{side}={vector.size}"
        ) from error
