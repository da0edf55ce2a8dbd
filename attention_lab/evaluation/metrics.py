"""Metrics: what is scored, so that validation, intervals, reports and claims need no metric's name.

    statistics = bleu().statistics(outcome)                # [N, P], by example
    bleu().of(statistics.sum(0))                           # the score of all of them

A metric is a function of a sum over examples. What each example adds to that sum, its sufficient statistics, is
computed once; every interval, bootstrap and paired test then follows from these numbers alone
(attention_lab.evaluation.statistics).
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from sacrebleu.metrics.chrf import CHRF
from sacrebleu.metrics.helpers import extract_all_char_ngrams

from attention_lab.evaluation.alignment import Choice, link_counts, predicted_links
from attention_lab.evaluation.quality import (
    bleu_metric,
    bleu_signature,
    chrf_signature,
    composed,
    paired_bootstrap,
    warn_of_uncut,
)
from attention_lab.evaluation.records import Record

Statistics = np.ndarray  # [.., P], of one example or a sum over examples
HIGHER, LOWER = "higher", "lower"


class Outcome(NamedTuple):
    """What a model makes of N examples; a metric reads of it what it needs.

    losses: [N, 2], −log p(target) and the number of target tokens under teacher forcing; 0 and 0 where the model cannot
    read the example. records: where the model attends under teacher forcing. fitted: where and how alignments are
    read from the records, chosen on validation examples.
    """

    examples: Sequence[Mapping[str, Any]]
    hypotheses: Sequence[str]
    losses: np.ndarray | None = None
    records: Sequence[Record] = ()
    fitted: Choice | None = None

    @property
    def references(self) -> list[str]:
        """The target of each example."""
        return [example["target"] for example in self.examples]


class Metric(NamedTuple):
    """A score that is a smooth function of a sum over examples.

    name: in files and configs. title: in tables and figures. better: "higher" or "lower". statistics: what each
    example adds, [N, P]; None where an outcome lacks what the metric counts. of: the score [..] of summed statistics
    [.., P]. bounds: the least and the greatest score. signature: how the score was computed, for comparison with
    other programs; "" where there is no choice. paired_p: a library's own paired test of several systems against the first one,
    (hypotheses of each system, references) -> p of each but the first; None where there is none.
    """

    name: str
    title: str
    better: str
    statistics: Callable[[Outcome], Statistics | None]
    of: Callable[[Statistics], np.ndarray]
    bounds: tuple[float, float] = (0.0, 100.0)
    signature: str = ""
    paired_p: Callable[[Sequence[Sequence[str]], Sequence[str]], list[float]] | None = None

    def score(self, statistics: Statistics) -> float:
        """The score of all examples, whose statistics are [N, P]."""
        return float(self.of(np.sum(statistics, axis=0, dtype=float)))

    def score_of(self, outcome: Outcome) -> float:
        """The score of an outcome; NaN where it lacks what the metric counts."""
        statistics = self.statistics(outcome)
        return np.nan if statistics is None else self.score(statistics)


@functools.cache
def bleu(tokenize: str = "13a") -> Metric:
    """BLEU of the whole corpus (Papineni et al. 2002), as sacreBLEU computes it.

    tokenize: as in `quality.bleu`. Raises ValueError as `quality.bleu_metric` does.
    """

    def statistics(outcome: Outcome) -> Statistics:
        warn_of_uncut(outcome.references, tokenize)
        return bleu_statistics(outcome.hypotheses, outcome.references, tokenize)

    return Metric(
        "bleu",
        "BLEU",
        HIGHER,
        statistics,
        bleu_of,
        signature=bleu_signature(tokenize),
        paired_p=functools.partial(paired_bootstrap, tokenize),
    )


@functools.cache
def chrf() -> Metric:
    """chrF2 of the whole corpus (Popović 2015), as sacreBLEU computes it."""
    return Metric(
        "chrf",
        "chrF",
        HIGHER,
        lambda outcome: chrf_statistics(outcome.hypotheses, outcome.references),
        chrf_of,
        signature=chrf_signature(),
    )


@functools.cache
def perplexity() -> Metric:
    """exp(Σ −log p(target) / Σ target tokens) under teacher forcing, END counted, without label smoothing."""

    def statistics(outcome: Outcome) -> Statistics | None:
        losses = outcome.losses
        return losses if losses is not None and losses[:, 1].any() else None

    bounds = (1.0, np.inf)
    return Metric("perplexity", "perplexity", LOWER, statistics, perplexity_of, bounds)


@functools.cache
def alignment_error() -> Metric:
    """Alignment error rate of attention, in percent (Och & Ney 2003); see `alignment.errors`."""

    def statistics(outcome: Outcome) -> Statistics | None:
        if outcome.fitted is None:
            return None
        predicted = predicted_links(outcome.records, outcome.fitted)
        return link_counts(predicted, [record.links or () for record in outcome.records])

    return Metric("aer", "AER %", LOWER, statistics, aer_of)


def bleu_statistics(
    hypotheses: Sequence[str], references: Sequence[str], tokenize: str = "13a"
) -> Statistics:
    """What BLEU counts in each sentence: [N, 10], 4 matches, 4 totals, and the two lengths; by sacreBLEU.

    tokenize: as in `quality.bleu`.
    """
    metric = bleu_metric(tokenize, effective_order=True)
    pairs = zip(composed(hypotheses), composed(references), strict=True)
    result = (metric.sentence_score(h, [r]) for h, r in pairs)
    return np.array([[*f.counts, *f.totals, f.sys_len, f.ref_len] for f in result], float)


def bleu_of(statistics: Statistics) -> np.ndarray:
    """Corpus BLEU, 0 to 100, of summed statistics [.., 10], smoothed as sacreBLEU does (exponentially)."""
    matches, totals = statistics[..., :4], statistics[..., 4:8]
    # The k-th precision without a match counts as 1 / (2^k total); without a match at all, BLEU is 0.
    missed = np.cumsum(matches == 0, axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        precision = np.where(matches > 0, matches, 0.5**missed) / totals
        logs = np.log(precision).mean(-1)
        brevity = np.minimum(0.0, 1 - statistics[..., 9] / statistics[..., 8])
        score = 100 * np.exp(logs + brevity)
    return np.where((totals > 0).all(-1) & (matches > 0).any(-1), score, 0.0)


def chrf_statistics(hypotheses: Sequence[str], references: Sequence[str]) -> Statistics:
    """What chrF counts in each sentence: [N, 18], for n = 1 .. 6 the character n-grams of both sides and the common ones.

    Without spaces, and in sacreBLEU's order: hypothesis, reference, matches. Where the reference has no n-gram, those
    of the hypothesis do not count.
    """
    rows = []
    for pair in zip(composed(hypotheses), composed(references), strict=True):
        counts = (extract_all_char_ngrams(text, CHRF.CHAR_ORDER) for text in pair)
        row: list[int] = []
        for hypothesis, reference in zip(*counts, strict=True):
            size = hypothesis.total() if reference else 0
            row += [size, reference.total(), (hypothesis & reference).total()]
        rows.append(row)
    return np.array(rows, float).reshape(-1, 3 * CHRF.CHAR_ORDER)


def chrf_of(statistics: Statistics) -> np.ndarray:
    """chrF, 0 to 100, of summed statistics [.., 18]: F_β with β = 2 of the mean precision P and recall R.

    Both are means over those n of which both sides have n-grams: (1 + β²) P R / (β² P + R).
    """
    hypothesis, reference, matches = (statistics[..., n::3] for n in range(3))
    both = (hypothesis > 0) & (reference > 0)
    orders = np.maximum(both.sum(-1), 1)

    def mean(counts):
        return (np.divide(matches, counts, out=np.zeros_like(matches), where=both)).sum(-1) / orders

    precision, recall = mean(hypothesis), mean(reference)
    weight = CHRF.BETA**2
    total = weight * precision + recall
    product = 100 * (1 + weight) * precision * recall
    return np.divide(product, total, out=np.zeros_like(total), where=total > 0)


def perplexity_of(statistics: Statistics) -> np.ndarray:
    """exp(first / second) of summed statistics [.., 2]."""
    with np.errstate(over="ignore"):
        return np.exp(statistics[..., 0] / statistics[..., 1])


def aer_of(statistics: Statistics) -> np.ndarray:
    """Alignment error rate, 0 to 100, of summed `alignment.link_counts` [.., 4]."""
    predicted, right, hit, wanted = np.moveaxis(statistics, -1, 0)
    return 100 * (1 - (hit + right) / (predicted + wanted))
