"""Alignment: word alignments are extracted from attention weights and compared with gold links.

    choice = best_layer(valid_records)             # selects layer, head and rule on validation data
    print(alignment_error(test_records, choice))   # is called once, on test data

The weights of a record must be those of teacher forcing, because its gold links refer to the reference translation.
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
        details = f"precision {100 * self.precision:.1f}, recall {100 * self.recall:.1f}"
        return f"AER {100 * self.aer:.1f} ({details})"


def errors(
    predicted: Iterable[Links], sure: Iterable[Links], possible: Iterable[Links] | None = None
) -> Errors:
    """AER = 1 − (|A∩S| + |A∩P|) / (|A| + |S|), with counts summed over all sentences (Och & Ney 2003).

    A: the predicted links of each sentence; S: the sure ones; P: the possible ones, which always include the sure
    ones. Precision is |A∩P| / |A|, or 0 if no link is predicted; recall is |A∩S| / |S|.

    Raises ValueError if the numbers of sentences differ or if there is no sure link.
    """
    counts = link_counts(predicted, sure, possible)
    links, possible_hits, sure_hits, sure_links = counts.sum(0).tolist()
    if not sure_links:
        raise ValueError(f"none of {len(counts)} sentences has a sure link; AER is not defined")
    precision = possible_hits / links if links else 0.0
    aer = 1 - (sure_hits + possible_hits) / (links + sure_links)
    return Errors(precision, sure_hits / sure_links, aer)


def link_counts(
    predicted: Iterable[Links], sure: Iterable[Links], possible: Iterable[Links] | None = None
) -> np.ndarray:
    """Returns |A|, |A∩P|, |A∩S| and |S| of each sentence, int [N, 4]; see `errors`."""
    predicted, sure = list(predicted), list(sure)
    possible = sure if possible is None else list(possible)
    if not len(predicted) == len(sure) == len(possible):
        raise ValueError(
            f"{len(predicted)} sentences have predicted links, {len(sure)} sure and {len(possible)} "
            "possible ones; the numbers must be equal"
        )
    triples = zip(map(set, predicted), map(set, sure), map(set, possible), strict=True)
    rows = [(len(a), len(a & (s | p)), len(a & s), len(s)) for a, s, p in triples]
    return np.array(rows, int).reshape(-1, 4)


def word_weights(
    record: Record, layer: str = "cross/0", head: int | None = None, shift: int = 0
) -> np.ndarray:
    """Returns attention weights between words, [J target words, I source words + 1].

    Weights are summed over the tokens of a source word, and averaged over the tokens of a target word (Clark et al.
    2019, §4.1). The last column is the weight on special tokens. A word without tokens has zeros. layer: the attention
    layer; for self-attention, "encoder/0" or "decoder/0", rows and columns are words of the same side. head: None
    averages over the heads. shift: 1 reads, for each token, the weights of the following decoding step, in which the
    token is the input; the last token keeps its own step.

    Raises ValueError if the record has no such layer or head.
    """
    heads = _heads_by_words(record, layer, shift)
    if head is None:
        return heads.mean(0)
    if not 0 <= head < len(heads):
        raise ValueError(
            f"{layer} has {len(heads)} heads, counted from 0, but head {head} was requested"
        )
    return heads[head]


def hard_links(matrix: Any, threshold: float | None = None) -> frozenset[Link]:
    """Extracts links from weights between words [J, I + 1]: each target word with the source word of greatest weight.

    The first one wins a tie. A target word has no link if the weight on special tokens, the last column, exceeds that
    of every source word, or if all weights are zero. threshold: link instead every source word with at least this
    fraction of the greatest weight of the row, 0 < threshold <= 1. It is relative, because the rows of some normalizers
    do not sum to one.
    """
    matrix = np.asarray(matrix)
    if matrix.ndim != 2 or not matrix.shape[1]:
        raise ValueError(
            f"word weights have shape {matrix.shape}, expected [target words, source words + 1]"
        )
    if threshold is not None and not 0 < threshold <= 1:
        raise ValueError(
            f"threshold {threshold} is not a fraction of the greatest weight: 0 < t <= 1 is required"
        )
    words, special = matrix[:, :-1], matrix[:, -1]
    greatest = words.max(axis=1, initial=0)
    linked = ((greatest > 0) & (greatest >= special))[:, None]
    if threshold is None:
        linked = linked & (np.arange(words.shape[1]) == _first_greatest(words)[:, None])
    else:
        linked = linked & (words >= threshold * greatest[:, None])
    return frozenset((int(i), int(j)) for j, i in np.argwhere(linked))


def diagonal(source_words: int, target_words: int) -> frozenset[Link]:
    """Returns the links of a diagonal alignment, a baseline that does not look at the words.

    Target word j of J is linked to the source word i of I whose i/I is nearest to j/J.
    """
    width, height = source_words, target_words
    if not width:
        return frozenset()
    nearest = ((2 * j * width + height) // (2 * height) for j in range(height))
    return frozenset((min(i, width - 1), j) for j, i in enumerate(nearest))


class Rule(NamedTuple):
    """A rule that extracts links from weights; see `hard_links` and `word_weights`."""

    threshold: float | None = None
    shift: int = 0

    def __str__(self):
        text = "greatest weight"
        if self.threshold is not None:
            text = f"at least {self.threshold:g} of the greatest weight"
        return text + (f", shifted by {self.shift}" if self.shift else "")


# The candidate rules. A shift of 1 reads the attention of the following step (Chen et al. 2020).
RULES = tuple(Rule(threshold, shift) for shift in (0, 1) for threshold in (None, 0.7, 0.4))


class Choice(NamedTuple):
    """The layer, head and rule with which links are extracted, and the errors on which the choice is based."""

    layer: str
    head: int | None  # None: the mean of all heads
    rule: Rule
    errors: Errors

    def __str__(self):
        head = "mean of heads" if self.head is None else f"head {self.head}"
        return f"{self.layer}, {head}, {self.rule}: {self.errors}"


def best_layer(records: Sequence[Record], rules: Sequence[Rule] = RULES) -> Choice:
    """Returns the cross-attention layer, head (or mean of heads) and rule with the least AER; the first wins a tie.

    Choose on validation records, and measure the result on other records with `alignment_error`. Raises ValueError
    if a record has no links, or if the records differ in their attention layers or heads.
    """
    gold = _gold(records)
    heads = _cross_heads(records[0])
    if not heads or not rules:
        raise ValueError("there is nothing to choose from: there is no cross-attention, or no rule")
    for number, record in enumerate(records):
        if _cross_heads(record) != heads:
            raise ValueError(
                f"record {number} has cross-attention {_cross_heads(record)}, but record 0 {heads}; "
                "choose among records of one model"
            )
    choices = [
        Choice(layer, head, rule, head_errors)
        for layer, count in heads.items()
        for rule in rules
        for head, head_errors in _errors_by_head(records, gold, layer, count, rule)
    ]
    return min(choices, key=lambda choice: choice.errors.aer)


def alignment_error(records: Sequence[Record], choice: Choice) -> Errors:
    """Returns the errors of the links that are extracted by `choice`. Raises ValueError if a record has no links."""
    return errors(predicted_links(records, choice), _gold(records))


def predicted_links(records: Iterable[Record], choice: Choice) -> list[Links]:
    """Extracts the links of each record with the layer, head and rule of `choice`."""
    return [
        hard_links(
            word_weights(record, choice.layer, choice.head, choice.rule.shift),
            choice.rule.threshold,
        )
        for record in records
    ]


def _gold(records: Sequence[Record]) -> list[Links]:
    if not records:
        raise ValueError("there are no records, so there is no alignment to compare with links")
    gold: list[Links] = []
    for number, record in enumerate(records):
        if record.links is None:
            raise ValueError(
                f"record {number} has no gold links; its alignment cannot be evaluated"
            )
        gold.append(record.links)
    return gold


def _cross_heads(record):
    return {
        layer: len(weights)
        for layer, weights in sorted(record.weights.items())
        if sides(layer) == ("target", "source")
    }


def _errors_by_head(records, gold, layer, count, rule):
    """Yields (head, errors) for the mean of the heads (None) and, if there are several, for each head."""
    merged = [_heads_by_words(record, layer, rule.shift) for record in records]
    for head in (None, *(range(count) if count > 1 else ())):
        matrices = (weights.mean(0) if head is None else weights[head] for weights in merged)
        yield head, errors((hard_links(matrix, rule.threshold) for matrix in matrices), gold)


def _heads_by_words(record, layer, shift):
    """Returns `word_weights` of every head, [H, query words, key words + 1]."""
    if layer not in record.weights:
        raise ValueError(
            f"the record has no weights of {layer!r}, only {', '.join(record.weights)}"
        )
    query_side, key_side = sides(layer)
    weights = record.weights[layer].astype(np.float64)
    length = weights.shape[1]
    weights = weights[:, np.clip(np.arange(length) + shift, 0, length - 1)]
    queries = _members(record, query_side)[:-1]
    average = queries / np.maximum(queries.sum(axis=1, keepdims=True), 1)
    return average @ weights @ _members(record, key_side).T


def _members(record, side):
    """Returns the indicator matrix of word membership, [words + 1, tokens]; the last row is that of special tokens."""
    words, word_of = getattr(record, f"{side}_words"), getattr(record, f"{side}_word_of")
    rows = np.arange(len(words) + 1)[:, None]
    return (np.array(word_of, int) % (len(words) + 1) == rows).astype(np.float64)


def _first_greatest(words):
    return words.argmax(axis=1) if words.shape[1] else np.zeros(len(words), int)
