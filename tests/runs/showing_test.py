"""What commands print: the plan of a run, its scores, and a translation with its attention."""

from types import SimpleNamespace

import numpy as np
import pytest

from attention_lab.runs import outputs, showing
from tests.runs.limits_test import WORDS, run_of

CONFIG = {"task": "translation", "data": {"bleu_tokenize": "13a"}}
ALIGNMENT = {
    "precision": 61.25,
    "recall": 40.0,
    "layer": "cross/1",
    "head": 2,
    "rule": "greatest weight",
    "refused": 0,
}
RESULTS = {
    "split": "test",
    "sentences": 1014,
    "seconds": 7.25,
    "scores": {
        "bleu": {"score": 36.125, "signature": "tok:13a"},
        "aer": {"score": 12.5},
    },
    "cut_off": 0,
    "refused": 0,
}


def plan(left_out={}, unread=0, empty=0, start=0):
    def several(count, **fields):
        return type("", (), {"reads": "tokens", **fields, "__len__": lambda self: count})()

    codec = SimpleNamespace(source=several(8000), target=several(90))
    corpus = SimpleNamespace(rows=SimpleNamespace(left_out=left_out), codec=codec)
    batches = SimpleNamespace(
        buckets=[None] * 6, padding=0.0823, per_epoch=400, lengths=(range(29_000),) * 2
    )
    validation = SimpleNamespace(unread=unread, empty=empty, examples=[None] * 1014)
    return showing.plan("model", 12_345, corpus, batches, 1000, start, validation).splitlines()


def test_a_plan_says_what_is_trained_on_what_and_for_how_long():
    assert plan() == [
        "model    model, 12,345 parameters",
        "corpus   29,000 training examples, 8,000 and 90 pieces",
        "batches  6 lengths, 8% padding; 1,000 updates, 2.5 epochs",
    ]


def test_a_plan_says_what_is_left_out_and_where_training_resumes():
    lines = plan({"a blank side": 0, "more than 9 tokens": 1234, "no": 1}, 30, 20, 7)
    left_out = " (left out: 1,234 with more than 9 tokens, 1 with no), 8,000 and 90 pieces"
    assert lines[1] == "corpus   29,000 training examples" + left_out
    assert lines[3].startswith("validate 1,014 validation examples;")
    assert " 30 of them" in lines[3] and " 20, whose translations" in lines[3]
    assert lines[4].endswith("after update 7") and len(lines) == 5


def scores(**changes):
    return showing.scores(SimpleNamespace(config=CONFIG), RESULTS | changes).splitlines()


def test_scores_are_a_line_for_each_metric():
    expected = ["test: 1,014 sentences in 7.2 s", "BLEU        36.12  tok:13a", "AER %       12.50"]
    assert scores() == ["", *expected]


@pytest.mark.parametrize(("head", "name"), [(2, "cross/1, head 2"), (None, "cross/1")])
def test_alignments_are_printed_with_their_layer_and_the_head_if_there_is_one(head, name):
    (line,) = scores(alignment=ALIGNMENT | {"head": head})[4:]
    assert line.startswith("alignments: precision 61.2, recall 40.0 %, ")
    assert line.endswith(f" {name}, greatest weight")


def test_what_has_no_alignment_error_or_translation_is_printed_with_the_number():
    (line,) = scores(alignment=None, unaligned="no word of the split is linked")[4:]
    assert line == "no alignment error: no word of the split is linked"
    refused, unread, cut_off = scores(
        alignment=ALIGNMENT | {"refused": 1200}, refused=1300, cut_off=1400
    )[5:]
    assert refused.endswith(": 1,300") and unread.endswith(": 1,200")
    assert cut_off.endswith(": 1,400") and "length limit" in cut_off


@pytest.fixture(scope="module")
def translated():
    run = run_of("learned positions")
    return run, run.translate([WORDS], weights=True)[0]


def test_a_translation_is_printed_with_the_attention_of_the_last_layer(
    translated, capsys, monkeypatch
):
    run, result = translated
    shown = []

    def show(record, layer, head, source):
        shown.append((layer, head))
        assert source == WORDS
        return "MATRIX", None

    monkeypatch.setattr(showing, "task_of", lambda config: SimpleNamespace(show=show))
    weights = {f"cross/{n}": result.weights["cross/0"] for n in (1, 0)} | result.weights
    result = result._replace(weights=weights)
    showing.translation(run, WORDS, result)
    assert capsys.readouterr().out == f"\n{WORDS}\n{result.text}\n\nMATRIX\n"
    showing.translation(run, WORDS, result, matrix=False, choice={"layer": "cross/0", "head": 1})
    assert "MATRIX" not in capsys.readouterr().out
    assert shown == [("cross/1", None), ("cross/0", 1)]


def test_a_translation_without_attention_says_so(translated, capsys):
    run, result = translated
    encoder = {"encoder/0": np.zeros((2, 7, 7))}
    empty = outputs.Translation("", np.array([3], np.int32), 0.0, True, result.weights)
    for one, message in (
        (result._replace(weights={}), "(no attention to show)"),
        (result._replace(weights=encoder), "(no attention to show)"),
        (empty, "(the model wrote nothing)"),
        (empty._replace(weights={}, refused="too long"), "(no translation: too long)"),
    ):
        showing.translation(run, WORDS, one)
        assert capsys.readouterr().out == f"\n{WORDS}\n{one.text}\n\n{message}\n"


def test_a_picture_of_the_attention_is_saved_where_that_is_asked_for(capsys, tmp_path):
    run = run_of("learned positions")
    run = run._replace(config={**run.config, **CONFIG})
    result = run.translate([WORDS], weights=True)[0]
    path = tmp_path / "picture.png"
    showing.translation(run, WORDS, result, picture=path)
    assert path.read_bytes().startswith(b"\x89PNG")
    assert capsys.readouterr().out.endswith(f"\npicture  {path}\n")
