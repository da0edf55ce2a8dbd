"""The corpus: splits of distinct sentence pairs, the same on every machine, of any size."""

import functools
import hashlib
import itertools
from collections.abc import Callable, Iterator, Sequence
from types import MappingProxyType
from typing import Any, overload

from attention_lab.data.rosetta.chains import Draft, continued, draw_sentence, opened
from attention_lab.data.rosetta.dice import Dice
from attention_lab.data.rosetta.words import Realized, realize

# Of 100 French sentences, so many belong to each split, whatever its size or seed.
_SHARES = MappingProxyType({"train": 70, "validation": 8, "test": 8, "test_long": 14})
SIZES = MappingProxyType({"train": 24_000, "validation": 500, "test": 1_000, "test_long": 600})
STRATA = ((1, 10), (11, 20), (21, 30), (31, 40), (41, 50), (51, 60))

# Never drawn, not even inside a longer sentence: what a trained model is shown to translate.
RESERVED = ("le chat était assis sur le tapis", "je mange une pomme")
_CLAUSES = MappingProxyType({1: 72, 2: 22, 3: 6})
_LONGEST, _SHORTEST = 28, 4
_FRUITLESS = 20_000  # draws without a new sentence, after which a split is taken to have no more


class Rosetta(Sequence[dict[str, Any]]):
    """Examples by number: {"source", "target", "source_words", "target_words", "links"}.

    links are pairs (i, j) of positions in source_words and target_words, sorted. A slice is a list.
    """

    def __init__(self, pairs: Sequence[Any]):
        self.pairs = pairs

    def __len__(self) -> int:
        return len(self.pairs)

    @overload
    def __getitem__(self, number: int) -> dict[str, Any]: ...
    @overload
    def __getitem__(self, number: slice) -> list[dict[str, Any]]: ...
    def __getitem__(self, number):
        if isinstance(number, slice):
            return [_example(pair) for pair in self.pairs[number]]
        return _example(self.pairs[number])


def _example(pair):
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in zip(pair._fields, pair, strict=True)
    }


def rosetta(
    split: str,
    size: int | None = None,
    seed: int = 0,
    vocabulary: int | None = None,
    longest: int = _LONGEST,
) -> Rosetta:
    """The first `size` examples of a split: train, validation, test or test_long.

    vocabulary: how many words of each table of the grammar are used, the most frequent; None: all. longest: the
    English words of a sentence at most, of which test_long takes no notice. With both small it is a smaller
    language of the same grammar, which a model learns sooner.

    A longer split begins with the shorter one. No sentence of either language is in two splits, for any sizes,
    seeds, vocabularies and lengths. test_long takes its examples from each of STRATA (English words) in turn,
    so its size must be a multiple of their number. Raises ValueError for another split or size, and where the
    language has fewer different sentences.
    """
    if split not in SIZES:
        raise ValueError(f"rosetta split {split!r}: expected one of {', '.join(SIZES)}")
    size = SIZES[split] if size is None else size
    if size < 1:
        raise ValueError(f"rosetta size {size}: expected 1 or more")
    if vocabulary is not None and vocabulary < 1:
        raise ValueError(
            f"rosetta vocabulary {vocabulary}: expected 1 or more, or None for all words"
        )
    if longest < _SHORTEST:
        raise ValueError(f"rosetta longest {longest}: expected {_SHORTEST} or more words")
    if split == "test_long" and size % len(STRATA):
        raise ValueError(
            f"rosetta test_long size {size}: expected a multiple of {len(STRATA)}, for full strata"
        )
    return Rosetta(_drawn(split, size, seed, vocabulary, longest))


@functools.lru_cache(maxsize=8)
def _drawn(split, size, seed, vocabulary, longest):
    if split != "test_long":
        stream = _distinct(split, Dice(f"rosetta {split} {seed}", vocabulary), _up_to(longest))
        return _first(stream, size, split)
    streams = [
        _distinct(
            split, Dice(f"rosetta {split} {seed} {low}-{high}", vocabulary), _of_length(low, high)
        )
        for low, high in STRATA
    ]
    each = [_first(stream, size // len(STRATA), split) for stream in streams]
    return tuple(pair for stratum in zip(*each, strict=True) for pair in stratum)


def _first(stream, size, split):
    pairs = tuple(itertools.islice(stream, size))
    if len(pairs) < size:
        raise ValueError(
            f"rosetta has no {size:,} different sentences in {split}, only about {len(pairs):,}, of so few and such "
            "short ones; ask for a smaller size, a larger vocabulary or a larger longest"
        )
    return pairs


def _distinct(split: str, dice: Dice, draw: Callable[[Dice], Realized]) -> Iterator[Realized]:
    """Pairs that belong to a split, each source once, until no new one turns up."""
    seen, fruitless = set(), 0
    while fruitless < _FRUITLESS:
        pair = draw(dice)
        fruitless += 1
        if pair.source not in seen and split_of(pair.target) == split:
            seen.add(pair.source)
            fruitless = 0
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


@functools.cache
def _up_to(longest: int) -> Callable[[Dice], Realized]:
    """Draws sentences of one to three clauses, of `longest` English words at most."""

    def draw(dice: Dice) -> Realized:
        while True:
            phrase = draw_sentence(dice, dice.weighted(_CLAUSES))
            if len(phrase.english) <= longest:
                return realize(phrase)

    return draw


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
