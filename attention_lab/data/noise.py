"""Noise: the functions by which BART corrupts a document (Lewis et al. 2020, §2.2), and their composition.

    noise = compose(permutation(), infilling(reserved))
    noise.apply(document, rng)                           # a document whose original a model has to restore

Each is a pure function of (document, NumPy Generator) -> document. Where a rate determines a number, it is
max(1, round(rate · n)), so that every token of a document of any length can be affected.
"""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from attention_lab.data.documents import Document

Rng = np.random.Generator
# The ids that a vocabulary reserves for objectives, from its last one downwards.
Reserved = Sequence[int]


class Noise(NamedTuple):
    """A function that corrupts documents.

    apply: (document, rng) -> document. bound: (n) -> the most tokens of a corrupted document of n tokens. reserved:
    the number of reserved ids that it needs.
    """

    name: str
    apply: Callable[[Document, Rng], Document]
    bound: Callable[[int], int]
    reserved: int = 0


def compose(*noises: Noise) -> Noise:
    """Returns the noise that applies each of `noises` in turn."""

    def apply(document: Document, rng: Rng) -> Document:
        for noise in noises:
            document = noise.apply(document, rng)
        return document

    def bound(n: int) -> int:
        for noise in noises:
            n = noise.bound(n)
        return n

    name = "+".join(noise.name for noise in noises)
    return Noise(name, apply, bound, max((noise.reserved for noise in noises), default=0))


def masking(reserved: Reserved, *, rate: float = 0.15) -> Noise:
    """Replaces tokens by the mask, reserved[0]: BERT's 15 %, but all of them, and none by a random token (BART, §4.1)."""
    mask = mask_of(reserved, "masking")
    check_rate(rate)

    def apply(document: Document, rng: Rng) -> Document:
        ids = document.ids.copy()
        ids[_chosen(rng, rate, ids.size)] = mask
        return document._replace(ids=ids)

    return Noise("masking", apply, lambda n: n, reserved=1)


def deletion(*, rate: float = 0.15) -> Noise:
    """Removes tokens, so that a model has to find out where. BART gives no rate: this is that of `masking`.

    A document of one token becomes empty.
    """
    check_rate(rate)

    def apply(document: Document, rng: Rng) -> Document:
        n = document.ids.size
        return document.take(np.delete(np.arange(n), _chosen(rng, rate, n)))

    return Noise("deletion", apply, lambda n: n - count_of(rate, n))


def rotation() -> Noise:
    """Lets the document begin with a uniformly drawn token: what precedes it follows at the end."""

    def apply(document: Document, rng: Rng) -> Document:
        n = document.ids.size
        return document.take(np.roll(np.arange(n), -rng.integers(max(n, 1))))

    return Noise("rotation", apply, lambda n: n)


def permutation() -> Noise:
    """Puts the sentences into a uniformly drawn order."""

    def apply(document: Document, rng: Rng) -> Document:
        starts = document.sentence_starts()
        ends = np.append(starts[1:], document.ids.size)
        order = rng.permutation(len(starts))
        return document.take(ranges(starts[order], ends[order]))

    return Noise("permutation", apply, lambda n: n)


def infilling(reserved: Reserved, *, rate: float = 0.3, mean: float = 3.0) -> Noise:
    """Replaces spans of words by one mask each, reserved[0], so that a model has to find out how much is missing.

    The spans contain 30 % of the words together; their lengths are Poisson(3), and a span of length 0 inserts a mask.
    Lengths are drawn until they contain enough words, and the last one is shortened. Every order of the spans and
    the other words is equally likely; two spans may touch, but they do not overlap (in fairseq they may, and then
    hide less). There are at most as many spans as hidden words: further empty ones, which are rare, are left out,
    so that the result is never longer than the document.
    """
    mask = mask_of(reserved, "infilling")
    check_rate(rate)
    check_mean(mean)

    def apply(document: Document, rng: Rng) -> Document:
        starts = document.word_starts()
        hidden = count_of(rate, len(starts))
        if not hidden:
            return document
        lengths = span_lengths(rng, hidden, mean)
        # Items are spans and words that stay, in their order in the result.
        order = rng.permutation(len(lengths) + len(starts) - hidden)
        spans = np.flatnonzero(order < len(lengths))
        words = np.ones(len(order), int)
        words[spans] = lengths[order[spans]]
        first = np.cumsum(words) - words  # the first word of each item
        bounds = np.append(starts, document.ids.size)
        start, end = bounds[first], bounds[first + words]
        end[spans] = start[spans] + 1  # a span keeps one position, for its mask
        sizes = end - start
        # An empty span at the end of the document belongs to the last sentence.
        index = np.minimum(ranges(start, end), document.ids.size - 1)
        result = document.take(index)
        result.ids[(np.cumsum(sizes) - sizes)[spans]] = mask
        if document.word_of is None:
            return result
        return result._replace(word_of=np.repeat(np.arange(len(order)), sizes))

    return Noise("infilling", apply, lambda n: n, reserved=1)


NOISES: Mapping[str, Callable[..., Noise]] = MappingProxyType(
    {
        "masking": masking,
        "deletion": deletion,
        "rotation": rotation,
        "permutation": permutation,
        "infilling": infilling,
    }
)


def span_lengths(rng: Rng, words: int, mean: float) -> np.ndarray:
    """Returns the lengths of infilled spans, which are Poisson(mean) and sum to `words`; see `infilling`."""
    lengths = rng.poisson(mean, words)
    while lengths.sum() < words:
        lengths = np.concatenate([lengths, rng.poisson(mean, words)])
    total = np.cumsum(lengths)
    last = int(np.searchsorted(total, words))
    lengths = lengths[: last + 1]
    lengths[last] -= total[last] - words
    surplus = max(len(lengths) - words, 0)
    empty = np.flatnonzero(lengths == 0)
    return np.delete(lengths, empty[len(empty) - surplus :]) if surplus else lengths


def count_of(rate: float, n: int) -> int:
    """Returns max(1, round(rate · n)), or 0 if n is 0."""
    return max(1, round(rate * n)) if n else 0


def ranges(starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Returns the integers start, .., end − 1 of each range, one range after the other."""
    sizes = ends - starts
    return np.repeat(starts - (np.cumsum(sizes) - sizes), sizes) + np.arange(sizes.sum())


def mask_of(reserved: Reserved, name: str) -> int:
    """Returns the mask, reserved[0]. Raises ValueError if no id is reserved."""
    if not len(reserved):
        raise ValueError(
            f"{name} needs a mask, but the vocabulary reserves no id; reserve one: raise tokenizer.extra"
        )
    return reserved[0]


def check_rate(rate: float) -> None:
    """Raises ValueError if a rate is not between 0 and 1."""
    if not 0 < rate < 1:
        raise ValueError(f"a rate of {rate:g} is not a fraction; use one between 0 and 1")


def check_mean(mean: float) -> None:
    """Raises ValueError if the mean length of spans is below 1."""
    if not 1 <= mean < np.inf:
        raise ValueError(f"spans have a mean length of {mean:g}; use one of 1 or more")


def _chosen(rng, rate, n):
    return rng.choice(n, count_of(rate, n), replace=False, shuffle=False) if n else []
