"""Diagnostics: the accuracy of words by frequency, reordering and fertility, and the entropy of attention weights.

Classes are numbered from 0 and named below; class −1 contains the words that belong to none of them. Counts are made
per sentence, so that their sums have intervals (`statistics.contributions` with `statistics.ratio_of`).
"""

import itertools
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from attention_lab.evaluation.records import Link

# The least value of each class: how often a word occurs in the training data.
FREQUENCIES = (0, 1, 10, 100, 1000)
FREQUENCY_NAMES = ("never", "1-9", "10-99", "100-999", "1000 or more")
LENGTHS = (1, 11, 21, 31, 41, 51)  # the least value of each class: source words
JUMP_NAMES = ("next in order", "one away", "two away", "further")
FERTILITY_NAMES = ("of no word", "of a word for itself", "one of two", "one of more")


def length_names(lengths: Sequence[int] = LENGTHS) -> tuple[str, ...]:
    """Returns the names of classes of lengths, "1-10", .., "51 or more", from the least length of each."""
    closed = (f"{least}-{above - 1}" for least, above in itertools.pairwise(lengths))
    return *closed, f"{lengths[-1]} or more"


def hits(hypothesis: Sequence[str], reference: Sequence[str]) -> np.ndarray:
    """Returns which words of the reference occur in the hypothesis, with clipped counts: bool [J].

    If the hypothesis has fewer occurrences of a word than the reference, the first ones in the reference are correct.
    """
    remaining = Counter(hypothesis)
    correct = np.zeros(len(reference), bool)
    for j, word in enumerate(reference):
        correct[j] = remaining[word] > 0
        remaining[word] -= 1
    return correct


def frequencies(words: Sequence[str], seen: Mapping[str, int]) -> np.ndarray:
    """Returns the class in FREQUENCIES of each word: int [J]."""
    return classes([seen.get(word, 0) for word in words], FREQUENCIES)


def classes(values: Any, least: Sequence[int]) -> np.ndarray:
    """Returns the last class whose least value does not exceed the value: int [J], −1 if there is none."""
    return np.searchsorted(least, values, side="right") - 1


def jumps(links: Collection[Link], words: int) -> np.ndarray:
    """Returns the distortion of each target word: int [J].

    It is |i_j − i_{j−1} − 1| for the first source words that are linked (Koehn et al. 2003), at most 3. The class is −1
    if a target word, or the one before it, has no link.
    """
    first = np.full(words + 1, -2)
    first[0] = -1  # reading starts before the first word
    for i, j in links:
        first[j + 1] = i if first[j + 1] < 0 else min(i, first[j + 1])
    known = (first[1:] >= 0) & (first[:-1] >= -1)
    return np.where(known, np.minimum(np.abs(np.diff(first) - 1), 3), -1)


def fertilities(links: Collection[Link], words: int) -> np.ndarray:
    """Returns the greatest fertility of the source words of each target word: int [J], at most 3, 0 without a link.

    The fertility of a source word is the number of its target words.
    """
    fertility = Counter(i for i, _ in links)
    greatest = np.zeros(words, int)
    for i, j in links:
        greatest[j] = max(greatest[j], min(fertility[i], 3))
    return greatest


def counted(right: np.ndarray, of: np.ndarray, count: int) -> np.ndarray:
    """Returns the number of correct words in each class, and the number of all its words: int [count, 2]."""
    total = np.bincount(of[of >= 0], minlength=count)
    return np.stack([np.bincount(of[(of >= 0) & right], minlength=count), total], axis=1)


def entropy(weights: Any) -> np.ndarray:
    """Returns −Σ_k w_k log₂ w_k in bits [..] for weights [.., K] normalized to sum to 1; NaN if all are zero."""
    weights = np.asarray(weights, np.float64)
    total = weights.sum(-1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        p = weights / total
        return np.where(total[..., 0] > 0, -np.where(p > 0, p * np.log2(p), 0).sum(-1), np.nan)


def agreement(weights: Any, others: Any) -> np.ndarray:
    """Returns Σ_k min(w_k, w'_k) for distributions [.., K]: 1 if they are equal, 0 if their supports are disjoint."""
    return np.minimum(weights, others).sum(-1)
