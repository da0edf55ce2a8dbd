"""What is reached without a model, by task; of the real corpora, as it is quoted beside the scores of models."""

import math

import pytest

from attention_lab.data.sources import load
from attention_lab.evaluation.baselines import (
    BASELINES,
    baselines,
    lead,
    most_frequent,
    oracle,
    supporting,
)
from attention_lab.evaluation.ngrams import ngram_loss
from tests.data.sources_test import DATA, needs_data

EXAMPLE = {
    "source": "A cat sat there. Dogs ran. It rained.",
    "target": "dogs ran",
    "targets": ["dogs ran", "it rained all day"],
    "sentence_of": [1, 1, 1, 1, 2, 2, 4, 4],
    "supporting": [4, 1],
}


def test_sentences_of_the_source_are_chosen():
    assert lead(EXAMPLE) == "A cat sat there." and lead(EXAMPLE, 2) == "A cat sat there. Dogs ran."
    assert supporting(EXAMPLE) == "It rained. A cat sat there."
    lengths = oracle(EXAMPLE, lambda sentence, example: len(sentence))
    assert lengths == "A cat sat there."
    assert oracle(EXAMPLE, lambda sentence, example: sentence.startswith("D")) == "Dogs ran."
    assert oracle(EXAMPLE, lambda sentence, example: 0) == "A cat sat there."


def test_the_most_frequent_target_is_of_training():
    train = [{"target": word} for word in ["b", "a", "c", "a", "b"]]
    assert most_frequent(train) == "b"
    rows = baselines("answering", train, [{"target": word} for word in ["a", "b", "b", "c"]])
    assert rows == [("always 'b'", {"exact match %": 50.0})]


def test_counts_of_characters_are_of_training():
    train, text = "abracadabra", "abacus"
    rows = dict(baselines("language", [{"text": train}], [{"text": text}]))
    assert list(rows) == [
        "uniform",
        "5-gram, witten-bell",
        "5-gram, kneser-ney",
        "6-gram, kneser-ney",
    ]
    assert rows["uniform"] == {
        "nats": pytest.approx(math.log(7)),
        "bits": pytest.approx(math.log2(7)),
    }
    expected = ngram_loss(train, text, 6, "kneser_ney", 7)
    assert rows["6-gram, kneser-ney"]["nats"] == pytest.approx(expected)
    assert rows["6-gram, kneser-ney"]["bits"] == pytest.approx(expected / math.log(2))


def test_summaries_are_compared_by_their_best_reference():
    rows = dict(baselines("summarization", [], [EXAMPLE]))
    assert rows["sentence with the best ROUGE-1"] == {
        "ROUGE-1": 100, "ROUGE-2": 100, "ROUGE-L": 100,
    }  # fmt: skip
    assert rows["first sentence"] == {"ROUGE-1": 0, "ROUGE-2": 0, "ROUGE-L": 0}
    best = rows[
        "sentence that the corpus calls best"
    ]  # of its six words, two are in "it rained all day"
    assert best["ROUGE-1"] == pytest.approx(100 * 2 * 2 / (6 + 4))


@pytest.mark.parametrize("task", BASELINES)
def test_examples_of_another_task_are_reported(task):
    with pytest.raises(ValueError) as caught:
        baselines(task, [{"image": 0}], [{"image": 0}])
    needed = BASELINES[task][0][0]
    assert str(caught.value) == (
        f"the examples have no {needed!r}, which {task} needs; they have image"
    )
    with pytest.raises(ValueError, match="no task with baselines 'languag'; did you mean"):
        baselines("languag", [], [])


@needs_data
def test_the_baselines_of_real_summaries_are_the_known_ones():
    test = load("scitldr", "test", path=DATA / "summarization", repeats=True)
    rows = {name: [*scores.values()] for name, scores in baselines("summarization", [], test)}
    assert [round(score, 1) for score in rows["first sentence"]] == [28.2, 11.3, 23.1]
    best = rows["sentence that the corpus calls best"]
    assert best == pytest.approx([41.35, 22.51, 34.88], abs=0.01)
    best = rows["sentence with the best ROUGE-1"]
    assert best == pytest.approx([45.75, 25.58, 38.29], abs=0.01)
