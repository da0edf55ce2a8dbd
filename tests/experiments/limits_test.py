"""Sentences longer than a model reads: refused before training, and afterwards one line each, named and counted."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

import attention_lab
from attention_lab.evaluation import records
from attention_lab.runs import checks
from attention_lab.studies.study import changed
from configs import defaults
from tests.experiments.commands import ROOT, command
from tests.experiments.sentences import corpus, words

LONG = " ".join(["ann sees"] * 15)  # and END: 31 tokens
SHORT = "my ann sees my bob"
TOLD = "31 source tokens, and the model reads at most 24"
LIMIT = {"data.max_length": 24, "training.tokens": 400}
MODELS = {
    "learned positions": (
        "tests/experiments/tiny.py:transformer",
        {
            f"model.{side}.{size}": value
            for side in ("encoder", "decoder")
            for size, value in {
                "encoding": "learned",
                "features": 16,
                "heads": 2,
                "feed_forward": 16,
                "layers": 1,
                "positions": 24,
            }.items()
        },
    ),
    "location": (
        "tests/experiments/tiny.py",
        {
            "model.encoder.embedding": 16,
            "model.encoder.features": 16,
            "model.decoder.embedding": 16,
            "model.decoder.hidden": 16,
            "model.decoder.attention.score": "location",
            "model.decoder.positions": 24,
        },
    ),
}


def add(path, source, target):
    line = {"source": source, "target": target, "links": [[0, 0]]}
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


def longer(folder):
    """The small corpus, in whose training and other splits a source is too long, and in another pair the target."""
    corpus(folder)
    for split in ("train", "validation", "test"):
        add(folder / f"{split}.jsonl", LONG, "mon ann")
        add(folder / f"{split}.jsonl", "my ann", LONG)


def flags(folder, workdir, name, **more):
    config, options = MODELS[name]
    plain = words(folder, workdir, **LIMIT)
    common = [word for word in plain if not word.startswith(("--config=", "--config.model"))]
    given = {**options, **more}
    return [f"--config={config}", *common, *(f"--config.{n}={v}" for n, v in given.items())]


@pytest.fixture(scope="module", params=MODELS)
def trained(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("long")
    longer(folder)
    showcase = f"('{SHORT}', '{LONG}')"
    result = command("train", *flags(folder, folder / "run", request.param, showcase=showcase))
    assert result.returncode == 0, result.stderr
    return request.param, folder, result


@pytest.mark.slow
@pytest.mark.promise
@pytest.mark.xdist_group("limits")
def test_training_counts_what_it_leaves_out_and_what_it_cannot_read(trained):
    name, folder, result = trained
    targets = name == "learned positions"  # which have a table too
    unread = f"{1 + targets} of them, which perplexity leaves out, nor the sources of 1"
    for message in (unread, "2 with more than 24 tokens", f"(no translation: {TOLD})"):
        assert message in result.stdout
    assert "Traceback" not in result.stderr and "nan" not in result.stderr
    run = attention_lab.load(folder / "run")
    assert all(np.isfinite(x).all() for x in map(np.asarray, leaves(run.params)))


def leaves(params):
    return [leaf for x in params.values() for leaf in (leaves(x) if isinstance(x, dict) else [x])]


@pytest.mark.slow
@pytest.mark.promise
@pytest.mark.xdist_group("limits")
@pytest.mark.parametrize("n_best", [1, 3])
def test_lines_out_are_lines_in_and_the_one_that_cannot_be_read_is_named(trained, n_best, tmp_path):
    _, folder, _ = trained
    path = tmp_path / "in.txt"
    path.write_text(f"{SHORT}\n{LONG}\nmy eve\n", encoding="utf-8")
    result = command(
        "translate", f"--workdir={folder / 'run'}", f"--file={path}", f"--n_best={n_best}"
    )
    assert result.returncode == 1, result.stderr
    lines = result.stdout.split("\n")
    assert lines.pop() == "" and len(lines) == 3 * n_best
    nothing = "" if n_best == 1 else "-inf\t"
    assert lines[n_best : 2 * n_best] == [nothing] * n_best
    named = [line for line in result.stderr.splitlines() if "cut off" not in line]
    assert named == [f"translate: line 2: {TOLD}: {LONG[:60]!r}"]


@pytest.mark.slow
@pytest.mark.promise
@pytest.mark.xdist_group("limits")
def test_what_is_typed_and_cannot_be_read_is_remembered_in_the_status(trained):
    _, folder, _ = trained
    ours, theirs = os.openpty()
    os.write(ours, f"{LONG}\nmy eve\n\x04".encode())
    result = subprocess.run(
        [sys.executable, "-m", "experiments.translate", f"--workdir={folder / 'run'}"],
        stdin=theirs,
        cwd=ROOT,
        capture_output=True,
        encoding="utf-8",
    )
    assert result.returncode == 1 and TOLD in result.stderr, result.stderr
    assert result.stdout.replace("> ", "").startswith("\n")


@pytest.mark.slow
@pytest.mark.promise
@pytest.mark.xdist_group("limits")
def test_a_split_is_evaluated_and_says_how_many_sentences_count_as_empty(trained):
    name, folder, _ = trained
    result = command("evaluate", f"--workdir={folder / 'run'}")
    assert result.returncode == 0, result.stderr
    assert "BLEU" in result.stdout and "AER" in result.stdout and "Traceback" not in result.stderr
    assert "without a translation, and scored as empty: 1" in result.stdout
    evaluation = folder / "run" / "evaluation"
    found = json.loads((evaluation / "test.json").read_text(encoding="utf-8"))
    assert found["refused"] == 1
    texts = (evaluation / "test.txt").read_text(encoding="utf-8").split("\n")
    assert len(texts) == found["sentences"] + 1 and texts[-3] == ""
    looked = records.load(evaluation / "test_records")
    unread = [record.info["refused"] for record in looked if "refused" in record.info]
    targets = ["31 target tokens, and the model reads at most 24"] * (name == "learned positions")
    assert unread == [TOLD, *targets] and len(looked) == found["sentences"]
    assert found["alignment"]["refused"] == len(unread)
    assert f"without links: {len(unread)}" in result.stdout


@pytest.mark.slow
@pytest.mark.promise
def test_a_study_says_how_many_sentences_its_models_cannot_read(tmp_path):
    longer(tmp_path)
    result = command(
        "ablate",
        "--config=tests/experiments/tiny_study.py:limits",
        f"--config.base.data.options.path={tmp_path}/{{split}}.jsonl",
        f"--workdir={tmp_path}/study",
    )
    assert result.returncode == 0 and "Traceback" not in result.stderr, result.stderr
    message = "empty translations: location, seed 0: 1; location, seed 1: 1."
    assert message in result.stdout
    assert message in (tmp_path / "study" / "report.md").read_text(encoding="utf-8")
    for line in (tmp_path / "study" / "results.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        agreed = row["agreement"]["seeds"]
        assert len(agreed) == row["sentences"] - row["refused"] and min(agreed) > 0
        assert len(row["hypotheses"]) == row["sentences"]


CONFIG = json.loads(defaults.translation().to_json())


@pytest.mark.parametrize(
    ("model", "side", "field", "table"),
    [
        (defaults.transformer(), "encoder", "encoding", "learned"),
        (defaults.transformer(), "decoder", "encoding", "learned"),
        (defaults.transformer(), "decoder", "attention.score", "location"),
        (defaults.transformer(), "decoder", "cross.score", "location"),
        (defaults.recurrent(), "decoder", "attention.score", "location"),
    ],
)
def test_training_pairs_may_not_be_longer_than_a_model_reads(model, side, field, table):
    config = {**CONFIG, "model": json.loads(model.to_json())}
    fields, positions = {f"model.{side}.{field}": table}, f"model.{side}.positions"
    checks.run(changed(config, {positions: 24}, "this"))  # it has no table
    checks.run(changed(config, {**fields, positions: 128}, "this"))
    message = (
        "data.max_length is 128, but this model reads at most 127 (source|target) tokens; lower it"
    )
    with pytest.raises(ValueError, match=message) as raised:
        checks.run(changed(config, {**fields, positions: 127}, "this"))
    assert "\n" not in str(raised.value)


def test_training_longer_pairs_is_refused_before_anything_is_written(tmp_path):
    corpus(tmp_path)
    more = {"data.max_length": 25}
    result = command("train", *flags(tmp_path, tmp_path / "run", "learned positions", **more))
    assert result.returncode == 2 and len(result.stderr.strip().splitlines()) == 1, result.stderr
    assert "data.max_length is 25, but this model reads at most 24 source tokens" in result.stderr
    assert not (tmp_path / "run").exists()


def test_a_validation_split_of_which_nothing_can_be_read_is_refused(tmp_path):
    corpus(tmp_path)
    (tmp_path / "validation.jsonl").unlink()
    add(tmp_path / "validation.jsonl", LONG, "mon ann")
    result = command("train", *flags(tmp_path, tmp_path / "run", "location"))
    assert result.returncode == 2 and len(result.stderr.strip().splitlines()) == 1, result.stderr
    assert "none of 1 validation examples can be read: the first has 31 source" in result.stderr
    assert not (tmp_path / "run" / "config.json").exists()
