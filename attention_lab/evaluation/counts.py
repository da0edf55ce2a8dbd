"""Sufficient statistics of BLEU and chrF: the counts of each sentence, and the scores of their sums."""

from collections.abc import Sequence

import numpy as np
from sacrebleu.metrics.chrf import CHRF
from sacrebleu.metrics.helpers import extract_all_char_ngrams

from attention_lab.evaluation.quality import bleu_metric, composed

Statistics = np.ndarray  # [.., P], sufficient statistics of one example, or their sum over examples


def bleu_statistics(
    hypotheses: Sequence[str],
    references: Sequence[str] | Sequence[Sequence[str]],
    tokenize: str = "13a",
) -> Statistics:
    """Returns sacreBLEU's counts of each sentence: [N, 10], 4 matches, 4 totals, and the two lengths.

    references: one of each hypothesis, or a list of several, of which the one of the nearest length counts. tokenize: as
    in `quality.bleu`.
    """
    metric = bleu_metric(tokenize, effective_order=True)
    lists = ([one] if isinstance(one, str) else one for one in references)
    pairs = zip(composed(hypotheses), map(composed, lists), strict=True)
    scores = (metric.sentence_score(h, r) for h, r in pairs)
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
