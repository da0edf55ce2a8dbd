"""Translation as a task: what is read, encoded, scored and shown."""

import re

import numpy as np
import pytest

from attention_lab import tasks
from attention_lab.data import sources
from attention_lab.special_tokens import END
from attention_lab.tasks import TASKS, task_of
from tests.evaluation.alignment_test import cottage

CONFIG = {
    "task": "translation",
    "data": {
        "name": "corpus",
        "options": {"path": "p"},
        "max_length": 4,
        "bleu_tokenize": "char",
    },
    "tokenizer": {"kind": "word", "size": 20, "joint": False},
}
EXAMPLES = [
    {"source": "a b c", "target": "x"},
    {"source": "a", "target": "y x z x"},  # too long with END
    {"source": "b a", "target": "z y x"},
]
TASK = task_of(CONFIG)


def test_a_task_is_found_by_the_name_in_the_config():
    assert TASK is TASKS["translation"] is tasks.translation.TRANSLATION
    assert [name for name, task in TASKS.items() if task.name != name] == []
    with pytest.raises(ValueError, match="did you mean 'translation'"):
        task_of({"task": "translatoin"})


def test_a_split_is_that_of_the_config_s_dataset(monkeypatch, tmp_path):
    opened = []

    def source(*words):
        opened.append(words)
        return EXAMPLES

    monkeypatch.setattr(sources, "opened", source)
    assert TASK.read(CONFIG, "validation", tmp_path) == EXAMPLES
    assert opened == [("corpus", "validation", {"path": "p"}, tmp_path)]


def test_each_side_has_its_tokenizer_and_long_pairs_are_left_out(tmp_path):
    codec = TASK.prepare(CONFIG, EXAMPLES, tmp_path)
    assert set(codec.source.pieces[4:]) == set("abc")
    assert set(codec.target.pieces[4:]) == set("xyz")
    pairs = TASK.encode(CONFIG, codec, EXAMPLES, tmp_path)
    assert pairs.places.tolist() == [0, 2]
    assert pairs.left_out == {"a blank side": 0, "more than 4 tokens": 1}
    for place, source, target in zip(pairs.places, pairs.source, pairs.target, strict=True):
        one = EXAMPLES[place]
        assert source.tolist() == [*codec.source.encode(one["source"]).ids, END]
        assert target.tolist() == [*codec.target.encode(one["target"]).ids, END]
    assert len(list(tmp_path.iterdir())) == 3  # both tokenizers and the pairs are kept


def test_bleu_is_the_main_metric_and_ranks_before_perplexity():
    metrics = TASK.metrics(CONFIG)
    assert [metric.name for metric in metrics] == ["bleu", "aer", "chrf", "perplexity"]
    assert "tok:char" in metrics[0].signature
    assert [metric.name for metric in TASK.ranking(CONFIG)] == ["bleu", "perplexity"]
    assert TASK.metric(CONFIG, "chrf") is metrics[2]
    assert {*TASK.rank, *TASK.compared} <= {metric.name for metric in metrics}
    assert TASK.compared == ("bleu", "aer")


@pytest.mark.parametrize(
    ("head", "weights"),
    [
        (0, [[0.5, 0.375, 0.125], [0.125, 0.75, 0.125]]),
        (1, [[1, 0, 0], [0, 1, 0]]),
        (None, [[0.75, 0.1875, 0.0625], [0.0625, 0.875, 0.0625]]),
    ],
)
def test_attention_is_shown_by_target_and_source_words(head, weights):
    printed, figure = TASK.show(cottage(), "cross/0", head, None)
    rows = [line.split() for line in printed.splitlines()]
    (axes,) = [axes for axes in figure.axes if axes.images]
    np.testing.assert_allclose(axes.images[0].get_array(), weights)
    for word, row in zip(("the", "cottage"), weights, strict=True):
        (line,) = [line for line in rows if word in line]
        numbers = [int(n) for n in re.findall(r"\d+", " ".join(line))]
        assert numbers == pytest.approx([100 * weight for weight in row if weight], abs=0.51)
    assert "das" in printed and "Häuschen" in printed
    assert [label.get_text() for label in axes.get_yticklabels()] == ["the", "cottage"]
