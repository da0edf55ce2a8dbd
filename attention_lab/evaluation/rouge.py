"""ROUGE by Google's rouge-score: the metric of summaries.

score = rouge("rouge1").score_of(Outcome(examples, hypotheses))        # 0 to 100
"""

import functools
import importlib.metadata
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from attention_lab.evaluation.metrics import HIGHER, Metric, Outcome, Statistics
from attention_lab.evaluation.statistics import ratio_of
from attention_lab.mechanism.registry import unknown

VARIANTS = {
    "rouge1": "ROUGE-1",
    "rouge2": "ROUGE-2",
    "rougeL": "ROUGE-L",
    "rougeLsum": "ROUGE-Lsum",
}


@functools.cache
def rouge(variant: str = "rougeL", stem: bool = True) -> Metric:
    """The mean over examples of ROUGE F (Lin 2004), of single words, pairs of words or the longest common subsequence.

    variant: one of VARIANTS; "rougeLsum" takes each line of a text as a sentence. stem: whether words are reduced by
    Porter's stemmer. An example with several references counts the best F of any. Raises ValueError for an unknown
    variant, or if rouge-score is not installed.
    """
    if variant not in VARIANTS:
        raise ValueError(unknown("variant of ROUGE", variant, VARIANTS))
    f_score(variant, stem)  # reports a missing library before a model is evaluated

    def statistics(outcome: Outcome) -> Statistics:
        pairs = zip(outcome.hypotheses, outcome.examples, strict=True)
        return np.array([[best_f(h, example, variant, stem), 1] for h, example in pairs], float)

    version = importlib.metadata.version("rouge_score")
    signature = f"rouge-score {version}, {'stemmed' if stem else 'not stemmed'}, best reference"
    return Metric(variant, VARIANTS[variant], HIGHER, statistics, ratio_of, signature=signature)


def best_f(hypothesis: str, example: Mapping[str, Any], variant: str, stem: bool = True) -> float:
    """Returns the best ROUGE F of a text with any reference of an example, 0 to 1."""
    score = f_score(variant, stem)
    return max(score(hypothesis, target) for target in references_of(example))


def references_of(example: Mapping[str, Any]) -> list[str]:
    """Returns all references of an example: its targets, or its only one."""
    return list(example.get("targets") or [example["target"]])


@functools.cache
def f_score(variant: str, stem: bool = True) -> Callable[[str, str], float]:
    """Returns the function (hypothesis, reference) -> ROUGE F, 0 to 1. Raises ValueError if rouge-score is missing."""
    try:
        from rouge_score import rouge_scorer
    except ImportError:
        raise ValueError("ROUGE needs the package rouge-score; pip install rouge-score") from None
    scorer = rouge_scorer.RougeScorer([variant], use_stemmer=stem)
    return lambda hypothesis, reference: scorer.score(reference, hypothesis)[variant].fmeasure
