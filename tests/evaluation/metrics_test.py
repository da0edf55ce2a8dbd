"""Metrics: their statistics add up to what the libraries compute of all examples at once."""

import gzip
import json
import pathlib
import subprocess
import sys
from collections import Counter
from importlib.metadata import version

import numpy as np
import pytest
import sacrebleu
from hypothesis import given, settings
from hypothesis import strategies as st
from rouge_score.rouge_scorer import RougeScorer

from attention_lab.evaluation import metrics, quality
from attention_lab.evaluation.alignment import best_layer, errors
from attention_lab.evaluation.metrics import Outcome
from attention_lab.evaluation.statistics import contributions
from tests.evaluation.alignment_test import corpus_of

PAPERS = pathlib.Path(__file__).parents[2].parent / "shared/data/summarization/scitldr_a.jsonl.gz"
few = settings(max_examples=50, deadline=None, derandomize=True)
ALL = (
    metrics.bleu(),
    metrics.chrf(),
    metrics.perplexity(),
    metrics.alignment_error(),
    metrics.rouge("rouge1"),
    metrics.rouge("rouge2", stemming=False),
    metrics.rouge("rougeL"),
    metrics.exact_match(),
    metrics.bits_per_character(),
    metrics.pointing(),
)
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
    for metric in (metrics.bleu(), metrics.chrf(), metrics.rouge()):
        same = metric.statistics(outcome(composed, composed))
        for one in (outcome(apart, composed), outcome(composed, apart)):
            np.testing.assert_array_equal(metric.statistics(one), same)


def test_a_reference_that_bleu_does_not_cut_is_warned_of():
    with pytest.warns(UserWarning, match="BLEU's tokenizer 13a does not cut"):
        metrics.bleu().statistics(outcome(["a"], ["我非常喜欢这只小猫。"]))


def test_scores_are_percentages_but_a_perplexity_is_at_least_one():
    bounds = {metric.name: metric.bounds for metric in ALL}
    names = ("bleu", "chrf", "aer", "rouge1", "rouge2", "rougeL", "exact_match", "pointing")
    percent = dict.fromkeys(names, (0.0, 100.0))
    assert bounds == percent | {"perplexity": (1.0, np.inf), "bpc": (0.0, np.inf)}


def test_a_metric_says_what_it_reads_of_an_outcome():
    """Each metric has its score from what it needs alone, and none without it."""
    examples = [{"target": "a", "sentence_of": [0, 0, 1], "supporting": [1]}] * 4
    records = corpus_of(("cross/0", 1, 0))
    given = {
        "hypotheses": ["a"] * 4,
        "losses": np.ones((4, 2)),
        "records": records,
    }
    for metric in ALL:
        assert metric.needs and set(metric.needs) <= set(given)
        own = {name: given[name] for name in metric.needs}
        enough = Outcome(examples, **{"hypotheses": (), **own}, fitted=best_layer(records))
        assert np.isfinite(metric.score_of(enough)), metric.name
        rest = {name: one for name, one in given.items() if name not in metric.needs}
        lacking = Outcome(examples, **{"hypotheses": (), **rest}, fitted=best_layer(records))
        if metric.needs == ("hypotheses",):
            with pytest.raises(ValueError, match="zip"):
                metric.statistics(lacking)
        else:
            assert metric.statistics(lacking._replace(fitted=None)) is None


def test_scores_that_sacrebleu_computes_say_how():
    assert metrics.bleu().signature == quality.bleu(["a"], ["a"]).signature
    assert metrics.chrf().signature == quality.chrf(["a"], ["a"]).signature
    bare = [metric for metric in ALL if not metric.signature]
    assert [metric.name for metric in bare] == [
        "perplexity",
        "aer",
        "exact_match",
        "bpc",
        "pointing",
    ]
    assert [metric.name for metric in ALL if metric.paired_p] == ["bleu"]


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
    lacking = [metric.name for metric in ALL if metric.statistics(bare) is None]
    assert lacking == ["perplexity", "aer", "bpc", "pointing"]
    unread = bare._replace(losses=np.zeros((1, 2)))
    for metric in (metrics.perplexity(), metrics.bits_per_character()):
        assert metric.statistics(unread) is None
        assert np.isnan(metric.score_of(unread))


@pytest.mark.parametrize("metric", ALL, ids=lambda one: one.name)
@pytest.mark.parametrize("dtype", [int, np.int8, np.float32])
def test_a_score_is_computed_in_float64(metric, dtype):
    width = {"bleu": 10, "chrf": 18, "aer": 4}.get(metric.name, 2)
    statistics = np.arange(1, 91).reshape(5, 18)[:, :width]
    expected = float(metric.of(statistics.astype(float).sum(0)))
    assert metric.score(statistics.astype(dtype)) == expected
    assert np.isfinite(expected)


@pytest.mark.parametrize("metric", ALL, ids=lambda one: one.name)
def test_a_metric_says_which_way_is_better(metric):
    # From a bad outcome to a better one, each metric goes its own way.
    texts = ["the cat sat on the mat", "a dog ran to the house"]
    texts *= 2
    bad, good = (
        Outcome(
            [{"target": t, "sentence_of": [0, 0, 1], "supporting": [gold]} for t in texts],
            [text.replace("the", word) for text in texts],
            losses=np.array([[loss, 1.0]] * 4),
            records=corpus_of(("cross/0", head, 0)),
            fitted=best_layer(corpus_of(("cross/0", 1, 0))),
        )
        # Whichever head is right, the first sentence has two of three words, and most weight.
        for word, loss, head, gold in (("a", 2.0, 2, 1), ("the", 1.0, 1, 0))
    )
    before, after = metric.score_of(bad), metric.score_of(good)
    assert (after > before) == (metric.better == "higher") and after != before
    low, high = metric.bounds
    assert low <= min(before, after) <= max(before, after) <= high


SUMMARIES = st.lists(
    st.sampled_from(["The", "cats", "cat's", "running", "ran", "3.5", "été", "Zoë", ","]),
    max_size=8,
).map(" ".join)


@few
@given(
    st.lists(
        st.tuples(SUMMARIES, st.lists(SUMMARIES, min_size=1, max_size=3)), min_size=1, max_size=4
    )
)
@pytest.mark.parametrize("stemming", [True, False])
def test_rouge_is_the_library_s_best_of_several_references(stemming, pairs):
    hypotheses = [hypothesis for hypothesis, _ in pairs]
    examples = [{"target": own[0], "targets": own} for _, own in pairs]
    scorer = RougeScorer(list(metrics.ROUGES), use_stemmer=stemming)
    scores = [scorer.score_multi(own, hypothesis) for hypothesis, own in pairs]
    for kind in metrics.ROUGES:
        metric = metrics.rouge(kind, stemming)
        found = metric.statistics(Outcome(examples, hypotheses))
        expected = [[100 * score[kind].fmeasure, 1] for score in scores]
        np.testing.assert_allclose(found, expected, rtol=1e-12)
        mean = sum(score for score, _ in expected) / len(expected)
        assert metric.score(found) == pytest.approx(mean)


@pytest.mark.skipif(not PAPERS.exists(), reason="../shared/data/summarization is absent")
def test_the_first_sentence_and_the_best_one_have_the_known_rouge_on_scitldr():
    with gzip.open(PAPERS, "rt", encoding="utf-8") as lines:
        rows = [row for row in map(json.loads, lines) if row["split"] == "test"]
    examples = [{"target": row["target"][0], "targets": row["target"]} for row in rows]
    first = [row["source"][0] for row in rows]
    best = [row["source"][row["oracle"].index(1)] for row in rows]
    known = {"rouge1": (28.2, 41.4), "rouge2": (11.3, 22.5), "rougeL": (23.1, 34.9)}
    for kind, scores in known.items():
        found = [
            metrics.rouge(kind, stemming=False).score_of(Outcome(examples, texts))
            for texts in (first, best)
        ]
        assert found == pytest.approx(scores, abs=0.06)


def f1(common, ours, theirs):
    return 200 * common / (ours + theirs) if ours and theirs else 0.0


def subsequence(one, other):
    """The length of the longest common subsequence, by its recursion."""
    if not one or not other:
        return 0
    if one[-1] == other[-1]:
        return 1 + subsequence(one[:-1], other[:-1])
    return max(subsequence(one[:-1], other), subsequence(one, other[:-1]))


@few
@given(one=st.text("ab ", max_size=8), other=st.text("ab ", max_size=8))
def test_rouge_is_lin_s_formula(one, other):
    hypothesis, reference = one.split(), other.split()
    expected = {"rougeL": f1(subsequence(hypothesis, reference), len(hypothesis), len(reference))}
    for n in (1, 2):
        grams = [
            Counter(tuple(words[i : i + n]) for i in range(len(words) - n + 1))
            for words in (hypothesis, reference)
        ]
        common = sum(min(count, grams[1][gram]) for gram, count in grams[0].items())
        expected[f"rouge{n}"] = f1(common, *(sum(own.values()) for own in grams))
    for kind, score in expected.items():
        metric = metrics.rouge(kind, stemming=False)
        assert metric.score_of(outcome([one], [other])) == pytest.approx(score)


def test_rouge_says_how_and_of_what_it_is():
    signature = metrics.rouge("rouge2").signature
    assert signature == f"rouge2|f1|refs:best|stem:porter|rouge-score:{version('rouge-score')}"
    assert "stem:no" in metrics.rouge("rouge2", False).signature
    assert metrics.rouge("rougeL").score_of(outcome(["runs"], ["running"])) == 100
    assert metrics.rouge("rougeL", False).score_of(outcome(["runs"], ["running"])) == 0
    with pytest.raises(ValueError, match=r"no kind of ROUGE 'rouge-1'.*rouge1"):
        metrics.rouge("rouge-1")


def test_a_reference_of_which_rouge_reads_nothing_is_warned_of():
    with pytest.warns(UserWarning, match="ROUGE reads the letters a to z and digits only"):
        assert metrics.rouge().score_of(outcome(["我喜欢"], ["我喜欢"])) == 0
    assert metrics.rouge().score_of(outcome(["Été ... "], ["été"])) == 100
    # In silence:
    assert metrics.rouge().score_of(outcome(["..."], ["..."])) == 0
    assert metrics.rouge().score_of(outcome(["A B"], ["A B"])) == 100


def test_loading_metrics_does_not_load_rouge():
    code = (
        "import sys, attention_lab.evaluation.metrics as m; m.rouge(); print('nltk' in sys.modules)"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "False"


def test_an_exact_match_is_of_one_of_the_targets_but_for_spaces():
    examples = [
        {"target": "the hall"},
        {"target": "the hall"},
        {"target": "the  hall\n"},
        {"target": "no", "targets": ["no", "not at all"]},
        {"target": "no", "targets": ["yes"]},
        {"target": "l'\u00e9t\u00e9"},
        {"target": ""},
    ]
    hypotheses = [" the hall", "The hall", "the hall", "not at all", "no", "l'e\u0301te\u0301", ""]
    found = metrics.exact_match().statistics(Outcome(examples, hypotheses))
    assert found.tolist() == [[1, 1], [0, 1], [1, 1], [1, 1], [0, 1], [1, 1], [1, 1]]
    assert metrics.exact_match().score(found) == pytest.approx(500 / 7)


def test_bits_are_per_character_of_all_texts():
    # 3 tokens of 1 bit for 4 characters; 2 of 8 bits for a target of 2; one text that could not be read.
    losses = np.array([[3 * np.log(2), 3], [16 * np.log(2), 2], [0, 0]])
    examples = [{"text": "a b."}, {"source": "longer", "target": "né"}, {"text": "not read"}]
    one = Outcome(examples, (), losses)
    assert metrics.bits_per_character().statistics(one)[:, 1].tolist() == [4, 2, 0]
    assert metrics.bits_per_character().score_of(one) == pytest.approx(19 / 6)


def test_a_mean_of_f1_has_the_interval_of_a_mean():
    # The contributions of examples to ROUGE are their own scores.
    sums = np.array([[[10.0, 1], [30.0, 1], [80.0, 1]], [[20.0, 1], [40.0, 1], [60.0, 1]]])
    for metric in (metrics.rouge("rouge1"), metrics.rouge("rougeL")):
        np.testing.assert_allclose(contributions(sums, metric.of), sums[..., 0])
