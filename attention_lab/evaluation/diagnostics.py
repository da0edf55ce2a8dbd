"""Diagnostics: which words come out right, by how often they were seen, where they stand and what they are of;
and how attention spreads.

Classes are numbered from 0 and named below; what belongs to none is in class −1. Counts are made for each
sentence, so that their sums have intervals (`statistics.contributions` with `statistics.ratio_of`).
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from attention_lab.evaluation.records import Link

FREQUENCIES = (
    0,
    1,
    10,
    100,
    1000,
)  # the least of each class: times that a word was seen in training
FREQUENCY_NAMES = ("never", "1-9", "10-99", "100-999", "1000 or more")
LENGTHS = (1, 11, 21, 31, 41, 51)  # the least of each class: words of the source
LENGTH_NAMES = ("1-10", "11-20", "21-30", "31-40", "41-50", "51 or more")
JUMP_NAMES = ("next in order", "one away", "two away", "further")
FERTILITY_NAMES = ("of no word", "of a word for itself", "one of two", "one of more")


def hits(hypothesis: Sequence[str], reference: Sequence[str]) -> np.ndarray:
    """Which words of the reference the hypothesis has, each as often as it has it: bool [J].

    Where it has fewer of a word than the reference, the first ones count as right.
    """
    left = Counter(hypothesis)
    found = np.zeros(len(reference), bool)
    for j, word in enumerate(reference):
        found[j] = left[word] > 0
        left[word] -= 1
    return found


def frequencies(words: Sequence[str], seen: Mapping[str, int]) -> np.ndarray:
    """The class in FREQUENCIES of each word [J]."""
    return classes([seen.get(word, 0) for word in words], FREQUENCIES)


def classes(values: Any, least: Sequence[int]) -> np.ndarray:
    """The last class whose least is not above the value: int [J], −1 below all of them."""
    return np.searchsorted(least, values, side="right") - 1


def jumps(links: Collection[Link], words: int) -> np.ndarray:
    """How far the source word of each target word is from where reading on would be: int [J].

    |i_j − i_{j−1} − 1| of the first source words that are linked (Koehn et al. 2003), 3 for more; class −1
    where a target word, or the one before it, is not linked.
    """
    first = np.full(words + 1, -2)
    first[0] = -1  # reading starts before the first word
    for i, j in links:
        first[j + 1] = i if first[j + 1] < 0 else min(i, first[j + 1])
    known = (first[1:] >= 0) & (first[:-1] >= -1)
    return np.where(known, np.minimum(np.abs(np.diff(first) - 1), 3), -1)


def fertilities(links: Collection[Link], words: int) -> np.ndarray:
    """How many target words the source words of each target word have, the most of them, at most 3; 0 unlinked."""
    children = Counter(i for i, _ in links)
    found = np.zeros(words, int)
    for i, j in links:
        found[j] = max(found[j], min(children[i], 3))
    return found


def counted(right: np.ndarray, of: np.ndarray, count: int) -> np.ndarray:
    """How many of each class are right, and how many there are: int [count, 2]."""
    there = np.bincount(of[of >= 0], minlength=count)
    return np.stack([np.bincount(of[(of >= 0) & right], minlength=count), there], axis=1)


def entropy(weights: Any) -> np.ndarray:
    """−Σ_k w_k log₂ w_k of weights [.., K], scaled to sum to 1, in bits [..]; NaN where all are zero."""
    weights = np.asarray(weights, np.float64)
    total = weights.sum(-1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        p = weights / total
        return np.where(total[..., 0] > 0, -np.where(p > 0, p * np.log2(p), 0).sum(-1), np.nan)


def agreement(weights: Any, others: Any) -> np.ndarray:
    """Σ_k min(w_k, w'_k) of two distributions [.., K]: 1 where they are the same, 0 where they share nothing."""
    return np.minimum(weights, others).sum(-1)
