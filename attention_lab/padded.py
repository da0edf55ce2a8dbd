"""Sequences padded to one length, with a validity mask: padding is never inferred from an id or a value."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from attention_lab.special_tokens import PAD


class Padded(NamedTuple):
    """One sequence, or a batch of them.

    values: [.., L] integers, or [.., L, F] numbers; valid: bool[.., L], False at padding. Padding follows all
    valid positions, and its values are arbitrary.
    """

    values: Any
    valid: Any


def pad(rows: Sequence[np.ndarray], length: int, count: int | None = None) -> Padded:
    """Pads rows of ids with PAD to a batch [count, length]; count is len(rows) by default.

    Rows after the given ones consist of padding only.
    """
    count = len(rows) if count is None else count
    values, valid = np.full((count, length), PAD, np.int32), np.zeros((count, length), bool)
    for i, row in enumerate(rows):
        values[i, : len(row)], valid[i, : len(row)] = row, True
    return Padded(values, valid)
