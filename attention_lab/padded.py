"""Sequences and grids padded to one size, with a validity mask: padding is never inferred from an id or a value."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from attention_lab.special_tokens import PAD


class Padded(NamedTuple):
    """One sequence or grid, or a batch of them.

    values: [.., L] ids, [.., L, F] frames, or [.., Y, X, C] an image; valid: bool[.., L] or bool[.., Y, X], False at
    padding. Along each axis padding follows all valid positions, and its values are arbitrary.
    """

    values: Any
    valid: Any


def pad(rows: Sequence[np.ndarray], length: int, count: int | None = None) -> Padded:
    """Pads rows to a batch of `count` rows, by default as many as are given; the others consist of padding only.

    rows: ids [K], padded with PAD to [count, length]; frames [K, F], padded with 0 to [count, length, F]; or images
    [Y, X, C], padded with 0 to squares [count, length, length, C].
    """
    rows = list(map(np.asarray, rows))
    count = len(rows) if count is None else count
    axes = positions(rows[0].shape) if rows else (0,)
    shape = (count, *[length] * len(axes))
    fill = PAD if not rows or rows[0].ndim == 1 else 0
    features = rows[0].shape[len(axes) :] if rows else ()
    kind = np.int32 if not features else rows[0].dtype
    values, valid = np.full((*shape, *features), fill, kind), np.zeros(shape, bool)
    for i, row in enumerate(rows):
        own = tuple(slice(size) for size in positions(row.shape))
        values[i][own], valid[i][own] = row, True
    return Padded(values, valid)


def positions(shape: Sequence[int]) -> tuple[int, ...]:
    """Returns the axes of positions of a row's shape: (K,) of ids [K] and of frames [K, F], (Y, X) of an image [Y, X, C]."""
    return tuple(shape[:1]) if len(shape) < 3 else tuple(shape[:2])


def size(row: np.ndarray) -> int:
    """Returns the greatest number of positions along an axis of a row: K, or the greater of Y and X."""
    return max(positions(row.shape))
