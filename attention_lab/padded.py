"""Sequences padded to one length, and which of their positions exist: no id or number says that of itself."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from attention_lab.special_tokens import PAD


class Padded(NamedTuple):
    """One sequence, or a batch of them.

    values: [.., L] integers, or [.., L, F] numbers; valid: bool[.., L], False where a position is padding,
    which may stand only at the end and may hold anything.
    """

    values: Any
    valid: Any


def pad(rows: Sequence[np.ndarray], length: int, count: int | None = None) -> Padded:
    """A batch [count, length] of rows of ids, by default as many as there are; what is padding holds PAD.

    Rows beyond the given ones are all padding.
    """
    count = len(rows) if count is None else count
    values, valid = np.full((count, length), PAD, np.int32), np.zeros((count, length), bool)
    for i, row in enumerate(rows):
        values[i, : len(row)], valid[i, : len(row)] = row, True
    return Padded(values, valid)
