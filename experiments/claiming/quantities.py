"""Quantities that claims about translation models compare: numbers with intervals, from a study's rows.

Each is None where the rows cannot say it.
"""

from collections.abc import Callable, Sequence

import numpy as np

from attention_lab.evaluation import statistics
from attention_lab.evaluation.statistics import Interval
from experiments import findings
from experiments.findings import METRICS
from experiments.rows import Row

Quantity = Callable[[Sequence[Row]], Interval | None]
BLEU, AER = METRICS
SHORT, LONG = 10, 31  # words of the source: up to, and from


def more(arm: str, other: str) -> Quantity:
    """How much more BLEU an arm has than another."""
    return lambda rows: findings.difference(rows, arm, other, BLEU)


def alignment_error(arm: str) -> Quantity:
    """An arm's alignment error, in percent."""

    def quantity(rows):
        parts = findings.parts_of(rows, arm, AER)
        return None if parts is None else _interval(statistics.contributions(parts, AER.of))

    return quantity


def more_words(arm: str, other: str, name: str, classes: Sequence[int]) -> Quantity:
    """How many more words of some classes, in percent of them, an arm gets right than another."""

    def quantity(rows):
        a, b = (findings.words_of_classes(rows, one, name, classes) for one in (arm, other))
        if a is None or b is None or not a.shape[1]:
            return None
        ratio = statistics.ratio_of
        return _interval(statistics.contributions(a, ratio) - statistics.contributions(b, ratio))

    return quantity


def loss_with_length(arm: str) -> Quantity:
    """How much BLEU an arm loses from short sentences to long ones."""

    def quantity(rows):
        short, long = _short_and_long(rows, arm)
        return None if short is None or long is None else _minus(_interval(short), _interval(long))

    return quantity


def gain_with_length(arm: str, other: str) -> Quantity:
    """How much more an arm's lead over another is on long sentences than on short ones, in BLEU."""

    def quantity(rows):
        a, b = _short_and_long(rows, arm), _short_and_long(rows, other)
        if any(part is None for part in (*a, *b)):
            return None
        short, long = (_interval(one - two) for one, two in zip(a, b, strict=True))
        return _minus(long, short)

    return quantity


def of_seeds(arm: str, other: str | None, of: Callable[[Row], float | None]) -> Quantity:
    """A number that each seed has one of: an arm's own, or by how much it is more than another's."""

    def quantity(rows):
        every = [[of(row) for row in findings.of_arm(rows, one)] for one in (arm, other) if one]
        if any(value is None for each in every for value in each) or len(every[0]) < 2:
            return None
        values = np.array(every[0]) - (np.array(every[1]) if other else 0)
        return statistics.of_seeds(values)

    return quantity


def perplexity(row: Row) -> float:
    """Of the validation set, at the end of training."""
    return row["curve"][-1]["perplexity"]


def agreement(of: str) -> Callable[[Row], float | None]:
    """Between "seeds" or "heads", in percent."""

    def percent(row):
        found = row.get("agreement", {}).get(of)
        return None if found is None else 100 * found

    return percent


def _short_and_long(rows, arm):
    both = (findings.bleu_of_lengths(rows, arm, *span) for span in ((1, SHORT), (LONG, np.inf)))
    # Fewer than twenty sentences have no BLEU worth a verdict.
    return [
        None
        if parts is None or parts.shape[1] < 20
        else statistics.contributions(parts, statistics.bleu_of)
        for parts in both
    ]


def _interval(values):
    return statistics.interval(values) if min(values.shape) > 1 else None


def _minus(one, other):
    return None if one is None or other is None else statistics.minus(one, other)
