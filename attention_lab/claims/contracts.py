"""A claim: a sentence, where it comes from, a quantity, and the bounds within which the sentence is true."""

from collections.abc import Callable, Sequence
from math import inf
from typing import NamedTuple

from attention_lab.evaluation.metrics import Metric, bleu
from attention_lab.evaluation.statistics import Interval
from attention_lab.studies import findings
from attention_lab.studies.rows import Row

HOLDS, FAILS, INCONCLUSIVE = "HOLDS", "FAILS", "INCONCLUSIVE"


class Claim(NamedTuple):
    """What is claimed, and how it is decided.

    quantity: of a study's rows, [] where no study is needed, the interval of a number; None where the rows
    lack it. bounds: the sentence is true where the number lies between them. arms: those of the study that the
    quantity reads. metric: of validation, by which it is decided whether these arms have learnt enough.
    """

    name: str
    sentence: str
    source: str
    number: str  # what the quantity is, with its unit
    quantity: Callable[[Sequence[Row]], Interval | None]
    bounds: tuple[float, float]
    arms: tuple[str, ...] = ()
    metric: Metric = bleu()


class Verdict(NamedTuple):
    """What was decided, and the interval that decided. early: more training may decide it otherwise."""

    claim: Claim
    verdict: str
    interval: Interval
    early: bool


def above(least: float) -> tuple[float, float]:
    """Bounds: more than `least`."""
    return (least, inf)


def below(most: float) -> tuple[float, float]:
    """Bounds: less than `most`."""
    return (-inf, most)


def within(most: float) -> tuple[float, float]:
    """Bounds: no further than `most` from nothing."""
    return (-most, most)


def judge(claim: Claim, rows: Sequence[Row]) -> Verdict | None:
    """HOLDS where the whole interval lies within the bounds, FAILS where all of it lies outside.

    An interval without width, of values that are all the same, decides nothing. None where the rows lack an
    arm that the claim is about, or what it counts.
    """
    there = {row["arm"] for row in rows}
    found = claim.quantity(rows) if set(claim.arms) <= there else None
    if found is None:
        return None
    low, high = claim.bounds
    verdict = INCONCLUSIVE
    if low < found.low < found.high < high:
        verdict = HOLDS
    elif found.low < found.high < low or high < found.low < found.high:
        verdict = FAILS
    early = bool(claim.arms) and findings.early(rows, *claim.arms, metric=claim.metric)
    return Verdict(claim, verdict, found, early)
