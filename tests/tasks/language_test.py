"""Language modelling as a task: what is read, how texts are cut, and what its metrics count."""

import math

import numpy as np
import pytest

from attention_lab.data import sources
from attention_lab.data.rows import Windows, inputs_of
from attention_lab.evaluation.metrics import Outcome
from attention_lab.evaluation.records import make_record
from attention_lab.special_tokens import END, START
from attention_lab.tasks import TASKS
from tests.tasks.tiny import config_of

TASK = TASKS["language"]
# With line breaks, repeated spaces, an accent and blank lines at the end.
PLAY = """First Citizen:
Before we proceed any further,  hear me speak.

All:
    Speak, spéak.

"""
EXAMPLES = [{"text": PLAY}, {"text": ""}, {"text": "Exeunt omnes"}]


def made(tmp_path, **changes):
    config = config_of("language", **{"data__max_length": 7, **changes})
    return config, TASK.prepare(config, EXAMPLES, tmp_path)


def test_documents_are_read_and_of_pairs_the_targets(monkeypatch, tmp_path):
    examples = [{"source": "a", "target": "b c"}, {"text": "d", "source": "e", "target": "f"}]
    monkeypatch.setattr(sources, "opened", lambda *words: examples)
    assert [one["text"] for one in TASK.read(config_of("language"), "train", tmp_path)] == [
        "b c",
        "d",
    ]


def test_both_sides_have_one_tokenizer_which_keeps_line_breaks(tmp_path):
    _, codec = made(tmp_path, tokenizer__joint=False)
    assert codec.source is codec.target and set(codec.source.pieces[4:]) >= {"S", "é"}
    (ids,) = codec.source.encode_ids([PLAY])
    assert codec.source.decode(ids) == PLAY


def test_training_rows_are_windows_of_the_documents_with_their_ends(tmp_path):
    config, codec = made(tmp_path)
    rows = TASK.encode(config, codec, EXAMPLES, tmp_path)
    assert isinstance(rows, Windows) and rows.context == 7 and rows.left_out == {"no text": 1}
    assert [ids[-1] for ids in rows.documents] == [END, END]
    assert [codec.target.decode(ids) for ids in rows.documents] == [PLAY, "Exeunt omnes"]


@pytest.mark.parametrize(
    ("kind", "keep", "context"),
    [("char", True, 7), ("char", False, 7), ("bpe", False, 3), ("word", False, 2)],
)
def test_every_character_is_evaluated_once(tmp_path, kind, keep, context):
    options = {"tokenizer__kind": kind, "tokenizer__keep_whitespace": keep, "tokenizer__size": 60}
    config, codec = made(tmp_path, data__max_length=context, **options)
    texts = [example["text"] for example in EXAMPLES]
    if not keep:
        texts = [" ".join(text.split()) for text in texts]
    found = TASK.evaluated(config, codec, EXAMPLES)
    assert "".join(one["target"] for one in found) == "".join(texts)
    assert {one["source"] for one in found} == {""}
    ids = np.concatenate([one["ids"] for one in found])
    assert (ids == END).sum() == 3 and max(len(one["ids"]) for one in found) == context
    documents = np.split(ids, np.flatnonzero(ids == END)[:-1] + 1)
    for document, text in zip(documents, texts, strict=True):
        assert codec.target.decode(document) == text
    read = np.concatenate([one["inputs"] for one in found])
    np.testing.assert_array_equal(read, np.concatenate([inputs_of(one) for one in documents]))


def test_bits_per_character_are_nats_by_ln_2_where_tokens_are_characters(tmp_path):
    config, codec = made(tmp_path)
    examples = TASK.evaluated(config, codec, EXAMPLES[:1])
    tokens = np.array([len(one["ids"]) for one in examples])
    nats = np.random.default_rng(0).uniform(1, 9, len(tokens))
    losses = np.stack([nats, tokens], 1)
    scores = {m.name: m.score_of(Outcome(examples, [], losses)) for m in TASK.metrics(config)}
    assert scores["cross_entropy"] == pytest.approx(nats.sum() / (len(PLAY) + 1))  # END is a token
    assert scores["bpc"] == pytest.approx(nats.sum() / math.log(2) / len(PLAY))
    assert scores["perplexity"] == pytest.approx(math.exp(scores["cross_entropy"]))
    assert scores["bpc"] * len(PLAY) == pytest.approx(
        scores["cross_entropy"] / math.log(2) * (len(PLAY) + 1)
    )


def test_nothing_is_generated_and_nats_rank():
    config = config_of("language")
    metrics = TASK.metrics(config)
    assert [metric.name for metric in metrics] == ["cross_entropy", "bpc", "perplexity"]
    assert {need for metric in metrics for need in metric.needs} == {"losses"}
    assert [metric.name for metric in TASK.ranking(config)] == ["cross_entropy"]


def test_attention_is_shown_by_the_tokens_that_are_read():
    weights = {"decoder/0": np.array([[[1.0, 0, 0], [0.25, 0.75, 0], [0, 0.5, 0.5]]])}
    record = make_record([], ["a", "b", "</s>"], weights)
    printed, figure = TASK.show(record, "decoder/0", 0, None)
    (axes,) = [axes for axes in figure.axes if axes.images]
    np.testing.assert_allclose(axes.images[0].get_array(), weights["decoder/0"][0])
    assert [label.get_text() for label in axes.get_yticklabels()] == ["a", "b", "</s>"]
    assert "75" in printed and [label.get_text() for label in axes.get_xticklabels()][1:] == [
        "a",
        "b",
    ]
    assert TASK.show(record, "decoder/0", None, None)[0] == printed
    assert START == 2
