"""Metrics of captions, and of where attention looks in a source that is no text."""

import functools

import numpy as np

from attention_lab.evaluation import regions
from attention_lab.evaluation.cider import cider
from attention_lab.evaluation.counts import Statistics
from attention_lab.evaluation.metrics import HIGHER, LOWER, RECORDS, Metric, Outcome, mean_of
from attention_lab.evaluation.pointing import cross_layers
from attention_lab.evaluation.statistics import ratio_of


@functools.cache
def cider_d() -> Metric:
    """CIDEr-D, 0 to 1,000, of the references of all examples together; see `cider.cider`."""

    def statistics(outcome: Outcome) -> Statistics:
        scores = cider(outcome.hypotheses, outcome.all_references)
        return np.stack([scores, np.ones(len(scores))], axis=1)

    return Metric("cider", "CIDEr-D", HIGHER, statistics, mean_of, bounds=(0.0, 1000.0))


@functools.cache
def region_pointing(margin: float = 0.0) -> Metric:
    """The percentage of words with a region that have their greatest weight in it; see `regions.pointing_counts`.

    margin: by which regions are widened on all sides, in their own unit.
    """
    return _of_records("pointing", "pointing %", regions.pointing_counts, margin)


@functools.cache
def correctness(margin: float = 0.0) -> Metric:
    """The percentage of the weight of words with a region that is in it (Liu et al. 2017); see `regions.inside_sums`."""
    return _of_records("correctness", "weight inside %", regions.inside_sums, margin)


@functools.cache
def area(margin: float = 0.0) -> Metric:
    """What `correctness` is for equal weights everywhere: the percentage of a source that is in a word's region."""
    return _of_records(
        "area", "area %", lambda records, pointer: regions.area_sums(records), margin
    )


@functools.cache
def distance() -> Metric:
    """The mean distance between the mean position of a word's weights and the middle of its region, in the region's unit.

    Of several regions it is the nearest one's; see `regions.distance_sums`.
    """
    metric = _of_records("distance", "distance", regions.distance_sums, 0.0)
    return metric._replace(better=LOWER, of=mean_of, bounds=(0.0, np.inf))


def _of_records(name, title, sums, margin) -> Metric:
    """Returns the metric of what sums(records, pointer) returns, [N, 2]; a model without cross-attention has no score."""

    def statistics(outcome: Outcome) -> Statistics | None:
        records = outcome.records
        if not records or not cross_layers(records[0]):
            return None
        counts = sums([regions.widened(record, margin) for record in records], outcome.pointer)
        return counts if counts[:, 1].any() else None

    return Metric(name, title, HIGHER, statistics, ratio_of, needs=(RECORDS,))
