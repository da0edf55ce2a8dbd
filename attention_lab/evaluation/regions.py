"""Where a model looks while it writes a word that describes a part of its source: a part of a picture or of a recording.

    pointer = best_pointer(valid_records)                  # layer and head; or None: the mean of the heads of the last layer
    counts = pointing_counts(test_records, pointer)        # the pointing game (Zhang et al. 2018, §4.1)
    inside = inside_sums(test_records, pointer)            # attention correctness (Liu et al. 2017)

Records say where everything is: boxes of source words, in units of the source's states, and links between these and
the words of the target. A state is a square, or an interval of time, on which its weight is spread evenly.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from attention_lab.evaluation.pointing import Pointer, cross_layers, pointers
from attention_lab.evaluation.records import Record


class Looked(NamedTuple):
    """The weights of one target word, and the boxes of what it describes.

    word: its index; weights: over states, float64 [Y, X] or [K], summing to 1, or all 0; boxes: [n, 2 · axes].
    """

    word: int
    weights: np.ndarray
    boxes: np.ndarray


def looked(record: Record, pointer: Pointer | None = None) -> Iterator[Looked]:
    """Yields the target words of a record that have boxes, with their weights: the mean over the word's tokens.

    pointer: None means the mean of all heads of the last cross-attention layer. Raises ValueError if there is no
    cross-attention.
    """
    layers = cross_layers(record)
    if not layers:
        raise ValueError("the record has no cross-attention, so it looks nowhere")
    maps = word_maps(record, *(pointer or Pointer(layers[-1])))
    for word, (row, boxes) in enumerate(zip(maps, boxes_of_words(record), strict=True)):
        if boxes and word in record.target_word_of:
            total = row.sum()
            yield Looked(word, row / total if total > 0 else row, np.array(boxes))


def word_maps(record: Record, layer: str, head: int | None = None) -> np.ndarray:
    """Returns the weights [words, *states] of each target word, the mean over its tokens; 0 for a word without tokens.

    head: None means the mean of all heads.
    """
    heads = record.weights[layer]
    weights = heads.mean(0, dtype=float) if head is None else heads[head]
    tokens = np.asarray(record.target_word_of)
    rows = [
        weights[tokens == word].mean(0, dtype=float)
        if (tokens == word).any()
        else np.zeros(weights.shape[1])
        for word in range(len(record.target_words))
    ]
    return np.reshape(rows, (-1, *record.states))


def boxes_of_words(record: Record) -> list[list[tuple[float, ...]]]:
    """Returns for each target word the boxes of what it describes, in units of states."""
    links = sorted(record.links or ())
    return [
        [record.boxes[i] for i, j in links if j == word] for word in range(len(record.target_words))
    ]


def covered(states: Sequence[int], boxes: np.ndarray) -> np.ndarray:
    """Returns the part of each state that lies in one of the boxes [n, 2 · axes], which do not overlap: [states]."""
    total = np.zeros(tuple(states))
    for box in boxes:
        low, high = np.split(np.asarray(box, float), 2)
        part = np.ones(())
        for first, last, size in zip(low, high, states, strict=True):
            place = np.arange(size)
            along = np.clip(np.minimum(last, place + 1) - np.maximum(first, place), 0, None)
            part = np.multiply.outer(part, along)
        total += part
    return np.minimum(total, 1.0)


def contained(states: Sequence[int], boxes: np.ndarray) -> np.ndarray:
    """Returns whether the middle of each state lies in one of the boxes [n, 2 · axes]: bool[states]."""
    middles = np.stack(np.meshgrid(*(np.arange(n) + 0.5 for n in states), indexing="ij"), -1)
    low, high = np.split(boxes.reshape(len(boxes), *[1] * len(states), -1), 2, axis=-1)
    return np.any(np.all((middles >= low) & (middles < high), -1), 0)


def pointing_counts(records: Sequence[Record], pointer: Pointer | None = None) -> np.ndarray:
    """Returns for each record how many words have their greatest weight in one of their boxes, and how many have boxes: int [N, 2].

    A state lies in a box if its middle does; the first one wins a tie. A word without weights points nowhere.
    """
    rows = np.zeros((len(records), 2), int)
    for row, record in zip(rows, records, strict=True):
        for one in looked(record, pointer):
            place = np.unravel_index(one.weights.argmax(), one.weights.shape)
            row += bool(one.weights.any() and contained(record.states, one.boxes)[place]), 1
    return rows


def inside_sums(records: Sequence[Record], pointer: Pointer | None = None) -> np.ndarray:
    """Returns for each record the sum over its words with boxes of the weight inside them, and their number: [N, 2]."""
    rows = np.zeros((len(records), 2))
    for row, record in zip(rows, records, strict=True):
        for one in looked(record, pointer):
            row += (one.weights * covered(record.states, one.boxes)).sum(), 1
    return rows


def area_sums(records: Sequence[Record]) -> np.ndarray:
    """Returns what `inside_sums` is for equal weights on all states: [N, 2]."""
    rows = np.zeros((len(records), 2))
    for row, record in zip(rows, records, strict=True):
        for one in looked(record):
            row += covered(record.states, one.boxes).mean(), 1
    return rows


def distance_sums(records: Sequence[Record], pointer: Pointer | None = None) -> np.ndarray:
    """Returns for each record the sum over its words of the distance from the mean position of the weights to the nearest middle of a box, and their number: [N, 2].

    Distances are in the unit in which the boxes were given. Words without weights do not count.
    """
    rows = np.zeros((len(records), 2))
    for row, record in zip(rows, records, strict=True):
        for one in looked(record, pointer):
            if not one.weights.any():
                continue
            places = np.moveaxis(np.indices(one.weights.shape), 0, -1) + 0.5
            mean = (one.weights[..., None] * places).reshape(-1, places.shape[-1]).sum(0)
            low, high = np.split(one.boxes, 2, axis=1)
            nearest = np.linalg.norm((low + high) / 2 - mean, axis=1).min()
            row += nearest / record.scale, 1
    return rows


def widened(record: Record, margin: float) -> Record:
    """Returns the record with boxes that are wider by `margin` on all sides, in the unit in which they were given."""
    if not margin or not record.boxes:
        return record
    by = margin * record.scale
    half = len(record.boxes[0]) // 2
    signs = [-by] * half + [by] * half
    boxes = tuple(
        tuple(edge + sign for edge, sign in zip(box, signs, strict=True)) for box in record.boxes
    )
    return record._replace(boxes=boxes)


def best_pointer(records: Sequence[Record]) -> Pointer:
    """Returns the cross-attention layer, and its head or the mean of its heads, with the most weight inside boxes.

    Choose on validation examples. The first one wins a tie: lower layers come first, and means before heads. Raises
    ValueError if there is no cross-attention.
    """
    choices = pointers(records[0])
    return max(choices, key=lambda one: float(inside_sums(records, one)[:, 0].sum()))
