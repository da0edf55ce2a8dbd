"""What a study found, in numbers, from its rows alone: scores, paired differences, curves by class.

Every interval counts the seeds and the test sentences as chance (attention_lab.evaluation.statistics).
"""

import itertools
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np

from attention_lab.evaluation import diagnostics, statistics
from attention_lab.evaluation.metrics import HIGHER, Metric
from attention_lab.evaluation.statistics import Interval
from attention_lab.studies.rows import Row

FEWEST = 10  # sentences; the interval of fewer covers less than it says, and is none


class Comparison(NamedTuple):
    """How much an arm's score differs from another's, the same seeds and sentences in both."""

    metric: Metric
    arm: str
    other: str
    difference: Interval
    adjusted: float  # p by Holm's rule over all comparisons of the study
    bootstrap: tuple[float, float]
    effect: float
    needed: int | None


class Point(NamedTuple):
    """A class of words or sentences: its number, the score, and its interval."""

    number: int
    score: float
    low: float
    high: float
    size: int  # of words or sentences, of all seeds alike


def of_arm(rows: Iterable[Row], arm: str) -> list[Row]:
    """The rows of an arm, seed by seed."""
    return [row for row in rows if row["arm"] == arm]


def statistics_of(
    rows: Iterable[Row], arm: str, metric: Metric, split: str | None = None
) -> np.ndarray | None:
    """The statistics [R, N, P] of an arm's seeds, of the test split or another; None where a seed has none."""
    by_seed = [
        row["statistics"][split or row["split"]].get(metric.name) for row in of_arm(rows, arm)
    ]
    return None if not by_seed or None in by_seed else np.array(by_seed, float)


def score(rows: Iterable[Row], arm: str, metric: Metric, split: str | None = None) -> Point | None:
    """An arm's score, see `point`; None where it has no statistics of this metric."""
    result = statistics_of(rows, arm, metric, split)
    return None if result is None else point(result, metric.of, bounds=metric.bounds)


def point(
    parts: np.ndarray,
    of: Callable[[np.ndarray], np.ndarray],
    number: int = 0,
    bounds: tuple[float, float] = (0.0, 100.0),
) -> Point:
    """The mean over seeds of the score of statistics [R, N, P], with its interval, which lies within bounds.

    That has no width where there is one seed, or fewer than FEWEST sentences.
    """
    sentences = parts.shape[1]
    if not _enough(parts):
        mean = float(np.mean(of(parts.sum(1))))
        return Point(number, mean, mean, mean, sentences)
    interval = statistics.interval(statistics.contributions(parts, of))
    low, high = np.clip([interval.low, interval.high], *bounds)
    return Point(number, float(interval.estimate), float(low), float(high), sentences)


def difference(
    rows: Sequence[Row], arm: str, other: str, metric: Metric, split: str | None = None
) -> Interval | None:
    """The paired difference of two arms that have two seeds each, and FEWEST sentences; None where they have not."""
    a, b = (statistics_of(rows, name, metric, split) for name in (arm, other))
    if a is None or b is None or not _enough(a):
        return None
    return statistics.interval(
        statistics.contributions(a, metric.of) - statistics.contributions(b, metric.of)
    )


def compare(
    rows: Sequence[Row], arms: Sequence[str], metrics: Sequence[Metric]
) -> list[Comparison]:
    """Every arm with every one before it, by every one of the metrics of which both have statistics."""
    differences = []
    for metric in metrics:
        every = ((arm, statistics_of(rows, arm, metric)) for arm in arms)
        parts = {arm: one for arm, one in every if one is not None and _enough(one)}
        values = {arm: statistics.contributions(one, metric.of) for arm, one in parts.items()}
        replicates = {arm: statistics.bootstrap(one, metric.of) for arm, one in parts.items()}
        for arm, other in ((a, b) for n, a in enumerate(parts) for b in list(parts)[:n]):
            paired = values[arm] - values[other]
            differences.append(
                Comparison(
                    metric,
                    arm,
                    other,
                    statistics.interval(paired),
                    np.nan,
                    statistics.percentiles(replicates[arm] - replicates[other]),
                    float(statistics.effect_size(paired)),
                    statistics.seeds_needed(paired),
                )
            )
    adjusted = statistics.holm([float(one.difference.p) for one in differences])
    return [one._replace(adjusted=float(p)) for one, p in zip(differences, adjusted, strict=True)]


def library_p(
    rows: Sequence[Row], comparisons: Sequence[Comparison]
) -> dict[tuple[str, str, str], float]:
    """By (arm, other, metric), p of the metric's library of their first seeds: examples alone are drawn again."""
    first = {row["arm"]: row for row in reversed(rows)}
    result: dict[tuple[str, str, str], float] = {}
    tested = [one for one in comparisons if one.metric.paired_p is not None]
    for metric, other in dict.fromkeys((one.metric, one.other) for one in tested):
        arms = [one.arm for one in tested if (one.metric, one.other) == (metric, other)]
        systems = [first[arm]["hypotheses"] for arm in (other, *arms)]
        assert metric.paired_p is not None
        each = metric.paired_p(systems, first[other]["references"])
        result |= {(arm, other, metric.name): p for arm, p in zip(arms, each, strict=True)}
    return result


def of_lengths(
    rows: Sequence[Row], arm: str, metric: Metric, least: int, most: float = np.inf
) -> np.ndarray | None:
    """The statistics [R, N, P] of the examples, of all splits, whose source has so many words."""
    arm_rows = of_arm(rows, arm)
    if not arm_rows:
        return None
    splits = arm_rows[0]["statistics"]
    length = np.concatenate([splits[split]["source_words"] for split in splits])
    each = [[row["statistics"][split][metric.name] for row in arm_rows] for split in splits]
    result = np.concatenate([np.array(one, float) for one in each], axis=1)
    return result[:, (least <= length) & (length <= most)]


def words_of_classes(
    rows: Sequence[Row], arm: str, name: str, classes: Sequence[int]
) -> np.ndarray | None:
    """How many words of "frequency", "jump" or "fertility" are right, and are there: [R, N, 2].

    Of the test sentences that have such words; None where the corpus does not tell.
    """
    every = [row["statistics"][row["split"]].get(name) for row in of_arm(rows, arm)]
    if not every or None in every:
        return None
    counts = np.array(every, float)[:, :, list(classes)].sum(2)
    return counts[:, counts[0, :, 1] > 0]


def by_length(rows: Sequence[Row], arm: str, metric: Metric) -> list[Point]:
    """The score by words of the source, in the classes of `diagnostics.LENGTHS`, over all splits."""
    edges = [*diagnostics.LENGTHS, np.inf]
    points = []
    for number, (least, above) in enumerate(itertools.pairwise(edges)):
        parts = of_lengths(rows, arm, metric, int(least), above - 1)
        if parts is not None and parts.shape[1]:
            points.append(point(parts, metric.of, number, metric.bounds))
    return points


def by_class(rows: Sequence[Row], arm: str, name: str, classes: int) -> list[Point]:
    """The share of words that are right, in percent, by their class of "frequency", "jump" or "fertility"."""
    points = []
    for number in range(classes):
        parts = words_of_classes(rows, arm, name, [number])
        if parts is not None and parts.shape[1]:
            one = point(parts, statistics.ratio_of, number)
            points.append(one._replace(size=int(parts[0, :, 1].sum())))
    return points


def late_gain(rows: Sequence[Row], arm: str, metric: Metric) -> float:
    """How much better an arm's validation score became over the last tenth of its target tokens, the mean over seeds.

    Of the best parameters until then, which are what is tested; linear between validations. Before the first one, the
    score rises from 0 where more is better, and is the first one where less is.
    """
    gains = []
    for row in of_arm(rows, arm):
        tokens = [0, *(line["tokens"] for line in row["curve"])]
        scores = [line[metric.name] for line in row["curve"]]
        if metric.better == HIGHER:
            best = np.maximum.accumulate([0.0, *scores])
        else:
            best = -np.minimum.accumulate([scores[0], *scores])
        gains.append(best[-1] - np.interp(0.9 * tokens[-1], tokens, best))
    return float(np.mean(gains))


def early(rows: Sequence[Row], *arms: str, metric: Metric) -> bool:
    """Whether what is concluded about these arms may change with more training.

    So it is where one of them gained more over the last tenth of its budget (`late_gain`) than half the width of the
    interval of its own score, or of the difference between two of them. Without an interval nothing is known: False.
    """
    gains = {arm: late_gain(rows, arm, metric) for arm in arms}
    compared: list[tuple[float, Point | Interval | None]] = [
        (gain, score(rows, arm, metric)) for arm, gain in gains.items()
    ]
    for one, other in itertools.combinations(arms, 2):
        gap = difference(rows, one, other, metric)
        compared.append((max(gains[one], gains[other]), gap))
    widths = ((gain, it.high - it.low) for gain, it in compared if it is not None)
    return any(gain > width / 2 > 0 for gain, width in widths)


def _enough(parts):
    return len(parts) > 1 and parts.shape[1] >= FEWEST


def learning(
    rows: Sequence[Row], arm: str, metric: Metric
) -> list[tuple[float, float, float, float]]:
    """(target tokens, mean, least and greatest validation score over seeds) at each validation."""
    curves = [row["curve"] for row in of_arm(rows, arm)]
    steps = min(map(len, curves), default=0)
    points = []
    for t in range(steps):
        scores = [curve[t][metric.name] for curve in curves]
        tokens = float(np.mean([curve[t]["tokens"] for curve in curves]))
        points.append((tokens, float(np.mean(scores)), min(scores), max(scores)))
    return points
