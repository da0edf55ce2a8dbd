"""Metrics with one interface, so that validation, intervals, reports and claims do not depend on a particular metric.

    statistics = bleu().statistics(outcome)                # [N, P], the sufficient statistics of each example
    bleu().of(statistics.sum(0))                           # the score of the corpus

A metric is a function of the sum of sufficient statistics over examples. These are computed once, and every interval,
bootstrap and paired test requires only them (attention_lab.evaluation.statistics).
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

Statistics = np.ndarray  # [.., P], sufficient statistics of one example, or their sum over examples
HIGHER, LOWER = "higher", "lower"


class Outcome(NamedTuple):
    """The outputs of a model for N examples, from which metrics are computed.

    losses: [N, 2], −log p(target) in nats and the number of target tokens under teacher forcing; 0 and 0 if the model
    cannot read the example. records: attention weights under teacher forcing. fitted: the layer, head and rule by
    which alignments are read from the records, chosen on validation examples.
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

    name: in files and configs. title: in tables and figures. better: "higher" or "lower". statistics: the sufficient
    statistics of each example, [N, P]; None if the outcome lacks the required data. of: the score [..] of summed
    statistics [.., P]. bounds: the least and the greatest score. signature: the settings of the score, for comparison
    with other programs; "" if there are none. paired_p: a library's paired test of several systems against the first
    one, (hypotheses of each system, references) -> the p-value of each but the first; None if there is no such test.
    """

    name: str
    title: str
    better: str
    statistics: Callable[[Outcome], Statistics | None]
    of: Callable[[Statistics], np.ndarray]
    bounds: tuple[float, float] = (0.0, 100.0)
    signature: str = ""
    paired_p: Callable[[Sequence[Sequence[str]], Sequence[str]], list[float]] | None = None
    needs: tuple[str, ...] = ("hypotheses",)

    def score(self, statistics: Statistics) -> float:
        """Returns the score of a corpus from the statistics [N, P] of its examples."""
        return float(self.of(np.sum(statistics, axis=0, dtype=float)))

    def score_of(self, outcome: Outcome) -> float:
        """Returns the score of an outcome; NaN if it lacks the required data."""
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
    return Metric(
        "perplexity", "perplexity", LOWER, statistics, perplexity_of, bounds, needs=("losses",)
    )


@functools.cache
def cross_entropy() -> Metric:
    """Σ −log p(target) / Σ target tokens in nats under teacher forcing, END counted, without label smoothing."""

    def statistics(outcome: Outcome) -> Statistics | None:
        losses = outcome.losses
        return losses if losses is not None and losses[:, 1].any() else None

    return Metric(
        "cross_entropy", "nats", LOWER, statistics, mean_of, (0.0, np.inf), needs=("losses",)
    )


@functools.cache
def bits_per_character() -> Metric:
    """Σ −log₂ p(target) / Σ characters of the target, which does not depend on how a text is split into tokens."""

    def statistics(outcome: Outcome) -> Statistics | None:
        losses = outcome.losses
        if losses is None or not losses[:, 1].any():
            return None
        read = losses[:, 1] > 0
        characters = np.array([len(text) for text in outcome.references])
        return np.stack([losses[:, 0] / np.log(2), np.where(read, characters, 0)], -1)

    return Metric(
        "bits_per_character",
        "bits/char",
        LOWER,
        statistics,
        mean_of,
        (0.0, np.inf),
        needs=("losses",),
    )


@functools.cache
def alignment_error() -> Metric:
    """Alignment error rate of attention, in percent (Och & Ney 2003); see `alignment.errors`."""

    def statistics(outcome: Outcome) -> Statistics | None:
        if outcome.fitted is None:
            return None
        predicted = predicted_links(outcome.records, outcome.fitted)
        return link_counts(predicted, [record.links or () for record in outcome.records])

    return Metric("aer", "AER %", LOWER, statistics, aer_of, needs=("records",))


def bleu_statistics(
    hypotheses: Sequence[str], references: Sequence[str], tokenize: str = "13a"
) -> Statistics:
    """Returns sacreBLEU's counts of each sentence: [N, 10], 4 matches, 4 totals, and the two lengths.

    tokenize: as in `quality.bleu`.
    """
    metric = bleu_metric(tokenize, effective_order=True)
    pairs = zip(composed(hypotheses), composed(references), strict=True)
    scores = (metric.sentence_score(h, [r]) for h, r in pairs)
    return np.array([[*s.counts, *s.totals, s.sys_len, s.ref_len] for s in scores], float)


def bleu_of(statistics: Statistics) -> np.ndarray:
    """Returns corpus BLEU, 0 to 100, of summed statistics [.., 10], with sacreBLEU's exponential smoothing."""
    matches, totals = statistics[..., :4], statistics[..., 4:8]
    # The k-th precision without a match is replaced by 1 / (2^k total); without any match, BLEU is 0.
    unmatched = np.cumsum(matches == 0, axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        precision = np.where(matches > 0, matches, 0.5**unmatched) / totals
        log_precision = np.log(precision).mean(-1)
        log_brevity = np.minimum(0.0, 1 - statistics[..., 9] / statistics[..., 8])
        score = 100 * np.exp(log_precision + log_brevity)
    return np.where((totals > 0).all(-1) & (matches > 0).any(-1), score, 0.0)


def chrf_statistics(hypotheses: Sequence[str], references: Sequence[str]) -> Statistics:
    """Returns chrF's counts of each sentence: [N, 18], the character n-grams of hypothesis, reference and both, n = 1 .. 6.

    Spaces are ignored, and the order is that of sacreBLEU: hypothesis, reference, matches. If the reference has no
    n-gram, those of the hypothesis are not counted.
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
    """Returns chrF, 0 to 100, of summed statistics [.., 18]: F_β = (1 + β²) P R / (β² P + R) with β = 2.

    The precision P and the recall R are means over those n for which both sides have n-grams.
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
    """Returns exp(first / second) of summed statistics [.., 2]."""
    with np.errstate(over="ignore"):
        return np.exp(statistics[..., 0] / statistics[..., 1])


def mean_of(statistics: Statistics) -> np.ndarray:
    """Returns first / second of summed statistics [.., 2]."""
    return statistics[..., 0] / statistics[..., 1]


def aer_of(statistics: Statistics) -> np.ndarray:
    """Returns the alignment error rate, 0 to 100, of summed `alignment.link_counts` [.., 4]."""
    predicted, possible_hits, sure_hits, sure = np.moveaxis(statistics, -1, 0)
    return 100 * (1 - (sure_hits + possible_hits) / (predicted + sure))
