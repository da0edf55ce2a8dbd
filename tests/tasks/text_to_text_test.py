"""Summarization and answering as tasks: their examples and their metrics."""

import numpy as np
import pytest

from attention_lab.data import sources
from attention_lab.evaluation.metrics import Outcome
from attention_lab.evaluation.pointing import Pointer
from attention_lab.evaluation.records import make_record
from attention_lab.special_tokens import END
from attention_lab.tasks import TASKS, target_text, task_of
from tests.evaluation.alignment_test import cottage
from tests.tasks.tiny import config_of

NAMES = {
    "summarization": ["rougeL", "rouge1", "rouge2", "aer", "perplexity"],
    "answering": ["exact_match", "pointing", "aer", "perplexity"],
}
RANKS = {
    "summarization": ["rougeL", "perplexity"],
    "answering": ["exact_match", "perplexity"],
}


@pytest.mark.parametrize("name", NAMES)
def test_the_main_metric_is_first_and_ranks_first(name):
    config, task = config_of(name), TASKS[name]
    metrics = task.metrics(config)
    assert [metric.name for metric in metrics] == NAMES[name]
    assert [metric.name for metric in task.ranking(config)] == RANKS[name]
    assert task.compared[0] == NAMES[name][0]


@pytest.mark.parametrize("name", TASKS)
def test_every_task_ranks_and_compares_by_metrics_that_it_has(name):
    config, task = config_of(name), task_of(config_of(name))
    names = [metric.name for metric in task.metrics(config)]
    assert len(set(names)) == len(names)
    assert {*task.rank, *task.compared} <= set(names) and task.compared
    assert task.rank[0] == names[0]  # of which reports show the curve
    # Validation has neither records nor an alignment: what ranks must do without.
    assert not any("records" in metric.needs for metric in task.ranking(config))
    with pytest.raises(StopIteration):
        task.metric(config, "none")


@pytest.mark.parametrize("name", NAMES)
def test_examples_are_those_of_the_corpus_encoded_on_both_sides(name, tmp_path):
    config, task = config_of(name, tokenizer__joint=False, data__max_length=40), TASKS[name]
    examples = task.read(config, "train", tmp_path)
    data = config["data"]
    assert examples == list(sources.opened(data["name"], "train", data["options"], tmp_path))
    assert len(examples) == data["options"]["size"]
    codec = task.prepare(config, examples, tmp_path)
    rows = task.encode(config, codec, examples, tmp_path)
    for place, source, target in zip(rows.places[:9], rows.source, rows.target, strict=False):
        assert source.tolist() == [*codec.source.encode(examples[place]["source"]).ids, END]
        assert target.tolist() == [*codec.target.encode(examples[place]["target"]).ids, END]
    long = [len(e["source"].split()) + 1 > 40 for e in examples]
    assert rows.left_out == {"a blank side": 0, "more than 40 tokens": sum(long)}
    assert task.evaluated(config, codec, examples) == examples
    assert all(target_text(example) == example["target"] for example in examples)


def asked(source):
    words = source.split()
    weights = np.arange(1, len(words) + 2) / sum(range(len(words) + 2))
    return make_record(
        [*words, "</s>"],
        ["shed", "</s>"],
        {"cross/0": weights[None, None].repeat(2, 1)},
        source_words=words,
        target_words=["shed"],
        source_word_of=[*range(len(words)), -1],
        target_word_of=[0, -1],
    )


def test_an_answer_is_shown_over_sentences_and_over_words_if_there_is_one_sentence(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    told = "Tom went to the shed . Eve slept . Where is Tom ?"
    lines, figure = TASKS["answering"].show(asked(told), "cross/0", None, None)
    shares = [100 * sum(part) / 105 for part in (range(1, 7), range(7, 10), range(10, 14))]
    sentences = ["Tom went to the shed.", "Eve slept.", "Where is Tom?"]
    for line, share, sentence in zip(lines.split("\n"), shares, sentences, strict=True):
        assert line.startswith(f"{share:3.0f} %") and line.endswith(sentence)
    assert next(text.get_text() for text in figure.axes[0].texts) == "shed"
    matrix, _ = TASKS["answering"].show(asked("jump twice"), "cross/0", 0, None)
    assert "%" not in matrix and "jump" in matrix and "shed" in matrix


def test_stems_are_compared_where_the_config_says_so():
    example = {"target": "many running dogs"}
    outcome = Outcome([example], ["many dog runs"])
    plain, stems = (
        TASKS["summarization"].metric(config_of("summarization", data__stem=stem), "rouge1")
        for stem in (False, True)
    )
    assert plain.score_of(outcome) == pytest.approx(100 / 3)
    assert stems.score_of(outcome) == pytest.approx(100)


def test_the_most_similar_of_several_summaries_counts():
    example = {"target": "a b", "targets": ["a b", "c d", "c d e"]}
    (score,) = [
        TASKS["summarization"]
        .metric(config_of("summarization"), "rougeL")
        .score_of(Outcome([example], [text]))
        for text in ("c d",)
    ]
    assert score == 100


def test_an_answer_is_right_as_a_whole_and_attention_points_to_what_supports_it():
    """Of a story of two sentences and a question, a decoder attends to the second."""
    examples = [
        {"source": "a b c ?", "target": "x y", "sentence_of": [0, 1, 1, -1], "supporting": [1]},
        {"source": "a b c ?", "target": "z", "sentence_of": [0, 1, 1, -1], "supporting": [0]},
    ]
    weights = {"cross/0": np.array([[[0.2, 0.4, 0.3, 0.0, 0.1]] * 2])}
    words = [["a", "b", "c", "?"], ["x", "y"]]
    record = make_record(
        [*words[0], "</s>"],
        words[1],
        weights,
        source_words=words[0],
        target_words=words[1],
        source_word_of=[0, 1, 2, 3, -1],
        target_word_of=[0, 1],
    )
    losses = np.array([[3.0, 3], [1.0, 2]])
    outcome = Outcome(
        examples, ["x  y", "zz"], losses, [record, record], pointer=Pointer("cross/0", None)
    )
    config = config_of("answering")
    scores = {m.name: m.score_of(outcome) for m in TASKS["answering"].metrics(config)}
    assert scores["exact_match"] == 50 and scores["pointing"] == 50
    assert scores["perplexity"] == pytest.approx(np.exp(4 / 5))
    assert np.isnan(scores["aer"])  # without links


@pytest.mark.parametrize("name", NAMES)
def test_attention_is_shown_by_target_and_source_words(name):
    printed, figure = TASKS[name].show(cottage(), "cross/0", None, None)
    (axes,) = [axes for axes in figure.axes if axes.images]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["the", "cottage"]
    assert "das" in printed and "cottage" in printed
