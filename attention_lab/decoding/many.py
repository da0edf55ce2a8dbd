"""Batched evaluation of many sentences: they are sorted by length and padded to few widths; results keep the order."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np

from attention_lab.models.base import Limits
from attention_lab.padded import Padded, pad, size

# Widths are multiples of a step, and each is one more program to compile: FINE for programs that run often.
FINE, COARSE = 8, 16


def in_batches(
    function: Callable[..., Any],
    *columns: Sequence[np.ndarray],
    rows: int = 64,
    step: int = FINE,
    limits: Limits = Limits(),
    progress: Callable[[int], Any] | None = None,
) -> list[Any]:
    """Applies a function to batches of sentences, and returns the result of each sentence, as NumPy.

    columns: arrays of sources, and ids of targets and the inputs of the decoder where these are given too. function: one
    batch [rows, width, ..] per column -> a pytree with leading axis `rows`; the last batch is filled with padding, so that all batches of a
    width have one shape. Where there are few sentences, batches are smaller. step: widths are multiples of it, and
    each is one more program to compile. limits: those of the model, which bound the padding too; no sentence
    exceeds them. progress: is called with the number of sentences of each finished batch.
    """
    if not columns[0]:
        return []
    rows = min(rows, 1 << (len(columns[0]) - 1).bit_length())
    order = sorted(range(len(columns[0])), key=lambda i: [-size(column[i]) for column in columns])
    results: list[Any] = [None] * len(order)
    for first in range(0, len(order), rows):
        part = order[first : first + rows]
        batch = zip(columns, (limits.positions, limits.target, limits.target), strict=False)
        outputs = function(
            *(_padded([column[i] for i in part], rows, step, most) for column, most in batch)
        )
        outputs = jax.tree.map(np.asarray, outputs)
        for row, i in enumerate(part):
            results[i] = jax.tree.map(lambda x, row=row: x[row], outputs)
        if progress is not None:
            progress(len(part))
    return results


def _padded(rows, count, step, most) -> Padded:
    width = -(-max(map(size, rows)) // step) * step
    return pad(rows, width if most is None else min(width, most), count)
