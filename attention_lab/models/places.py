"""Encodings of positions, added to the embeddings of a sequence or to the cells of a grid."""

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp

from attention_lab.mechanism import Dims
from attention_lab.mechanism.contracts import Array, Encoding, Params


def encode_positions(
    encoding: Encoding, params: Params, embedded: Array, positions: Array
) -> Array:
    """Returns embeddings [L, D] with an encoding of their positions [L].

    Raises ValueError if a table of positions is too short for them.
    """
    limit = encoding.limit(params)
    if limit is not None and len(embedded) > limit:
        raise ValueError(
            f"{encoding.name} supports {limit} positions, but there are {len(embedded)} tokens; create the "
            f"model with positions={len(embedded)} or more"
        )
    return jax.vmap(encoding.encode, (None, 0, 0))(params, embedded, positions)


def init_cells(encoding: Encoding, features: int, positions: int) -> Callable[[Array], Params]:
    """Returns (rng) -> the parameters of `encode_cells`: D features, and at most `positions` rows and columns."""
    half = Dims(features // 2, features // 2, positions=positions)

    def init(rng):
        rng_rows, rng_columns = jax.random.split(rng)
        return {"rows": encoding.init(rng_rows, half), "columns": encoding.init(rng_columns, half)}

    return init


def encode_cells(encoding: Encoding, params: Params, grid: Array) -> Array:
    """Returns the cells [Y, X, D] of a grid, with encodings of the row in one half of the features and of the column in the other.

    Raises ValueError if D is odd, or if a table of positions is too short.
    """
    if grid.shape[-1] % 2:
        raise ValueError(
            f"each cell has {grid.shape[-1]} features; rows and columns are encoded in one half each, so make it even"
        )
    by_row, by_column = jnp.split(grid, 2, -1)
    encode = partial(encode_positions, encoding)
    rows, columns = map(jnp.arange, grid.shape[:2])
    by_row = jax.vmap(encode, (None, 1, None), 1)(params["rows"], by_row, rows)
    by_column = jax.vmap(encode, (None, 0, None))(params["columns"], by_column, columns)
    return jnp.concatenate([by_row, by_column], -1)
