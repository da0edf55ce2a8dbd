"""A corpus without spaces, with signs of the vocabulary in its sentences, as a user trains on it."""

import json
import re

import pytest

import attention_lab
from attention_lab.data.words import normalize
from tests.experiments.commands import command
from tests.experiments.sentences import words

PAIRS = [("the cat <unk>", "猫</s>在▁这里。"), ("the dog <s>", "狗<pad>在那里坐着。")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    for split in ("train", "validation", "test"):
        lines = (json.dumps({"source": a, "target": b}) + "\n" for a, b in PAIRS)
        (folder / f"{split}.jsonl").write_text("".join(lines), encoding="utf-8")
    return folder


def train(folder, workdir, **more):
    options = {"training.tokens": 6000, "training.validations": 1, "data.bleu_tokenize": "zh"}
    return command("train", *words(folder, workdir, **{**options, **more}), "--config.showcase=()")


def test_a_corpus_without_spaces_is_learnt_scored_and_shown(folder, tmp_path):
    workdir = tmp_path / "run"
    kind = {"tokenizer.kind": "char", "tokenizer.size": 400, "tokenizer.byte_fallback": True}
    result = train(folder, workdir, **kind)
    assert result.returncode == 0, result.stderr
    assert "tok:zh" in result.stdout and "does not cut" not in result.stderr
    found = json.loads((workdir / "evaluation" / "test.json").read_text())
    assert found["scores"]["bleu"]["score"] == pytest.approx(100)
    run = attention_lab.load(workdir)
    for source, target in PAIRS:
        (best,) = run.translate([source], weights=True)
        assert best.text == normalize(target)
        assert "在" in run.record(source, best).target_words
    assert run.codec.source.decode(run.codec.source.encode("新 😀").ids) == "新 😀"


def test_a_score_that_cannot_be_right_is_warned_of_in_one_line(folder, tmp_path):
    result = train(folder, tmp_path / "run", **{"data.bleu_tokenize": "13a", "training.tokens": 60})
    assert result.returncode == 0, result.stderr
    lines = [line for line in result.stderr.splitlines() if "does not cut" in line]
    assert lines and all(re.match("train: BLEU's tokenizer 13a does not cut", x) for x in lines)
    assert "warn(" not in result.stderr


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"data.bleu_tokenize": "zhh"}, "did you mean 'zh'"),
        ({"tokenizer.byte_fallback": True}, "byte_fallback needs pieces of words"),
    ],
)
def test_what_cannot_be_is_reported_before_training(folder, tmp_path, more, message):
    result = train(folder, tmp_path / "run", **more)
    assert (
        result.returncode == 2 and message in result.stderr and len(result.stderr.splitlines()) == 1
    )
    assert not (tmp_path / "run" / "config.json").exists()
