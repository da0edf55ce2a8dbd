"""What cannot be trained is refused before anything is written, the folders above a run included."""

import pytest

from tests.experiments.commands import command
from tests.experiments.sentences import corpus, words
from tests.experiments.study_test import STUDY


def no_text(folder):
    (folder / "test.jsonl").write_bytes(b'{"source": "\xff", "target": ""}\n')


def no_example(folder):
    (folder / "test.jsonl").write_bytes(b"")


REFUSED = {
    "a test set that is no text": (no_text, {}, "test.jsonl:1: byte 0xff is not UTF-8 text"),
    "a test set without examples": (no_example, {}, "the split test of files has no example"),
    "no pair short enough": (None, {"data.max_length": 1}, "there is no example for a batch"),
    "a showcase that is no text": (None, {"showcase": r"('\ud800',)"}, "is not UTF-8 text"),
    "a showcase that is no sentence": (None, {"showcase": "(1,)"}, "showcase is [1]; it must be"),
    "too many updates": (None, {"training.tokens": 10**15}, "the maximum is 2,147,483,647"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_trained_leaves_nothing(what, tmp_path):
    change, fields, message = REFUSED[what]
    corpus(tmp_path)
    if change is not None:
        change(tmp_path)
    result = command("train", *words(tmp_path, tmp_path / "new" / "run", **fields))
    assert result.returncode == 2 and message in result.stderr, result
    assert len(result.stderr.strip().splitlines()) == 1
    assert not result.stdout and not (tmp_path / "new").exists()


@pytest.mark.parametrize("what", ["a test set that is no text", "no pair short enough"])
def test_a_study_that_cannot_be_trained_leaves_nothing(what, tmp_path):
    change, fields, message = REFUSED[what]
    corpus(tmp_path)
    if change is not None:
        change(tmp_path)
    fields = {**fields, "data.options.path": f"{tmp_path}/{{split}}.jsonl"}
    given = [f"--config.base.{name}={value}" for name, value in fields.items()]
    result = command("ablate", STUDY, *given, f"--workdir={tmp_path}/new/study")
    assert result.returncode == 2 and message in result.stderr, result
    assert len(result.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "new").exists()
