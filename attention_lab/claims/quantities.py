"""Quantities that claims about translation models compare: numbers with intervals, from the rows of a study.

Each quantity returns None if the rows do not contain the data that it needs.
"""

from collections.abc import Callable, Sequence

import numpy as np

from attention_lab.claims.contracts import Claim
from attention_lab.evaluation import statistics
from attention_lab.evaluation.metrics import Metric
from attention_lab.evaluation.statistics import Interval
from attention_lab.studies import findings
from attention_lab.studies.rows import Row

Quantity = Callable[[Sequence[Row]], Interval | None]
SHORT, LONG = 10, 31  # source words: at most, and at least
FEWEST = 20  # sentences; the score of fewer is too noisy for a verdict


def more(arm: str, other: str, metric: Metric) -> Quantity:
    """The score of an arm minus that of another."""
    return lambda rows: findings.difference(rows, arm, other, metric)


def comparing(
    what: str, metric: Metric, bounds: tuple[float, float], ranked_by: Metric | None = None
) -> Callable[[str, str, str, str, str], Claim]:
    """Returns the function (name, sentence, source, arm, other) -> a claim about the score of an arm minus another's.

    what: the metric in the words of a table. ranked_by: the main metric of the study, by default this one.
    """

    def claim(name, sentence, source, arm, other):
        number, quantity = f"{what}, {arm} - {other}", more(arm, other, metric)
        arms = (arm, other)
        return Claim(name, sentence, source, number, quantity, bounds, arms, ranked_by or metric)

    return claim


def score(arm: str, metric: Metric) -> Quantity:
    """The score of an arm."""

    def quantity(rows):
        result = findings.statistics_of(rows, arm, metric)
        return None if result is None else _interval(statistics.contributions(result, metric.of))

    return quantity


def more_at(arm: str, other: str, metric: Metric, least: int, most: float = np.inf) -> Quantity:
    """The score of an arm minus that of another on sources of `least` to `most` words, of all splits."""

    def quantity(rows):
        a, b = (findings.of_lengths(rows, one, metric, least, most) for one in (arm, other))
        if a is None or b is None or a.shape[1] < FEWEST:
            return None
        return _interval(
            statistics.contributions(a, metric.of) - statistics.contributions(b, metric.of)
        )

    return quantity


def more_than(arm: str, metric: Metric, base: Metric) -> Quantity:
    """The score of an arm by a metric minus its score by another, of the same test examples."""

    def quantity(rows):
        a, b = (findings.statistics_of(rows, arm, one) for one in (metric, base))
        if a is None or b is None:
            return None
        return _interval(
            statistics.contributions(a, metric.of) - statistics.contributions(b, base.of)
        )

    return quantity


def more_words(arm: str, other: str, name: str, classes: Sequence[int]) -> Quantity:
    """The percentage of words in the given classes that an arm translates correctly, minus that of another arm."""

    def quantity(rows):
        a, b = (findings.words_of_classes(rows, one, name, classes) for one in (arm, other))
        if a is None or b is None or not a.shape[1]:
            return None
        ratio = statistics.ratio_of
        return _interval(statistics.contributions(a, ratio) - statistics.contributions(b, ratio))

    return quantity


def loss_with_length(arm: str, metric: Metric, short: int = SHORT, long: int = LONG) -> Quantity:
    """The score of an arm on sources of at most `short` words minus its score on those of at least `long`."""

    def quantity(rows):
        loss = _lost_with_length(rows, arm, metric, short, long)
        return None if loss is None else _interval(loss)

    return quantity


def gain_with_length(arm: str, other: str, metric: Metric) -> Quantity:
    """The lead of an arm over another on long sentences, minus its lead on short sentences."""

    def quantity(rows):
        a, b = (_lost_with_length(rows, one, metric, SHORT, LONG) for one in (arm, other))
        return None if a is None or b is None else _interval(b - a)

    return quantity


def more_perplexity(arm: str, other: str) -> Quantity:
    """The validation perplexity of an arm minus that of another, at the end of training.

    The interval accounts for the variation between seeds, not for the sampling of validation sentences.
    """

    def quantity(rows):
        a, b = (
            np.array([row["curve"][-1]["perplexity"] for row in findings.of_arm(rows, one)])
            for one in (arm, other)
        )
        return statistics.of_seeds(a - b) if len(a) > 1 else None

    return quantity


def agreement_of_seeds(arm: str) -> Quantity:
    """The percentage of their weight that two seeds put on the same tokens."""

    def quantity(rows):
        values = _agreement(rows, arm, "seeds")
        return None if values is None or len(values) < 3 else _interval(statistics.of_pairs(values))

    return quantity


def agreement_of_heads(arm: str) -> Quantity:
    """The percentage of their weight that two heads of a layer put on the same tokens."""

    def quantity(rows):
        values = _agreement(rows, arm, "heads")
        return None if values is None else _interval(values)

    return quantity


def _agreement(rows, arm, of):
    """Returns the agreement in percent by seed and sentence [R, n], or None if a row lacks it."""
    values = [row.get("agreement", {}).get(of) for row in findings.of_arm(rows, arm)]
    return None if None in values else 100 * np.array(values)


def _lost_with_length(rows, arm, metric, most, least):
    """Returns the contribution [R, N] of each sentence to the score of short minus that of long sentences.

    The difference of the two scores is treated as one score whose sufficient statistics are twice as wide. Both
    scores belong to the same seeds, and each sentence has nonzero statistics in one of them.
    """
    short, long = (
        findings.of_lengths(rows, arm, metric, *span) for span in ((1, most), (least, np.inf))
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
