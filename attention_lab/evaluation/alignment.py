"""Alignment: do the words that attention looks at agree with the words that people have linked?

    choice = best_place(valid_records)             # which layer, head and rule: on validation data
    print(alignment_error(test_records, choice))   # once, on test data

A record must say where attention looked for the very target that its links are about: teacher forcing.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from attention_lab.evaluation.records import Link, Record, sides

Links = Collection[Link]


class Errors(NamedTuple):
    """Precision, recall and alignment error rate, from 0 to 1; printed in percent."""

    precision: float
    recall: float
    aer: float

    def __str__(self):
        told = f"precision {100 * self.precision:.1f}, recall {100 * self.recall:.1f}"
        return f"AER {100 * self.aer:.1f} ({told})"


def errors(
    predicted: Iterable[Links], sure: Iterable[Links], possible: Iterable[Links] | None = None
) -> Errors:
    """AER = 1 − (|A∩S| + |A∩P|) / (|A| + |S|), counted over all sentences (Och & Ney 2003).

    A: the predicted links of each sentence; S: the sure ones; P: the possible ones, of which the sure are
    part, given or not. Precision is |A∩P| / |A|, 0 where nothing is predicted; recall |A∩S| / |S|.
    Raises ValueError where the numbers of sentences differ or no link at all is sure.
    """
    counts = link_counts(predicted, sure, possible)
    found, right, hit, wanted = counts.sum(0).tolist()
    if not wanted:
        raise ValueError(
            f"none of {len(counts)} sentences has a sure link; there is nothing to find"
        )
    precision = right / found if found else 0.0
    return Errors(precision, hit / wanted, 1 - (hit + right) / (found + wanted))


def link_counts(
    predicted: Iterable[Links], sure: Iterable[Links], possible: Iterable[Links] | None = None
) -> np.ndarray:
    """|A|, |A∩P|, |A∩S| and |S| of each sentence: int [N, 4]; see `errors`."""
    predicted, sure = list(predicted), list(sure)
    possible = sure if possible is None else list(possible)
    if not len(predicted) == len(sure) == len(possible):
        raise ValueError(
            f"{len(predicted)} sentences have predicted links, {len(sure)} sure and {len(possible)} "
            "possible ones; each sentence needs all of them"
        )
    every = zip(map(set, predicted), map(set, sure), map(set, possible), strict=True)
    rows = [(len(a), len(a & (s | p)), len(a & s), len(s)) for a, s, p in every]
    return np.array(rows, int).reshape(-1, 4)


def word_weights(
    record: Record, place: str = "cross/0", head: int | None = None, shift: int = 0
) -> np.ndarray:
    """Weights of words, [J target words, I source words + 1]; the last column is what marks receive.

    Over the tokens of a word that is looked at, weights are summed; over those of one that looks, averaged
    (Clark et al. 2019, §4.1). A word without tokens has zeros. head: None averages the heads. shift: 1 reads
    the step at which a token has just been said, not is about to be; the last token has its own alone. At
    "encoder/0" and "decoder/0", the words of one side look at each other. Raises ValueError where the
    record has no such place or head.
    """
    heads = _heads_by_words(record, place, shift)
    if head is None:
        return heads.mean(0)
    if not 0 <= head < len(heads):
        raise ValueError(
            f"{place} has {len(heads)} heads, counted from 0, but head {head} is asked for"
        )
    return heads[head]


def hard_links(matrix: Any, threshold: float | None = None) -> frozenset[Link]:
    """Links from weights of words [J, I + 1]: each target word with the source word it weighs most.

    With none where marks, the last column, have more than any word, or nothing has weight; the first
    of equals is linked. threshold: link every source word with at least this part of the row's greatest
    weight, 0 < threshold <= 1; it is relative, since rows of some normalizers do not sum to one.
    """
    matrix = np.asarray(matrix)
    if matrix.ndim != 2 or not matrix.shape[1]:
        raise ValueError(
            f"word weights have shape {matrix.shape}, expected [target words, source words + 1]"
        )
    if threshold is not None and not 0 < threshold <= 1:
        raise ValueError(f"threshold {threshold} is not a part of the greatest weight: 0 < t <= 1")
    words, marks = matrix[:, :-1], matrix[:, -1]
    greatest = words.max(axis=1, initial=0)
    linked = ((greatest > 0) & (greatest >= marks))[:, None]
    if threshold is None:
        linked = linked & (np.arange(words.shape[1]) == _first_greatest(words)[:, None])
    else:
        linked = linked & (words >= threshold * greatest[:, None])
    return frozenset((int(i), int(j)) for j, i in np.argwhere(linked))


def diagonal(source_words: int, target_words: int) -> frozenset[Link]:
    """The links of a source and a target that run side by side: the baseline that knows nothing.

    Target word j, of J, is linked to that source word i, of I, whose i/I is nearest to j/J.
    """
    width, height = source_words, target_words
    if not width:
        return frozenset()
    nearest = ((2 * j * width + height) // (2 * height) for j in range(height))
    return frozenset((min(i, width - 1), j) for j, i in enumerate(nearest))


class Rule(NamedTuple):
    """How weights become links: see `hard_links` and `word_weights`."""

    threshold: float | None = None
    shift: int = 0

    def __str__(self):
        said = "greatest weight"
        if self.threshold is not None:
            said = f"at least {self.threshold:g} of the greatest weight"
        return said + (f", shifted by {self.shift}" if self.shift else "")


# The rules to choose from. With the shift, attention is that of the step after (Chen et al. 2020).
RULES = tuple(Rule(threshold, shift) for shift in (0, 1) for threshold in (None, 0.7, 0.4))


class Choice(NamedTuple):
    """Where to read alignments, how, and the errors with which it was chosen."""

    place: str
    head: int | None  # None: the mean of all
    rule: Rule
    errors: Errors

    def __str__(self):
        head = "mean of heads" if self.head is None else f"head {self.head}"
        return f"{self.place}, {head}, {self.rule}: {self.errors}"


def best_place(records: Sequence[Record], rules: Sequence[Rule] = RULES) -> Choice:
    """The cross-attention, head or mean of heads, and rule of least AER; the first of equals.

    Choose on validation records, and see with `alignment_error` on others what the choice is worth.
    Raises ValueError where a record has no links, or not the same places and heads as the first.
    """
    gold = _gold(records)
    heads = _cross_heads(records[0])
    if not heads or not rules:
        raise ValueError("there is nothing to choose from: no cross-attention or no rules")
    for number, record in enumerate(records):
        if _cross_heads(record) != heads:
            raise ValueError(
                f"record {number} has cross-attention {_cross_heads(record)}, but record 0 {heads}; "
                "choose among records of one model"
            )
    choices = [
        Choice(place, head, rule, found)
        for place, count in heads.items()
        for rule in rules
        for head, found in _errors_by_head(records, gold, place, count, rule)
    ]
    return min(choices, key=lambda choice: choice.errors.aer)


def alignment_error(records: Sequence[Record], choice: Choice) -> Errors:
    """The errors of records, read as was chosen. Raises ValueError where a record has no links."""
    return errors(predicted_links(records, choice), _gold(records))


def predicted_links(records: Iterable[Record], choice: Choice) -> list[Links]:
    """The links that each record's attention says, read as was chosen."""
    return [
        hard_links(
            word_weights(record, choice.place, choice.head, choice.rule.shift),
            choice.rule.threshold,
        )
        for record in records
    ]


def _gold(records: Sequence[Record]) -> list[Links]:
    if not records:
        raise ValueError("there are no records to compare with their links")
    gold: list[Links] = []
    for number, record in enumerate(records):
        if record.links is None:
            raise ValueError(
                f"record {number} has no links; its alignment is neither right nor wrong"
            )
        gold.append(record.links)
    return gold


def _cross_heads(record):
    return {
        place: len(weights)
        for place, weights in sorted(record.weights.items())
        if sides(place) == ("target", "source")
    }


def _errors_by_head(records, gold, place, count, rule):
    """(head, errors): of the mean of heads, None, and where there are several, of each."""
    merged = [_heads_by_words(record, place, rule.shift) for record in records]
    for head in (None, *(range(count) if count > 1 else ())):
        read = (weights.mean(0) if head is None else weights[head] for weights in merged)
        yield head, errors((hard_links(matrix, rule.threshold) for matrix in read), gold)


def _heads_by_words(record, place, shift):
    """[H, query words, key words + 1]: `word_weights` of every head."""
    if place not in record.weights:
        raise ValueError(
            f"the record has no weights of {place!r}, only {', '.join(record.weights)}"
        )
    asks, asked = sides(place)
    weights = record.weights[place].astype(np.float64)
    length = weights.shape[1]
    weights = weights[:, np.clip(np.arange(length) + shift, 0, length - 1)]
    queries = _members(record, asks)[:-1]
    average = queries / np.maximum(queries.sum(axis=1, keepdims=True), 1)
    return average @ weights @ _members(record, asked).T


def _members(record, side):
    """[words + 1, tokens]: 1 where the token belongs to the word; the last row is that of marks."""
    words, word_of = getattr(record, f"{side}_words"), getattr(record, f"{side}_word_of")
    rows = np.arange(len(words) + 1)[:, None]
    return (np.array(word_of, int) % (len(words) + 1) == rows).astype(np.float64)


def _first_greatest(words):
    return words.argmax(axis=1) if words.shape[1] else np.zeros(len(words), int)
