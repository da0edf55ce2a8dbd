"""Findings, from rows that are made up and whose truth is known."""

import numpy as np
import pytest

from attention_lab.evaluation.metrics import bleu_of, bleu_statistics
from attention_lab.evaluation.statistics import ratio_of
from attention_lab.studies import findings
from tests.studies.made import AER, BLEU, METRICS

REFERENCES = [f"the cat number {n} sat on the mat again" for n in range(24)]
LONG = [n % 2 == 1 for n in range(24)]


def row(arm, seed, wrong):
    """A row whose translations miss a word in every sentence that `wrong` names."""
    texts = [r.replace("cat", "dog") if wrong(n) else r for n, r in enumerate(REFERENCES)]
    right = [[[0, 0], [7 - wrong(n), 8 - (n % 3 == 0)]] for n in range(24)]
    return {
        "arm": arm,
        "seed": seed,
        "split": "test",
        "hypotheses": texts,
        "references": REFERENCES,
        "statistics": {
            "test": {
                "bleu": bleu_statistics(texts, REFERENCES).tolist(),
                "source_words": [15 if long else 5 for long in LONG],
                "frequency": right,
            }
        },
        "curve": [{"tokens": t, "bleu": 10.0 * t + seed, "perplexity": 5.0} for t in (1, 2)],
    }


ROWS = [
    *(row("good", seed, lambda n, seed=seed: n == seed) for seed in (0, 1, 2)),
    *(row("bad", seed, lambda n, seed=seed: LONG[n] or n == 2 * seed) for seed in (0, 1, 2)),
]


def test_a_score_is_the_mean_of_the_seeds_own():
    found = findings.score(ROWS, "bad", BLEU)
    each = [bleu_of(np.array(r["statistics"]["test"]["bleu"]).sum(0)) for r in ROWS[3:]]
    assert found.score == pytest.approx(np.mean(each)) and found.low < found.score < found.high
    assert findings.score(ROWS, "bad", AER) is None  # it has no links


def test_a_clear_difference_is_found_by_all_three_tests():
    (one,) = findings.compare(ROWS, ["bad", "good"], METRICS)
    assert (one.arm, one.other) == ("good", "bad") and one.difference.low > 0
    assert one.adjusted < 0.05 and one.bootstrap[0] > 0
    alike = [*ROWS, row("alike", 0, lambda n: n in (7, 8))]
    theirs = findings.library_p(
        alike, [one, one._replace(arm="alike"), one._replace(arm="alike", other="good")]
    )
    assert theirs["good", "bad", "bleu"] < 0.05 and theirs["alike", "bad", "bleu"] < 0.05
    assert theirs["alike", "good", "bleu"] > 0.1
    same = findings.difference(ROWS, "good", "bad", BLEU)
    assert same.estimate == pytest.approx(one.difference.estimate)


def test_bleu_by_length_is_of_those_sentences():
    short, long = findings.by_length(ROWS, "bad", BLEU)
    assert (short.number, short.size, long.number, long.size) == (0, 12, 1, 12)
    assert short.score > 90 > long.score


def test_words_by_class_leave_out_classes_that_are_empty():
    (found,) = findings.by_class(ROWS, "good", "frequency", 2)
    counts = np.array([r["statistics"]["test"]["frequency"] for r in ROWS[:3]], float)[:, :, 1]
    assert (found.number, found.size) == (1, counts[0, :, 1].sum())
    assert found.score == pytest.approx(ratio_of(counts.sum(1)).mean())
    assert findings.by_class(ROWS, "good", "jump", 4) == []


def test_one_seed_has_a_score_without_an_interval():
    found = findings.score(ROWS[:1], "good", BLEU)
    assert found.low == found.score == found.high
    assert findings.compare(ROWS[:1], ["good"], METRICS) == []


def test_learning_has_the_range_of_the_seeds():
    assert findings.learning(ROWS, "good", BLEU) == [
        (1.0, 11.0, 10.0, 12.0),
        (2.0, 21.0, 20.0, 22.0),
    ]
