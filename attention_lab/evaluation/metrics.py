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

from attention_lab.data.words import normalize
from attention_lab.evaluation.alignment import Choice, link_counts, predicted_links
from attention_lab.evaluation.counts import (
    Statistics,
    bleu_of,
    bleu_statistics,
    chrf_of,
    chrf_statistics,
)
from attention_lab.evaluation.pointing import Pointer, cross_layers, pointing_counts
from attention_lab.evaluation.quality import (
    bleu_signature,
    chrf_signature,
    paired_bootstrap,
    rouge_f1,
    rouge_signature,
    warn_of_uncut,
)
from attention_lab.evaluation.records import Record
from attention_lab.evaluation.statistics import ratio_of
from attention_lab.mechanism.registry import unknown

HIGHER, LOWER = "higher", "lower"
HYPOTHESES, LOSSES, RECORDS = (
    "hypotheses",
    "losses",
    "records",
)  # what a metric may need of an outcome
ROUGES = {"rouge1": "ROUGE-1", "rouge2": "ROUGE-2", "rougeL": "ROUGE-L"}  # the titles of each


class Outcome(NamedTuple):
    """The outputs of a model for N examples, from which metrics are computed.

    losses: [N, 2], −log p(target) in nats and the number of target tokens under teacher forcing; 0 and 0 if the model
    cannot read the example. records: attention weights under teacher forcing. fitted: the layer, head and rule by
    which alignments are read from the records, and pointer: the layer and head by which sentences are pointed at, both
    chosen on validation examples.
    """

    examples: Sequence[Mapping[str, Any]]
    hypotheses: Sequence[str]
    losses: np.ndarray | None = None
    records: Sequence[Record] = ()
    fitted: Choice | None = None
    pointer: Pointer | None = None

    @property
    def references(self) -> list[str]:
        """The target of each example."""
        return [example["target"] for example in self.examples]

    @property
    def all_references(self) -> list[list[str]]:
        """All "targets" of each example, or its target where it has only that."""
        return [list(example.get("targets") or [example["target"]]) for example in self.examples]


class Metric(NamedTuple):
    """A score that is a smooth function of a sum over examples.

    name: in files and configs. title: in tables and figures. better: "higher" or "lower". statistics: the sufficient
    statistics of each example, [N, P]; None if the outcome lacks the required data. of: the score [..] of summed
    statistics [.., P]. bounds: the least and the greatest score. signature: the settings of the score, for comparison
    with other programs; "" if there are none. paired_p: a library's paired test of several systems against the first
    one, (hypotheses of each system, references) -> the p-value of each but the first; None if there is no such test.
    needs: the fields of an outcome that it reads, so that evaluation computes no others: "hypotheses", "losses",
    "records".
    """

    name: str
    title: str
    better: str
    statistics: Callable[[Outcome], Statistics | None]
    of: Callable[[Statistics], np.ndarray]
    bounds: tuple[float, float] = (0.0, 100.0)
    signature: str = ""
    paired_p: Callable[[Sequence[Sequence[str]], Sequence[str]], list[float]] | None = None
    needs: tuple[str, ...] = (HYPOTHESES,)

    def score(self, statistics: Statistics) -> float:
        """Returns the score of a corpus from the statistics [N, P] of its examples."""
        return float(self.of(np.sum(statistics, axis=0, dtype=float)))

    def score_of(self, outcome: Outcome) -> float:
        """Returns the score of an outcome; NaN if it lacks the required data."""
        statistics = self.statistics(outcome)
        return np.nan if statistics is None else self.score(statistics)


@functools.cache
def bleu(tokenize: str = "13a", several: bool = False) -> Metric:
    """BLEU of the whole corpus (Papineni et al. 2002), as sacreBLEU computes it.

    tokenize: as in `quality.bleu`. several: all "targets" of an example are its references, whose number may differ.
    Raises ValueError as `quality.bleu_metric` does.
    """

    def statistics(outcome: Outcome) -> Statistics:
        warn_of_uncut(outcome.references, tokenize)
        each = [[reference] for reference in outcome.references]
        references = outcome.all_references if several else each
        return bleu_statistics(outcome.hypotheses, references, tokenize)

    return Metric(
        "bleu",
        "BLEU",
        HIGHER,
        statistics,
        bleu_of,
        signature=bleu_signature(tokenize, several),
        paired_p=None if several else functools.partial(paired_bootstrap, tokenize),
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

    return Metric(
        "perplexity",
        "perplexity",
        LOWER,
        statistics,
        perplexity_of,
        bounds=(1.0, np.inf),
        needs=(LOSSES,),
    )


@functools.cache
def cross_entropy() -> Metric:
    """Σ −log p(target) / Σ target tokens in nats under teacher forcing: the logarithm of `perplexity`."""
    return perplexity()._replace(
        name="cross_entropy", title="nats", of=mean_of, bounds=(0.0, np.inf)
    )


@functools.cache
def bits_per_character() -> Metric:
    """Σ −log₂ p(target) / Σ characters under teacher forcing.

    END counts in the sum of bits, as in `perplexity`, but is no character. The characters are those of an example's
    "text", spaces included, or of its target if it has no text; those of an example that the model cannot read are
    not counted. Unlike perplexity, it is comparable between tokenizers.
    """

    def statistics(outcome: Outcome) -> Statistics | None:
        losses = outcome.losses
        if losses is None or not losses[:, 1].any():
            return None
        lengths = [len(e["text"] if "text" in e else e["target"]) for e in outcome.examples]
        return np.stack([losses[:, 0], np.where(losses[:, 1] > 0, lengths, 0)], axis=1)

    return Metric(
        "bpc",
        "bits per character",
        LOWER,
        statistics,
        bits_of,
        bounds=(0.0, np.inf),
        needs=(LOSSES,),
    )


@functools.cache
def rouge(kind: str = "rouge1", stemming: bool = True) -> Metric:
    """The mean over examples of ROUGE-1, -2 or -L (Lin 2004), as the library rouge-score computes it.

    It is the F1 of the most similar of an example's "targets", or of its target; see `quality.rouge_f1`.
    kind: "rouge1", "rouge2" or "rougeL", which is also the metric's name. Raises ValueError for another.
    """
    if kind not in ROUGES:
        raise ValueError(unknown("kind of ROUGE", kind, ROUGES))

    def statistics(outcome: Outcome) -> Statistics:
        scores = rouge_f1(kind, stemming, outcome.hypotheses, outcome.all_references)
        return np.stack([scores, np.ones(len(scores))], axis=1)

    signature = rouge_signature(kind, stemming)
    return Metric(kind, ROUGES[kind], HIGHER, statistics, mean_of, signature=signature)


@functools.cache
def exact_match() -> Metric:
    """The percentage of hypotheses that equal a target of their example: one of its "targets", or its target.

    Texts are compared as `words.normalize` returns them, since tokenizers do not keep the difference: in NFC, with
    single spaces and none at the ends. Case and punctuation count.
    """

    def statistics(outcome: Outcome) -> Statistics:
        pairs = zip(outcome.hypotheses, outcome.all_references, strict=True)
        return np.array([[normalize(h) in map(normalize, r), 1] for h, r in pairs], float)

    return Metric("exact_match", "exact match %", HIGHER, statistics, ratio_of)


@functools.cache
def pointing() -> Metric:
    """The percentage of examples that attend most to a sentence in their "supporting"; see `pointing.pointed`.

    The weights are those of the layer and head of `outcome.pointer`; without one, of the mean of all heads of the last
    cross-attention layer. Examples without "supporting" do not count; one that the model cannot read is wrong.
    A model without cross-attention has no score.
    """

    def statistics(outcome: Outcome) -> Statistics | None:
        records = outcome.records
        if not records or not cross_layers(records[0]):
            return None
        counts = pointing_counts(records, outcome.examples, outcome.pointer)
        return counts if counts.any() else None

    return Metric("pointing", "pointing %", HIGHER, statistics, ratio_of, needs=(RECORDS,))


@functools.cache
def alignment_error() -> Metric:
    """Alignment error rate of attention, in percent (Och & Ney 2003); see `alignment.errors`."""

    def statistics(outcome: Outcome) -> Statistics | None:
        if outcome.fitted is None:
            return None
        predicted = predicted_links(outcome.records, outcome.fitted)
        return link_counts(predicted, [record.links or () for record in outcome.records])

    return Metric("aer", "AER %", LOWER, statistics, aer_of, needs=(RECORDS,))


def perplexity_of(statistics: Statistics) -> np.ndarray:
    """Returns exp(first / second) of summed statistics [.., 2]."""
    with np.errstate(over="ignore"):
        return np.exp(statistics[..., 0] / statistics[..., 1])


def bits_of(statistics: Statistics) -> np.ndarray:
    """Returns first / second of summed statistics [.., 2], of nats in bits."""
    return mean_of(statistics) / np.log(2)


def mean_of(statistics: Statistics) -> np.ndarray:
    """Returns first / second of summed statistics [.., 2]."""
    return statistics[..., 0] / statistics[..., 1]


def aer_of(statistics: Statistics) -> np.ndarray:
    """Returns the alignment error rate, 0 to 100, of summed `alignment.link_counts` [.., 4]."""
    predicted, possible_hits, sure_hits, sure = np.moveaxis(statistics, -1, 0)
    return 100 * (1 - (sure_hits + possible_hits) / (predicted + sure))
