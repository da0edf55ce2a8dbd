"""The results of a study, computed from its rows: scores, paired differences, and curves by class.

Every interval treats seeds and test sentences as random samples (attention_lab.evaluation.statistics).
"""

import itertools
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np

from attention_lab.evaluation import diagnostics, statistics
from attention_lab.evaluation.metrics import HIGHER, Metric
from attention_lab.evaluation.statistics import Interval
from attention_lab.studies.rows import Row

FEWEST = 10  # sentences; with fewer, an interval would cover less than 95 %, and none is computed


class Comparison(NamedTuple):
    """The paired difference between the scores of two arms, with the same seeds and sentences."""

    metric: Metric
    arm: str
    other: str
    difference: Interval
    adjusted: float  # p, adjusted over all comparisons of the study by Holm's method
    bootstrap: tuple[float, float]  # the ends of its 95 % interval
    effect: float  # the mean over seeds, divided by the standard deviation
    needed: int | None  # seeds for a power of 80 %; None if more sentences are needed first


class Point(NamedTuple):
    """The score of a class of words or sentences, and its interval."""

    number: int  # of the class
    score: float
    low: float
    high: float
    size: int  # the number of words or sentences, which is the same for all seeds


def of_arm(rows: Iterable[Row], arm: str) -> list[Row]:
    """Returns the rows of an arm, one for each seed."""
    return [row for row in rows if row["arm"] == arm]


def statistics_of(
    rows: Iterable[Row], arm: str, metric: Metric, split: str | None = None
) -> np.ndarray | None:
    """Returns the sufficient statistics [R, N, P] of an arm on the test split or another; None if a seed has none."""
    by_seed = [
        row["statistics"][split or row["split"]].get(metric.name) for row in of_arm(rows, arm)
    ]
    return None if not by_seed or None in by_seed else np.array(by_seed, float)


def score(rows: Iterable[Row], arm: str, metric: Metric, split: str | None = None) -> Point | None:
    """Returns an arm's score, as `point`; None if it has no statistics of this metric."""
    stats = statistics_of(rows, arm, metric, split)
    return None if stats is None else point(stats, metric.of, bounds=metric.bounds)


def point(
    stats: np.ndarray,
    score_of: Callable[[np.ndarray], np.ndarray],
    number: int = 0,
    bounds: tuple[float, float] = (0.0, 100.0),
) -> Point:
    """Returns the mean over seeds of the score of statistics [R, N, P], with its interval, clipped to the bounds.

    The interval has no width if there is one seed, or if there are fewer than FEWEST sentences.
    """
    sentences = stats.shape[1]
    if not _has_interval(stats):
        mean = float(np.mean(score_of(stats.sum(1))))
        return Point(number, mean, mean, mean, sentences)
    interval = statistics.interval(statistics.contributions(stats, score_of))
    low, high = np.clip([interval.low, interval.high], *bounds)
    return Point(number, float(interval.estimate), float(low), float(high), sentences)


def difference(
    rows: Sequence[Row], arm: str, other: str, metric: Metric, split: str | None = None
) -> Interval | None:
    """Returns the paired difference of two arms; None if they have fewer than two seeds or FEWEST sentences."""
    a, b = (statistics_of(rows, name, metric, split) for name in (arm, other))
    if a is None or b is None or not _has_interval(a):
        return None
    return statistics.interval(
        statistics.contributions(a, metric.of) - statistics.contributions(b, metric.of)
    )


def compare(
    rows: Sequence[Row], arms: Sequence[str], metrics: Sequence[Metric]
) -> list[Comparison]:
    """Returns the comparison of every pair of arms by every metric of which both have statistics."""
    differences = []
    for metric in metrics:
        known = ((arm, statistics_of(rows, arm, metric)) for arm in arms)
        stats = {arm: one for arm, one in known if one is not None and _has_interval(one)}
        values = {arm: statistics.contributions(one, metric.of) for arm, one in stats.items()}
        replicates = {arm: statistics.bootstrap(one, metric.of) for arm, one in stats.items()}
        for arm, other in ((a, b) for n, a in enumerate(stats) for b in list(stats)[:n]):
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
    """Returns p by (arm, other, metric), from the metric's library: for the first seeds, resampling examples only."""
    first = {row["arm"]: row for row in reversed(rows)}
    p_values: dict[tuple[str, str, str], float] = {}
    tested = [one for one in comparisons if one.metric.paired_p is not None]
    for metric, other in dict.fromkeys((one.metric, one.other) for one in tested):
        arms = [one.arm for one in tested if (one.metric, one.other) == (metric, other)]
        systems = [first[arm]["hypotheses"] for arm in (other, *arms)]
        assert metric.paired_p is not None
        computed = metric.paired_p(systems, first[other]["references"])
        p_values |= {(arm, other, metric.name): p for arm, p in zip(arms, computed, strict=True)}
    return p_values


def of_lengths(
    rows: Sequence[Row], arm: str, metric: Metric, least: int, most: float = np.inf
) -> np.ndarray | None:
    """Returns the statistics [R, N, P] of the examples of all splits whose source has `least` to `most` words.

    The words of a source that is not a text are those of its target. None if the rows lack the arm, lengths or the metric.
    """
    arm_rows = of_arm(rows, arm)
    if not arm_rows:
        return None
    splits = arm_rows[0]["statistics"]
    if not all({"source_words", metric.name} <= split.keys() for split in splits.values()):
        return None
    length = np.concatenate([splits[split]["source_words"] for split in splits])
    by_split = [[row["statistics"][split][metric.name] for row in arm_rows] for split in splits]
    stats = np.concatenate([np.array(one, float) for one in by_split], axis=1)
    return stats[:, (least <= length) & (length <= most)]


def words_of_classes(
    rows: Sequence[Row], arm: str, name: str, classes: Sequence[int]
) -> np.ndarray | None:
    """Returns the numbers of correct words and of all words in some classes of "frequency", "jump" or "fertility".

    [R, N, 2], for the test sentences that have words of these classes; None if the corpus has no such classes.
    """
    by_seed = [row["statistics"][row["split"]].get(name) for row in of_arm(rows, arm)]
    if not by_seed or None in by_seed:
        return None
    counts = np.array(by_seed, float)[:, :, list(classes)].sum(2)
    return counts[:, counts[0, :, 1] > 0]


def by_length(
    rows: Sequence[Row], arm: str, metric: Metric, lengths: Sequence[int] = diagnostics.LENGTHS
) -> list[Point]:
    """Returns the score for each class of source lengths, over all splits. lengths: the least length of each class."""
    edges = [*lengths, np.inf]
    points = []
    for number, (least, above) in enumerate(itertools.pairwise(edges)):
        stats = of_lengths(rows, arm, metric, int(least), above - 1)
        if stats is not None and stats.shape[1]:
            points.append(point(stats, metric.of, number, metric.bounds))
    return points


def by_class(rows: Sequence[Row], arm: str, name: str, classes: int) -> list[Point]:
    """Returns the percentage of correct words for each class of "frequency", "jump" or "fertility"."""
    points = []
    for number in range(classes):
        counts = words_of_classes(rows, arm, name, [number])
        if counts is not None and counts.shape[1]:
            accuracy = point(counts, statistics.ratio_of, number)
            points.append(accuracy._replace(size=int(counts[0, :, 1].sum())))
    return points


def late_gain(rows: Sequence[Row], arm: str, metric: Metric) -> float:
    """Returns the improvement of an arm's validation score over the last tenth of its target tokens, averaged over seeds.

    The score is the best so far, because the best parameters are tested, and is interpolated linearly between
    validations. Before the first validation it rises from 0 if higher is better, and is constant otherwise.
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
    """Returns whether more training may change the conclusions about these arms.

    This is the case if one of them improved more over the last tenth of its budget (`late_gain`) than half the width
    of the interval of its score, or of the difference between two of them. Without any interval it is False.
    """
    gains = {arm: late_gain(rows, arm, metric) for arm in arms}
    compared: list[tuple[float, Point | Interval | None]] = [
        (gain, score(rows, arm, metric)) for arm, gain in gains.items()
    ]
    for one, other in itertools.combinations(arms, 2):
        paired = difference(rows, one, other, metric)
        compared.append((max(gains[one], gains[other]), paired))
    widths = ((gain, known.high - known.low) for gain, known in compared if known is not None)
    return any(gain > width / 2 > 0 for gain, width in widths)


def _has_interval(stats):
    """Returns whether there are enough seeds and sentences for an interval."""
    return len(stats) > 1 and stats.shape[1] >= FEWEST


def learning(
    rows: Sequence[Row], arm: str, metric: Metric
) -> list[tuple[float, float, float, float]]:
    """Returns (target tokens, mean, least and greatest validation score over seeds) for each validation."""
    curves = [row["curve"] for row in of_arm(rows, arm)]
    steps = min(map(len, curves), default=0)
    points = []
    for t in range(steps):
        scores = [curve[t][metric.name] for curve in curves]
        tokens = float(np.mean([curve[t]["tokens"] for curve in curves]))
        points.append((tokens, float(np.mean(scores)), min(scores), max(scores)))
    return points
