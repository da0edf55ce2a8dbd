"""Dice: choices at random that come out alike on every machine and in every version of Python."""

import bisect
import functools
import itertools
import random
from collections.abc import Mapping, Sequence
from typing import TypeVar

Choice = TypeVar("Choice")


class Dice:
    """Choices that only ask for `random()`, whose numbers Python promises never to change."""

    def __init__(self, seed: str, ranks: int | None = None):
        """ranks: `zipf` chooses among the first so many options; None: among all."""
        self._random, self._ranks = random.Random(seed).random, ranks

    def fraction(self) -> float:
        """A number in [0, 1)."""
        return self._random()

    def chance(self, probability: float) -> bool:
        """True with this probability."""
        return self._random() < probability

    def zipf(self, options: Sequence[Choice]) -> Choice:
        """The option of rank r with a probability proportional to 1 / r (Zipf's law)."""
        options = options[: self._ranks]
        sums = _harmonic(len(options))
        return options[bisect.bisect(sums, self._random() * sums[-1])]

    def weighted(self, weights: Mapping[Choice, int]) -> Choice:
        """A key of `weights`, in proportion to its weight."""
        roll = self._random() * sum(weights.values())
        for option, weight in weights.items():
            roll -= weight
            if roll < 0:
                return option
        raise AssertionError("weights are positive integers")

    def among(self, options: Sequence[Choice]) -> Choice:
        """Any of the options, all alike."""
        return options[int(self._random() * len(options))]


@functools.cache
def _harmonic(number):
    return tuple(itertools.accumulate(1 / rank for rank in range(1, number + 1)))
