"""The corpus: splits of distinct sentence pairs, the same on every machine, of any size."""

import functools
import hashlib
from collections.abc import Callable, Iterator, Sequence
from types import MappingProxyType
from typing import Any, overload

from attention_lab.data.rosetta.chains import Draft, continued, draw_sentence, opened
from attention_lab.data.rosetta.draws import Dice
from attention_lab.data.rosetta.words import Realized, realize

# Of 100 French sentences, so many belong to each split, whatever its size or seed.
_SHARES = MappingProxyType({"train": 70, "validation": 8, "test": 8, "test_long": 14})
SIZES = MappingProxyType({"train": 24_000, "validation": 500, "test": 1_000, "test_long": 600})
STRATA = ((1, 10), (11, 20), (21, 30), (31, 40), (41, 50), (51, 60))

# Never drawn, not even inside a longer sentence: what a trained model is shown to translate.
RESERVED = ("le chat était assis sur le tapis", "je mange une pomme")
_CLAUSES = MappingProxyType({1: 72, 2: 22, 3: 6})
_LONGEST = 28


class Rosetta(Sequence[dict[str, Any]]):
    """Examples by number: {"source", "target", "source_words", "target_words", "links"}.

    links are pairs (i, j) of positions in source_words and target_words, sorted. A slice is a list.
    """

    def __init__(self, pairs: Sequence[Realized]):
        self._pairs = pairs

    def __len__(self) -> int:
        return len(self._pairs)

    @overload
    def __getitem__(self, number: int) -> dict[str, Any]: ...
    @overload
    def __getitem__(self, number: slice) -> list[dict[str, Any]]: ...
    def __getitem__(self, number):
        if isinstance(number, slice):
            return [_example(pair) for pair in self._pairs[number]]
        return _example(self._pairs[number])


def _example(pair):
    return {
        "source": pair.source,
        "target": pair.target,
        "source_words": list(pair.source_words),
        "target_words": list(pair.target_words),
        "links": list(pair.links),
    }


def rosetta(split: str, size: int | None = None, seed: int = 0) -> Rosetta:
    """The first `size` examples of a split: train, validation, test or test_long.

    A longer split begins with the shorter one. No sentence of either language is in two splits, for
    any sizes and seeds. test_long takes its examples from each of STRATA (English words) in turn,
    so its size must be a multiple of their number. Raises ValueError for another split or size.
    """
    if split not in SIZES:
        raise ValueError(f"rosetta split {split!r}: expected one of {', '.join(SIZES)}")
    size = SIZES[split] if size is None else size
    if size < 1:
        raise ValueError(f"rosetta size {size}: expected 1 or more")
    if split == "test_long" and size % len(STRATA):
        raise ValueError(
            f"rosetta test_long size {size}: expected a multiple of {len(STRATA)}, for full strata"
        )
    return Rosetta(_drawn(split, size, seed))


@functools.lru_cache(maxsize=8)
def _drawn(split, size, seed):
    if split != "test_long":
        stream = _distinct(split, f"rosetta {split} {seed}", _sentence)
        return tuple(next(stream) for _ in range(size))
    streams = [
        _distinct(split, f"rosetta {split} {seed} {low}-{high}", _of_length(low, high))
        for low, high in STRATA
    ]
    return tuple(next(stream) for _ in range(size // len(STRATA)) for stream in streams)


def _distinct(split: str, seed: str, draw: Callable[[Dice], Realized]) -> Iterator[Realized]:
    """Pairs that belong to a split, each source once."""
    dice, seen = Dice(seed), set()
    while True:
        pair = draw(dice)
        if pair.source not in seen and split_of(pair.target) == split:
            seen.add(pair.source)
            yield pair


def split_of(target: str) -> str:
    """The split that a French sentence belongs to; "" for one that belongs to none.

    The French side decides because several English sentences may have the same translation (ate,
    has eaten: a mangé), but none has two: so no sentence of either language can be in two splits.
    """
    if any(kept in target.lower() for kept in RESERVED):
        return ""
    digest = hashlib.sha256(target.encode()).digest()
    place = int.from_bytes(digest[:8], "big") % sum(_SHARES.values())
    for split, share in _SHARES.items():
        if place < share:
            return split
        place -= share
    raise AssertionError("the shares add up")


def _sentence(dice):
    """A sentence of one to three clauses, of _LONGEST English words at most."""
    while True:
        phrase = draw_sentence(dice, dice.weighted(_CLAUSES))
        if len(phrase.english) <= _LONGEST:
            return realize(phrase)


def _of_length(low: int, high: int) -> Callable[[Dice], Realized]:
    """Draws sentences of low to high English words."""

    def draw(dice: Dice) -> Realized:
        while True:
            wanted = low + int((high - low + 1) * dice.fraction())
            draft: Draft = opened(dice)
            for _ in range(_LONGEST):
                if draft.length >= wanted:
                    break
                longer = continued(dice, draft)
                if longer.length <= high:
                    draft = longer
            if low <= draft.length <= high:
                return realize(draft.phrase)

    return draw
