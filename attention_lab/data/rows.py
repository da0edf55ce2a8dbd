"""Training examples as rows of ids: pairs of sentences, windows of long texts, and pairs made by an objective.

A row is a pure function of (examples, seed, epoch, index), so that batches can be computed in any order.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from attention_lab.data.documents import Document
from attention_lab.data.objectives import Objective
from attention_lab.data.tokenizer import Tokenizer
from attention_lab.special_tokens import END, START


class Row(NamedTuple):
    """The ids of one training example.

    source: int32 [K]; target: int32 [T]. inputs: int32 [T], what the decoder reads at each position; None: the target,
    shifted to the right, after START. segments: int32 [T], the document to which each position belongs; None: all
    belong to one.
    """

    source: np.ndarray
    target: np.ndarray
    inputs: np.ndarray | None = None
    segments: np.ndarray | None = None


class Rows(Protocol):
    """Training examples as ids; their lengths are the same in every epoch, and their contents may differ."""

    @property
    def left_out(self) -> dict[str, int]:
        """The number of examples that are left out, by reason."""

    @property
    def lengths(self) -> tuple[np.ndarray, np.ndarray]:
        """The most ids of the source and of the target of each row, [N] each."""

    def epoch(self, seed: int, number: int, /) -> Callable[[int], Row]:
        """Returns the function from the index of a row to the row in an epoch; it is a pure function of its arguments."""


class Pairs(NamedTuple):
    """Encoded sentence pairs, each ending in END, and the number of those left out, by reason."""

    source: list[np.ndarray]  # int32 [K] each
    target: list[np.ndarray]  # int32 [T] each
    places: np.ndarray  # [N] the index of each pair among the examples
    left_out: dict[str, int]

    def __len__(self) -> int:
        return len(self.source)

    @property
    def lengths(self) -> tuple[np.ndarray, np.ndarray]:
        """The number of ids of each source and of each target."""
        source, target = (np.array([len(ids) for ids in side], int) for side in self[:2])
        return source, target

    def epoch(self, seed: int, number: int, /) -> Callable[[int], Row]:
        """Returns the function from the index of a pair to the pair, which is the same in every epoch."""
        del seed, number
        return lambda index: Row(self.source[index], self.target[index])


def encode(
    examples: Iterable[dict[str, Any]],
    source_tokenizer: Tokenizer,
    target_tokenizer: Tokenizer,
    max_length: int | None = None,
) -> Pairs:
    """Encodes examples {"source": str, "target": str}.

    Pairs with a blank side, or with more than max_length tokens (END included) on a side, are left out and counted.
    """
    examples = list(examples)
    end = np.array([END], np.int32)

    def side(name, tokenizer):
        ids = tokenizer.encode_ids(example[name] for example in examples)
        return [np.concatenate([row, end]) for row in ids]

    source, target = side("source", source_tokenizer), side("target", target_tokenizer)
    blank = np.array([min(len(s), len(t)) == 1 for s, t in zip(source, target, strict=True)], bool)
    longest = np.array([max(len(s), len(t)) for s, t in zip(source, target, strict=True)], int)
    long = ~blank & (longest > (max_length or np.inf))
    index = np.flatnonzero(~blank & ~long)
    return Pairs(
        [source[i] for i in index],
        [target[i] for i in index],
        index,
        {"a blank side": int(blank.sum()), f"more than {max_length} tokens": int(long.sum())},
    )


class Windows(NamedTuple):
    """Windows of `context` consecutive tokens of documents, for a language model; each document ends in END.

    An epoch consists of all documents in a random order, one after the other, cut at multiples of `context` from a
    random offset: every token is predicted once, except for fewer than 2 · context at the two ends, which differ
    between epochs. Positions of different documents have different segments, so that a model does not attend from one
    to another.
    """

    documents: Sequence[np.ndarray]  # int32 [T] each
    context: int
    left_out: dict[str, int]

    @property
    def lengths(self) -> tuple[np.ndarray, np.ndarray]:
        """No source, and `context` target ids of each window; fewer if all documents together are shorter."""
        total = sum(map(len, self.documents))
        count = max(1, (total - self.context + 1) // self.context) if total else 0
        return np.zeros(count, int), np.full(count, min(self.context, total))

    def epoch(self, seed: int, number: int, /) -> Callable[[int], Row]:
        """Returns the function from the index of a window to the window in an epoch."""
        rng = np.random.default_rng([seed, number, 2])
        order = rng.permutation(len(self.documents))
        documents = [self.documents[i] for i in order]
        target, inputs = np.concatenate(documents), np.concatenate([*map(inputs_of, documents)])
        segments = np.repeat(np.arange(len(documents)), list(map(len, documents)))
        count, size = len(self.lengths[1]), int(self.lengths[1][0])
        offset = int(rng.integers(len(target) - count * size + 1))
        several = len(documents) > 1

        def window(index):
            part = slice(offset + index * size, offset + (index + 1) * size)
            own = segments[part].astype(np.int32) if several else None
            return Row(np.empty(0, np.int32), target[part], inputs[part], own)

        return window


class Noised(NamedTuple):
    """Pairs that an objective makes from documents, each ending in END, with other noise in each epoch."""

    documents: Sequence[Document]
    objective: Objective
    left_out: dict[str, int]

    @property
    def lengths(self) -> tuple[np.ndarray, np.ndarray]:
        """The most ids of the source and of the target that the objective makes from each document."""
        bounds = [self.objective.bound(len(document.ids)) for document in self.documents]
        source, target = np.array(bounds, int).reshape(-1, 2).T + 1
        return source, target

    def epoch(self, seed: int, number: int, /) -> Callable[[int], Row]:
        """Returns the function from the index of a document to its pair in an epoch."""

        def row(index):
            rng = np.random.default_rng([seed, number, 3, index])
            sides = self.objective.apply(self.documents[index], rng)
            return Row(*(np.append(ids, END).astype(np.int32) for ids in sides))

        return row


def inputs_of(target: np.ndarray) -> np.ndarray:
    """Returns what a decoder reads at each position of a target [T]: START, then all tokens but the last."""
    return np.concatenate([[START], target[:-1]]).astype(np.int32)


def consecutive(document: np.ndarray, context: int) -> list[Row]:
    """Returns the windows of one document, each of `context` tokens but the last; no token is left out or repeated."""
    inputs = inputs_of(document)
    cuts = range(0, len(document), context)
    return [
        Row(np.empty(0, np.int32), document[i : i + context], inputs[i : i + context]) for i in cuts
    ]
