"""What a study found, in numbers, from its rows alone: scores, paired differences, curves by class.

Every interval counts the seeds and the test sentences as chance (attention_lab.evaluation.statistics).
"""

import itertools
import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.significance import PairedTest

from attention_lab.evaluation import diagnostics, statistics
from attention_lab.evaluation.statistics import Interval
from experiments.rows import Row
from experiments.study import Study


class Metric(NamedTuple):
    """A score that can be compared: the name of its parts in a row, and what becomes of their sum."""

    title: str
    parts: str
    of: Callable[[np.ndarray], np.ndarray]


METRICS = (
    Metric("BLEU", "bleu", statistics.bleu_of),
    Metric("AER %", "aer", statistics.aer_of),
)


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


def rows_of(study: Study) -> list[Row]:
    """The results of all that has finished, arm by arm and seed by seed.

    Raises ValueError where a file of them is damaged.
    """
    rows = []
    for crew in study.crews:
        if crew.results.is_file():
            try:
                rows += [
                    json.loads(line)
                    for line in crew.results.read_text(encoding="utf-8").splitlines()
                ]
            except json.JSONDecodeError as error:
                raise ValueError(
                    f"{crew.results} is damaged ({error}); remove it, and the study makes it again"
                ) from error
    order = {arm.name: number for number, arm in enumerate(study.arms)}
    return sorted(rows, key=lambda row: (order[row["arm"]], study.seeds.index(row["seed"])))


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
    """An arm's score; its interval has no width where there is one seed. None where it has no such parts."""
    parts = parts_of(rows, arm, metric, split)
    return None if parts is None else point(parts, metric.of)


def point(parts: np.ndarray, of: Callable[[np.ndarray], np.ndarray], number: int = 0) -> Point:
    """The mean over seeds of the score of parts [R, N, P], with its interval."""
    replicas, sentences = parts.shape[:2]
    if min(replicas, sentences) < 2:
        mean = float(np.mean(of(parts.sum(1))))
        return Point(number, mean, mean, mean, sentences)
    found = statistics.interval(statistics.contributions(parts, of))
    low, high = np.clip([found.low, found.high], 0, 100)  # where all scores lie
    return Point(number, float(found.estimate), float(low), float(high), sentences)


def difference(
    rows: Sequence[Row], arm: str, other: str, metric: Metric, split: str | None = None
) -> Interval | None:
    """The paired difference of two arms that have two seeds each; None where they have not."""
    a, b = (parts_of(rows, name, metric, split) for name in (arm, other))
    if a is None or b is None or len(a) < 2:
        return None
    return statistics.interval(
        statistics.contributions(a, metric.of) - statistics.contributions(b, metric.of)
    )


def compare(rows: Sequence[Row], arms: Sequence[str]) -> list[Comparison]:
    """Every arm with every one before it, by every metric that both have."""
    found = []
    for metric in METRICS:
        every = ((arm, parts_of(rows, arm, metric)) for arm in arms)
        parts = {arm: one for arm, one in every if one is not None and len(one) > 1}
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
    found = {}
    for other in dict.fromkeys(one.other for one in comparisons):  # what it reads, it reads once
        arms = [one.arm for one in comparisons if one.other == other]
        test = PairedTest(
            [(arm, first[arm]["translations"]) for arm in (other, *arms)],
            {"BLEU": BLEU(force=True)},
            references=[first[other]["references"]],
            test_type="bs",
            n_samples=1000,
        )
        results: Any = test()[1]["BLEU"][1:]
        found.update({(arm, other): float(r.p_value) for arm, r in zip(arms, results, strict=True)})
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
