"""What a study found, in numbers, from its rows alone: scores, paired differences, curves by class.

Every interval counts the seeds and the test sentences as chance (attention_lab.evaluation.statistics).
"""

import itertools
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from sacrebleu.significance import PairedTest

from attention_lab.evaluation import diagnostics, statistics
from attention_lab.evaluation.quality import bleu_metric, composed, tokenizer_of
from attention_lab.evaluation.statistics import Interval
from attention_lab.studies.rows import Row


class Metric(NamedTuple):
    """A score that can be compared: the name of its parts in a row, and what becomes of their sum."""

    title: str
    parts: str
    of: Callable[[np.ndarray], np.ndarray]


METRICS = (
    Metric("BLEU", "bleu", statistics.bleu_of),
    Metric("AER %", "aer", statistics.aer_of),
)


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


def parts_of(
    rows: Iterable[Row], arm: str, metric: Metric, split: str | None = None
) -> np.ndarray | None:
    """The parts [R, N, P] of an arm's seeds, of the test split or another; None where it has none."""
    found = [row["parts"][split or row["split"]].get(metric.parts) for row in of_arm(rows, arm)]
    return None if not found or None in found else np.array(found, float)


def score(rows: Iterable[Row], arm: str, metric: Metric, split: str | None = None) -> Point | None:
    """An arm's score, see `point`; None where it has no such parts."""
    parts = parts_of(rows, arm, metric, split)
    return None if parts is None else point(parts, metric.of)


def point(parts: np.ndarray, of: Callable[[np.ndarray], np.ndarray], number: int = 0) -> Point:
    """The mean over seeds of the score of parts [R, N, P], with its interval.

    That has no width where there is one seed, or fewer than FEWEST sentences.
    """
    sentences = parts.shape[1]
    if not _enough(parts):
        mean = float(np.mean(of(parts.sum(1))))
        return Point(number, mean, mean, mean, sentences)
    found = statistics.interval(statistics.contributions(parts, of))
    low, high = np.clip([found.low, found.high], 0, 100)  # where all scores lie
    return Point(number, float(found.estimate), float(low), float(high), sentences)


def difference(
    rows: Sequence[Row], arm: str, other: str, metric: Metric, split: str | None = None
) -> Interval | None:
    """The paired difference of two arms that have two seeds each, and FEWEST sentences; None where they have not."""
    a, b = (parts_of(rows, name, metric, split) for name in (arm, other))
    if a is None or b is None or not _enough(a):
        return None
    return statistics.interval(
        statistics.contributions(a, metric.of) - statistics.contributions(b, metric.of)
    )


def compare(rows: Sequence[Row], arms: Sequence[str]) -> list[Comparison]:
    """Every arm with every one before it, by every metric that both have."""
    found = []
    for metric in METRICS:
        every = ((arm, parts_of(rows, arm, metric)) for arm in arms)
        parts = {arm: one for arm, one in every if one is not None and _enough(one)}
        values = {arm: statistics.contributions(one, metric.of) for arm, one in parts.items()}
        redrawn = {arm: statistics.redrawn(one, metric.of) for arm, one in parts.items()}
        for arm, other in ((a, b) for n, a in enumerate(parts) for b in list(parts)[:n]):
            paired = values[arm] - values[other]
            found.append(
                Comparison(
                    metric,
                    arm,
                    other,
                    statistics.interval(paired),
                    np.nan,
                    statistics.percentiles(redrawn[arm] - redrawn[other]),
                    float(statistics.effect_size(paired)),
                    statistics.seeds_needed(paired),
                )
            )
    adjusted = statistics.holm([float(one.difference.p) for one in found])
    return [one._replace(adjusted=float(p)) for one, p in zip(found, adjusted, strict=True)]


def sacrebleu_p(
    rows: Sequence[Row], comparisons: Sequence[Comparison]
) -> dict[tuple[str, str], float]:
    """By (arm, other), p of sacreBLEU's paired bootstrap (Koehn 2004) of their first seeds: of sentences alone."""
    first = {row["arm"]: row for row in reversed(rows)}
    tokenize = tokenizer_of(rows[0]["signatures"]["bleu"])
    found = {}
    for other in dict.fromkeys(one.other for one in comparisons):  # what it reads, it reads once
        arms = [one.arm for one in comparisons if one.other == other]
        test = PairedTest(
            [(arm, composed(first[arm]["translations"])) for arm in (other, *arms)],
            {"BLEU": bleu_metric(tokenize)},
            references=[composed(first[other]["references"])],
            test_type="bs",
            n_samples=1000,
        )
        results: Any = test()[1]["BLEU"]
        for arm, result in zip(arms, results[1:], strict=True):
            # sacreBLEU counts the draws that differ by more: where nothing differs, that is none of them.
            same = result.score == results[0].score
            found[arm, other] = 1.0 if same else float(result.p_value)
    return found


def bleu_of_lengths(
    rows: Sequence[Row], arm: str, least: int, most: float = np.inf
) -> np.ndarray | None:
    """BLEU's parts [R, N, 10] of the sentences, of all splits, whose source has so many words."""
    mine = of_arm(rows, arm)
    if not mine:
        return None
    splits = mine[0]["parts"]
    length = np.concatenate([splits[split]["source_words"] for split in splits])
    each = [[row["parts"][split]["bleu"] for row in mine] for split in splits]
    parts = np.concatenate([np.array(one, float) for one in each], axis=1)
    return parts[:, (least <= length) & (length <= most)]


def words_of_classes(
    rows: Sequence[Row], arm: str, name: str, classes: Sequence[int]
) -> np.ndarray | None:
    """How many words of "frequency", "jump" or "fertility" are right, and are there: [R, N, 2].

    Of the test sentences that have such words; None where the corpus does not tell.
    """
    every = [row["parts"][row["split"]].get(name) for row in of_arm(rows, arm)]
    if not every or None in every:
        return None
    counts = np.array(every, float)[:, :, list(classes)].sum(2)
    return counts[:, counts[0, :, 1] > 0]


def by_length(rows: Sequence[Row], arm: str) -> list[Point]:
    """BLEU by words of the source, in the classes of `diagnostics.LENGTHS`, over all splits."""
    edges = [*diagnostics.LENGTHS, np.inf]
    found = []
    for number, (least, above) in enumerate(itertools.pairwise(edges)):
        parts = bleu_of_lengths(rows, arm, int(least), above - 1)
        if parts is not None and parts.shape[1]:
            found.append(point(parts, statistics.bleu_of, number))
    return found


def by_class(rows: Sequence[Row], arm: str, name: str, classes: int) -> list[Point]:
    """The share of words that are right, in percent, by their class of "frequency", "jump" or "fertility"."""
    found = []
    for number in range(classes):
        parts = words_of_classes(rows, arm, name, [number])
        if parts is not None and parts.shape[1]:
            one = point(parts, statistics.ratio_of, number)
            found.append(one._replace(size=int(parts[0, :, 1].sum())))
    return found


def late_gain(rows: Sequence[Row], arm: str) -> float:
    """The validation BLEU that an arm gained over the last tenth of its target tokens, the mean over seeds.

    Of the best parameters until then, which are what is tested; linear between validations, from 0 before the
    first.
    """
    gains = []
    for row in of_arm(rows, arm):
        tokens = [0, *(line["tokens"] for line in row["curve"])]
        best = np.maximum.accumulate([0.0, *(line["bleu"] for line in row["curve"])])
        gains.append(best[-1] - np.interp(0.9 * tokens[-1], tokens, best))
    return float(np.mean(gains))


def early(rows: Sequence[Row], *arms: str) -> bool:
    """Whether what is said of these arms may change with more training.

    So it is where one of them gained more BLEU over the last tenth of its budget (`late_gain`) than half the
    width of the interval of its own BLEU, or of the difference between two of them. Without an interval
    nothing is said: False.
    """
    gains = {arm: late_gain(rows, arm) for arm in arms}
    compared: list[tuple[float, Point | Interval | None]] = [
        (gain, score(rows, arm, METRICS[0])) for arm, gain in gains.items()
    ]
    for one, other in itertools.combinations(arms, 2):
        found = difference(rows, one, other, METRICS[0])
        compared.append((max(gains[one], gains[other]), found))
    widths = ((gain, it.high - it.low) for gain, it in compared if it is not None)
    return any(gain > width / 2 > 0 for gain, width in widths)


def _enough(parts):
    return len(parts) > 1 and parts.shape[1] >= FEWEST


def learning(rows: Sequence[Row], arm: str) -> list[tuple[float, float, float, float]]:
    """(target tokens, mean, least and greatest validation BLEU over seeds) at each validation."""
    curves = [row["curve"] for row in of_arm(rows, arm)]
    steps = min(map(len, curves), default=0)
    found = []
    for t in range(steps):
        bleu = [curve[t]["bleu"] for curve in curves]
        tokens = float(np.mean([curve[t]["tokens"] for curve in curves]))
        found.append((tokens, float(np.mean(bleu)), min(bleu), max(bleu)))
    return found
