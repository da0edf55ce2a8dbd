"""Metrics: their statistics add up to what the libraries compute of all examples at once."""

import numpy as np
import pytest
import sacrebleu
from hypothesis import given
from hypothesis import strategies as st

from attention_lab.evaluation import metrics, quality
from attention_lab.evaluation.alignment import best_layer, errors
from attention_lab.evaluation.metrics import Outcome
from tests.evaluation.alignment_test import corpus_of

ALL = (metrics.bleu(), metrics.chrf(), metrics.perplexity(), metrics.alignment_error())
WORDS = st.lists(
    st.sampled_from(["the", "cat", "sat", "l'été", "a", ".", "on mats", "猫が"]), max_size=9
)
PAIRS = st.lists(st.tuples(WORDS.map(" ".join), WORDS.map(" ".join)), min_size=1, max_size=6)


def outcome(hypotheses, references, **more):
    return Outcome([{"target": one} for one in references], hypotheses, **more)


@given(PAIRS)
def test_the_statistics_of_chrf_add_up_to_sacrebleu_s(pairs):
    hypotheses, references = map(list, zip(*pairs, strict=True))
    statistics = metrics.chrf().statistics(outcome(hypotheses, references))
    assert statistics.shape == (len(pairs), 18)
    expected = sacrebleu.corpus_chrf(hypotheses, [references]).score
    assert metrics.chrf().score(statistics) == pytest.approx(expected, abs=1e-9)


def test_the_mean_of_chrf_is_over_the_lengths_of_which_both_sides_have_n_grams():
    # By length: 4 n-grams of the hypothesis, 5 of the reference, and 2 in common; then one side alone has some.
    sums = np.zeros(18)
    sums[:9] = [4, 5, 2, 3, 0, 0, 0, 3, 0]
    precision, recall = 2 / 4, 2 / 5
    assert metrics.chrf().of(sums) == pytest.approx(
        100 * 5 * precision * recall / (4 * precision + recall)
    )
    assert metrics.chrf().of(np.zeros(18)) == 0


@given(PAIRS)
def test_bleu_is_sacrebleu_s_of_short_and_of_unlike_sentences_too(pairs):
    hypotheses, references = map(list, zip(*pairs, strict=True))
    statistics = metrics.bleu_statistics(hypotheses, references)
    assert statistics.shape == (len(pairs), 10)
    expected = sacrebleu.corpus_bleu(hypotheses, [references]).score
    assert metrics.bleu().score(statistics) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("tokenize", ["13a", "intl", "char", "none"])
def test_the_statistics_of_bleu_add_up_to_sacrebleu_s(tokenize):
    references = [
        "The cat sat on the mat.",
        "It's 3.5 o'clock, isn't it?",
        "A dog (a big one) ran.",
    ]
    hypotheses = [
        "The cat sat on a mat .",
        "It is 3.5 o'clock, is it?",
        "A dog (a big one) ran away.",
    ]
    metric, one = metrics.bleu(tokenize), outcome(hypotheses, references)
    expected = quality.bleu(hypotheses, references, tokenize)
    assert metric.score_of(one) == pytest.approx(expected.score, abs=1e-9)
    assert metric.signature == expected.signature
    with pytest.raises(ValueError, match="no tokenizer for BLEU '13b'"):
        metrics.bleu("13b")


def test_letters_are_compared_in_one_form():
    composed, apart = ["l'\u00e9t\u00e9 \u00e7a"], ["l'e\u0301te\u0301 c\u0327a"]
    for metric in (metrics.bleu(), metrics.chrf()):
        same, other = (metric.statistics(outcome(each, composed)) for each in (composed, apart))
        np.testing.assert_array_equal(same, other)


def test_a_reference_that_bleu_does_not_cut_is_warned_of():
    with pytest.warns(UserWarning, match="BLEU's tokenizer 13a does not cut"):
        metrics.bleu().statistics(outcome(["a"], ["我非常喜欢这只小猫。"]))


def test_scores_are_percentages_but_a_perplexity_is_at_least_one():
    bounds = {metric.name: metric.bounds for metric in ALL}
    percent = dict.fromkeys(("bleu", "chrf", "aer"), (0.0, 100.0))
    assert bounds == percent | {"perplexity": (1.0, np.inf)}


def test_scores_that_sacrebleu_computes_say_how():
    assert metrics.bleu().signature == quality.bleu(["a"], ["a"]).signature
    assert metrics.chrf().signature == quality.chrf(["a"], ["a"]).signature
    assert [metric.signature for metric in ALL[2:]] == ["", ""]
    assert [metric.paired_p is None for metric in ALL] == [False, True, True, True]


@pytest.mark.parametrize("count", [metrics.bleu_statistics, metrics.chrf_statistics])
def test_as_many_references_as_hypotheses_are_needed(count):
    for hypotheses, references in ((["a", "b"], ["a"]), (["a"], ["a", "b"])):
        with pytest.raises(ValueError, match="zip"):
            count(hypotheses, references)


def test_perplexity_is_of_all_tokens_alike():
    metric = metrics.perplexity()
    # 2 tokens of probability 1/8 each, 6 of 1/2 each, and an example that could not be read.
    losses = np.array([[2 * np.log(8), 2], [6 * np.log(2), 6], [0, 0]])
    assert metric.score_of(outcome([""] * 3, [""] * 3, losses=losses)) == pytest.approx(
        2 ** ((2 * 3 + 6) / 8)
    )
    assert metric.of(np.array([[1e9, 1.0]])).tolist() == [np.inf]  # in silence


def test_the_alignment_error_is_read_as_was_chosen():
    chosen_on, records = (corpus_of(("cross/0", head, 0)) for head in (2, 1))
    metric = metrics.alignment_error()
    given = outcome([""] * 4, [""] * 4, records=records, fitted=best_layer(chosen_on))
    np.testing.assert_array_equal(metric.statistics(given), [[3, 0, 0, 3]] * 4)
    assert metric.score_of(given) == 100
    right = given._replace(fitted=best_layer(records))
    # Of three predicted links two are right, if the gold alignment has those two alone.
    less = [record._replace(links=frozenset(sorted(record.links)[:2])) for record in records]
    found = metric.statistics(right._replace(records=less))
    np.testing.assert_array_equal(found, [[3, 2, 2, 2]] * 4)
    gold = [record.links for record in records]
    assert metric.score_of(right) == pytest.approx(100 * errors(gold, gold).aer) == 0


def test_an_outcome_that_lacks_what_a_metric_counts_has_no_score():
    bare = outcome(["a"], ["a"])
    assert [metric.statistics(bare) is None for metric in ALL] == [False, False, True, True]
    unread = bare._replace(losses=np.zeros((1, 2)))
    assert metrics.perplexity().statistics(unread) is None
    assert np.isnan(metrics.perplexity().score_of(unread))


@pytest.mark.parametrize("metric", ALL, ids=lambda one: one.name)
@pytest.mark.parametrize("dtype", [int, np.int8, np.float32])
def test_a_score_is_computed_in_float64(metric, dtype):
    width = {"bleu": 10, "chrf": 18, "perplexity": 2, "aer": 4}[metric.name]
    statistics = np.arange(1, 91).reshape(5, 18)[:, :width]
    expected = float(metric.of(statistics.astype(float).sum(0)))
    assert metric.score(statistics.astype(dtype)) == expected
    assert np.isfinite(expected)


@pytest.mark.parametrize("metric", ALL, ids=lambda one: one.name)
def test_a_metric_says_which_way_is_better(metric):
    # From a bad outcome to a better one, each metric goes its own way.
    texts = ["the cat sat on the mat", "a dog ran to the house"]
    bad, good = (
        outcome(
            [text.replace("the", word) for text in texts],
            texts,
            losses=np.array([[loss, 1.0]] * 2),
            records=corpus_of(("cross/0", head, 0)),
            fitted=best_layer(corpus_of(("cross/0", 1, 0))),
        )
        for word, loss, head in (("a", 2.0, 2), ("the", 1.0, 1))
    )
    before, after = metric.score_of(bad), metric.score_of(good)
    assert (after > before) == (metric.better == "higher") and after != before
    low, high = metric.bounds
    assert low <= min(before, after) <= max(before, after) <= high
