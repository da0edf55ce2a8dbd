"""ROUGE as a metric: the best reference counts, and the mean over examples is that of the library."""

import sys

import numpy as np
import pytest

from attention_lab.evaluation.metrics import Outcome
from attention_lab.evaluation.rouge import VARIANTS, best_f, f_score, rouge

rouge_scorer = pytest.importorskip(
    "rouge_score.rouge_scorer", reason="rouge-score is not installed"
)

EXAMPLES = [
    {
        "target": "the cats sat on the mat",
        "targets": ["the cats sat on the mat", "a cat was sitting"],
    },
    {"target": "dogs run"},
    {"target": "nothing in common"},
]
OUTPUTS = ["a cat sat", "the dog runs home", "entirely different words"]


def f1(matches, hypothesis, reference):
    """F of counts: 2 P R / (P + R)."""
    if not matches:
        return 0.0
    precision, recall = matches / hypothesis, matches / reference
    return 2 * precision * recall / (precision + recall)


def test_the_best_reference_counts():
    assert best_f(OUTPUTS[0], EXAMPLES[0], "rouge1", stem=False) == pytest.approx(
        max(f1(1, 3, 6), f1(2, 3, 4))
    )
    assert best_f(OUTPUTS[0], EXAMPLES[0], "rouge2", stem=False) == pytest.approx(f1(1, 2, 3))
    assert best_f(OUTPUTS[1], EXAMPLES[1], "rouge1", stem=False) == 0
    assert best_f(OUTPUTS[1], EXAMPLES[1], "rouge1") == pytest.approx(f1(2, 4, 2))


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("stem", [True, False])
def test_the_score_is_the_mean_over_examples(variant, stem):
    scorer = rouge_scorer.RougeScorer([variant], use_stemmer=stem)
    best = [
        max(
            scorer.score(target, output)[variant].fmeasure
            for target in example.get("targets", [example["target"]])
        )
        for example, output in zip(EXAMPLES, OUTPUTS, strict=True)
    ]
    metric = rouge(variant, stem)
    outcome = Outcome(EXAMPLES, OUTPUTS)
    assert metric.score_of(outcome) == pytest.approx(100 * np.mean(best))
    assert metric.statistics(outcome).shape == (3, 2) and metric.name == variant
    assert metric is rouge(variant, stem) and ("not stemmed" in metric.signature) != stem


def test_precision_and_recall_are_not_confused():
    assert f_score("rouge1")("one two", "one two three four") == pytest.approx(f1(2, 2, 4))


def test_what_does_not_exist_is_reported(monkeypatch):
    with pytest.raises(ValueError, match="no variant of ROUGE 'rougel'; did you mean 'rouge"):
        rouge("rougel")
    monkeypatch.setitem(sys.modules, "rouge_score", None)
    f_score.cache_clear()
    with pytest.raises(ValueError, match="ROUGE needs the package rouge-score; pip install"):
        f_score("rouge1")
    f_score.cache_clear()
