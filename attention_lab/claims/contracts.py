"""A claim: a statement, its source, a quantity, and the bounds of the quantity within which the statement is true."""

from collections.abc import Callable, Sequence
from math import inf
from typing import NamedTuple

from attention_lab.evaluation.metrics import Metric, bleu
from attention_lab.evaluation.statistics import Interval
from attention_lab.studies import findings
from attention_lab.studies.rows import Row

HOLDS, FAILS, INCONCLUSIVE = "HOLDS", "FAILS", "INCONCLUSIVE"


class Claim(NamedTuple):
    """A statement, and the rule that decides it.

    quantity: computes the interval of a number from the rows of a study, which are [] for a claim that needs no
    study; returns None if the rows do not determine the number. bounds: the statement is true if the number lies
    between them. arms: the arms of the study that the quantity reads. metric: the validation metric that decides
    whether training of these arms has converged.
    """

    name: str
    sentence: str
    source: str
    number: str  # a description of the quantity, with its unit
    quantity: Callable[[Sequence[Row]], Interval | None]
    bounds: tuple[float, float]
    arms: tuple[str, ...] = ()
    metric: Metric = bleu()


class Verdict(NamedTuple):
    """The decision about a claim, and the interval on which it is based. early: more training may change it."""

    claim: Claim
    verdict: str
    interval: Interval
    early: bool


def above(least: float) -> tuple[float, float]:
    """Returns the bounds of numbers greater than `least`."""
    return (least, inf)


def below(most: float) -> tuple[float, float]:
    """Returns the bounds of numbers less than `most`."""
    return (-inf, most)


def within(most: float) -> tuple[float, float]:
    """Returns the bounds of numbers whose absolute value is less than `most`."""
    return (-most, most)


def judge(claim: Claim, rows: Sequence[Row]) -> Verdict | None:
    """Decides a claim: HOLDS if the whole interval lies within the bounds, FAILS if all of it lies outside.

    Otherwise the claim is INCONCLUSIVE, as it is for an interval of width zero, whose values are all equal. Returns
    None if the rows lack an arm of the claim, or the data from which its quantity is computed.
    """
    arms = {row["arm"] for row in rows}
    interval = claim.quantity(rows) if set(claim.arms) <= arms else None
    if interval is None:
        return None
    low, high = claim.bounds
    verdict = INCONCLUSIVE
    if low < interval.low < interval.high < high:
        verdict = HOLDS
    elif interval.low < interval.high < low or high < interval.low < interval.high:
        verdict = FAILS
    early = bool(claim.arms) and findings.early(rows, *claim.arms, metric=claim.metric)
    return Verdict(claim, verdict, interval, early)
