"""Quantities that claims about translation models compare: numbers with intervals, from a study's rows.

Each is None where the rows cannot say it.
"""

from collections.abc import Callable, Sequence

import numpy as np

from attention_lab.evaluation import statistics
from attention_lab.evaluation.metrics import Metric
from attention_lab.evaluation.statistics import Interval
from attention_lab.studies import findings
from attention_lab.studies.rows import Row

Quantity = Callable[[Sequence[Row]], Interval | None]
SHORT, LONG = 10, 31  # words of the source: up to, and from
FEWEST = 20  # sentences; the score of fewer is worth no verdict


def more(arm: str, other: str, metric: Metric) -> Quantity:
    """How much greater an arm's score is than another's."""
    return lambda rows: findings.difference(rows, arm, other, metric)


def score(arm: str, metric: Metric) -> Quantity:
    """An arm's score."""

    def quantity(rows):
        found = findings.statistics_of(rows, arm, metric)
        return None if found is None else _interval(statistics.contributions(found, metric.of))

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


def loss_with_length(arm: str, metric: Metric) -> Quantity:
    """How much an arm's score is less on long sentences than on short ones."""

    def quantity(rows):
        lost = _lost_with_length(rows, arm, metric)
        return None if lost is None else _interval(lost)

    return quantity


def gain_with_length(arm: str, other: str, metric: Metric) -> Quantity:
    """How much more an arm's lead over another is on long sentences than on short ones."""

    def quantity(rows):
        a, b = (_lost_with_length(rows, one, metric) for one in (arm, other))
        return None if a is None or b is None else _interval(b - a)

    return quantity


def more_perplexity(arm: str, other: str) -> Quantity:
    """How much more perplexity an arm has than another on the validation set at the end of training.

    Its interval counts seeds as chance, and takes the validation sentences as they are.
    """

    def quantity(rows):
        a, b = (
            np.array([row["curve"][-1]["perplexity"] for row in findings.of_arm(rows, one)])
            for one in (arm, other)
        )
        return statistics.of_seeds(a - b) if len(a) > 1 else None

    return quantity


def agreement_of_seeds(arm: str) -> Quantity:
    """How much of their weight two seeds put on the same tokens, in percent."""

    def quantity(rows):
        found = _agreement(rows, arm, "seeds")
        return None if found is None or len(found) < 3 else _interval(statistics.of_pairs(found))

    return quantity


def agreement_of_heads(arm: str) -> Quantity:
    """How much of their weight two heads of a layer put on the same tokens, in percent."""

    def quantity(rows):
        found = _agreement(rows, arm, "heads")
        return None if found is None else _interval(found)

    return quantity


def _agreement(rows, arm, of):
    """By seed and sentence [R, n]."""
    found = [row.get("agreement", {}).get(of) for row in findings.of_arm(rows, arm)]
    return None if None in found else 100 * np.array(found)


def _lost_with_length(rows, arm, metric):
    """What each sentence contributes to the score of short sentences minus that of long ones: [R, N].

    A difference of two scores is one score, of statistics twice as wide: both are the same seeds', and a
    sentence adds to one half of them.
    """
    short, long = (
        findings.of_lengths(rows, arm, metric, *span) for span in ((1, SHORT), (LONG, np.inf))
    )
    if short is None or long is None or min(short.shape[1], long.shape[1]) < FEWEST:
        return None
    width = short.shape[2]
    parts = np.concatenate(
        [
            np.concatenate([short, np.zeros_like(short)], axis=2),
            np.concatenate([np.zeros_like(long), long], axis=2),
        ],
        axis=1,
    )
    return statistics.contributions(
        parts,
        lambda sums: metric.of(sums[..., :width]) - metric.of(sums[..., width:]),
    )


def _interval(values):
    enough = len(values) > 1 and values.shape[1] >= findings.FEWEST
    return statistics.interval(values) if enough else None
