"""Training, judging and translating as a user does them, on a corpus of a few sentences."""

import concurrent.futures
import json
import os
import shutil
import time

import jax
import numpy as np
import pytest

import attention_lab
from attention_lab.evaluation import records
from attention_lab.runs import leases
from attention_lab.training.checkpoint import BEST, LATEST, Checkpoints
from attention_lab.training.hooks import read
from experiments import whole_runs
from experiments.command import Refusal
from tests.experiments.commands import command
from tests.experiments.sentences import corpus, words
from tests.models.small import example

pytestmark = pytest.mark.xdist_group("translation")  # one training for all


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    corpus(folder)
    workdir = folder / "run"
    result = command("train", *words(folder, workdir))
    assert result.returncode == 0, result.stderr
    return folder, workdir, result


def test_training_reports_what_it_does_and_leaves_what_it_found(trained):
    _, workdir, result = trained
    for message in ("parameters", "examples", "BLEU", "AER", "sees", "picture", str(workdir)):
        assert message in result.stdout
    assert "min left" in result.stderr and "validation" in result.stderr
    found = json.loads((workdir / "evaluation" / "test.json").read_text())
    assert found["scores"]["bleu"]["score"] > 90
    assert "version:" in found["scores"]["bleu"]["signature"]
    assert found["scores"]["aer"]["score"] < 50
    assert (
        found["matmul_precision"] == "highest" and found["device"] == jax.devices()[0].device_kind
    )
    assert len((workdir / "evaluation" / "test.txt").read_text().splitlines()) == found["sentences"]
    told_again = records.load(workdir / "evaluation" / "test_records")
    assert len(told_again) == found["sentences"] and told_again[0].links
    assert (workdir / "evaluation" / "showcase_0.png").read_bytes().startswith(b"\x89PNG")


def test_a_finished_run_is_not_trained_again(trained, tmp_path):
    folder, workdir, _ = trained
    copy = tmp_path / "run"
    shutil.copytree(workdir, copy)
    before = read(copy / "metrics.jsonl")
    result = command("train", *words(folder, copy))
    assert result.returncode == 0, result.stderr
    assert read(copy / "metrics.jsonl") == before and "resumed" in result.stdout
    sessions = [json.loads(line) for line in (copy / "sessions.jsonl").read_text().splitlines()]
    assert len(sessions) == 2 and sessions[1]["jax"] == jax.__version__


def test_a_run_is_loaded_in_one_line(trained):
    _, workdir, _ = trained
    run = attention_lab.load(workdir)
    (found,) = run.translate(["my eve hears my kim"])
    assert found.text == "mon eve entend mon kim" and found.ended
    best = run.n_best(["my eve hears my kim"], beam=3, n_best=3)[0]
    assert best[0].text == found.text and len(best) == 3
    logits = run.model.apply(run.params, example([5, 3], [4, 3])).logits
    assert logits.shape == (2, len(run.codec.target))


HOSTILE = [
    "my ann sees my bob",
    "",
    "ann",
    "   ",
    "😀 sees 👩‍👩‍👧",
    "שלום עולם",
    "my ann\x00sees my bob",
    "my bob likes my eve\r",
    " ".join(["ann sees"] * 250),
    "my max hears my lee",
]


def test_any_line_is_translated_and_lines_stay_in_order(trained, tmp_path):
    _, workdir, _ = trained
    path = tmp_path / "in.txt"
    path.write_bytes("\n".join(line for line in HOSTILE if "\x00" not in line).encode())
    result = command("translate", f"--workdir={workdir}", f"--file={path}")
    assert result.returncode == 0, result.stderr
    lines = result.stdout.split("\n")[:-1]
    assert len(lines) == len(HOSTILE) - 1
    assert lines[0] == "mon ann voit mon bob" and lines[1] == lines[3] == ""
    assert lines[6] == "mon bob aime mon eve" and lines[8] == "mon max entend mon lee"
    path.write_bytes(HOSTILE[6].encode())
    result = command("translate", f"--workdir={workdir}", f"--file={path}")
    assert result.returncode == 2 and "in.txt:1" in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_company_changes_no_translation_of_a_trained_model(trained):
    _, workdir, _ = trained
    run = attention_lab.load(workdir)
    sentences = ["my eve hears my kim", "my ann", " ".join(["my max likes my lee"] * 4), "ann"]
    together = run.translate(sentences)
    alone = [run.translate([sentence])[0] for sentence in sentences]
    assert [t.text for t in together] == [t.text for t in alone]
    np.testing.assert_allclose([t.score for t in together], [t.score for t in alone], atol=1e-4)


def test_a_translation_shows_where_it_looked(trained, tmp_path):
    _, workdir, _ = trained
    picture = tmp_path / "x.png"
    result = command(
        "translate",
        "my kim likes my max",
        f"--workdir={workdir}",
        "--show_attention",
        f"--save_heatmap={picture}",
    )
    assert result.returncode == 0, result.stderr
    assert "mon kim aime mon max" in result.stdout
    assert result.stdout.count("likes") == 2  # the sentence, and the head of a column
    assert picture.read_bytes().startswith(b"\x89PNG") and str(picture) in result.stdout


@pytest.mark.parametrize(
    ("name", "flags", "message"),
    [
        ("translate", ["x", "--workdir=/nowhere"], "contains no run"),
        ("translate", ["x", "--file=y"], "not both"),
        ("translate", ["x", "--beam=0"], "beam"),
        ("translate", ["--file=/nowhere.txt"], "/nowhere.txt"),
        ("translate", ["--save_heatmap=x.png"], "one sentence"),
        ("translate", ["x", "--save_heatmap=x.jpg"], "end in .png"),
        ("evaluate", ["--split=tset"], "beside it lie test.jsonl"),
        ("evaluate", ["word"], "word"),
        ("train", ["--config.model.decoder.attention.score=aditive"], "did you mean 'additive'"),
        ("train", ["--config.model.encoder.kind=recurent"], "did you mean 'recurrent'"),
        ("train", ["--config.trainin.tokens=1"], "trainin"),
        ("train", ["--config.data.options.path=/nowhere/{split}.jsonl"], "/nowhere"),
        ("train", ["--config.tokenizer.kind=bep"], "known are bpe"),
    ],
)
def test_what_cannot_be_done_is_refused_in_one_line(trained, name, flags, message, tmp_path):
    folder, workdir, _ = trained
    if name == "train":
        flags = [*words(folder, tmp_path / "run"), *flags]
    elif not any("--workdir" in flag for flag in flags):
        flags = [f"--workdir={workdir}", *flags]
    result = command(name, *flags)
    assert result.returncode == 2, result.stdout
    assert message in result.stderr and len(result.stderr.strip().splitlines()) == 1, result.stderr
    assert not (tmp_path / "run").exists()


def test_a_run_that_is_stopped_is_saved_and_resumes_to_the_same_end(trained, tmp_path):
    folder, whole, _ = trained
    arguments = words(folder, tmp_path / "run")
    for update in (1, 2):
        result = command("train", *arguments, "--max_minutes=0")
        assert result.returncode == 0, result.stderr
        assert f"stopped (0 minutes are over, after update {update})" in result.stdout
        assert f"python -m experiments.train {arguments[0]}" in result.stdout
        assert all(line.startswith("compiling") for line in result.stderr.splitlines())
    result = command("train", *arguments)
    assert result.returncode == 0 and "resumed  after update 2" in result.stdout, result.stderr
    like = jax.eval_shape(attention_lab.load(whole).model.init, jax.random.key(0))
    params = [
        Checkpoints(run / "checkpoints").restore(BEST, like) for run in (whole, tmp_path / "run")
    ]
    jax.tree.map(np.testing.assert_array_equal, *params)


def test_a_signal_stops_a_command_in_order(trained, tmp_path):
    arguments = words(trained[0], tmp_path / "run", **{"training.tokens": 10**8})
    result = command("train", *arguments, signal_after=tmp_path / "run" / "metrics.jsonl")
    assert result.returncode == 0, result.stderr
    assert "stopped (SIGTERM, after update" in result.stdout
    assert Checkpoints(tmp_path / "run" / "checkpoints").step(LATEST) >= 50
    assert not (tmp_path / "run" / "lease").exists()


def test_a_run_that_diverges_ends_in_one_line_and_leaves_the_batch(trained, tmp_path):
    workdir = tmp_path / "run"
    fields = {"training.learning_rate": 1e30, "training.warmup": 0, "training.validations": 1}
    result = command("train", *words(trained[0], workdir, **fields))
    assert result.returncode == 2 and "no loss or gradient was finite" in result.stderr
    *lines, _ = result.stderr.strip().splitlines()
    skipped = [line for line in lines if not line.startswith("compiling the training step")]
    assert skipped and all("skipped" in line for line in skipped)
    assert len(list(workdir.glob("batch_*.npz"))) == 1


def test_a_folder_in_which_another_process_trains_is_refused(trained):
    folder, workdir, _ = trained
    with leases.take(workdir / "lease") as mine:
        assert mine
        result = command("train", *words(folder, workdir))
    assert result.returncode == 2 and f"in use by process {os.getpid()} on" in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def test_a_run_whose_folder_another_process_has_taken_over_stops_and_saves_nothing(
    trained, tmp_path
):
    workdir = tmp_path / "run"
    many = {"training.tokens": 24_000_000, "training.validations": 1}
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        run = pool.submit(command, "train", *words(trained[0], workdir, **many))
        while not (workdir / "metrics.jsonl").is_file() and not run.done():
            time.sleep(0.05)
        other = json.dumps({"host": "elsewhere", "pid": 7, "token": "x"})
        (workdir / "lease").write_text(other)
        result = run.result()
    assert result.returncode == 1, result
    assert "train: stopped (process 7 on elsewhere has taken over" in result.stdout
    assert (workdir / "lease").read_text() == other
    assert Checkpoints(workdir / "checkpoints").step(LATEST) is None
    assert not (workdir / "evaluation").exists()


def test_a_checkpoint_of_another_model_is_refused(trained):
    folder, workdir, _ = trained
    result = command(
        "train",
        *words(folder, workdir, **{"model.decoder.hidden": 18, "model.encoder.features": 18}),
    )
    assert result.returncode == 2
    assert "model.decoder.hidden" in result.stderr and "--workdir" in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    assert (
        attention_lab.load(workdir).translate(["my ann sees my bob"])[0].text
        == "mon ann voit mon bob"
    )


@pytest.mark.parametrize(
    ("field", "value"), [("matmul_precision", "default"), ("compute", "bfloat16")]
)
def test_a_run_does_not_resume_with_other_products(trained, field, value):
    folder, workdir, _ = trained
    result = command("train", *words(folder, workdir, **{f"training.{field}": value}))
    assert result.returncode == 2 and f"training.{field}: " in result.stderr
    assert f", now {value}" in result.stderr and len(result.stderr.strip().splitlines()) == 1


def test_a_checkpoint_that_does_not_fit_or_is_damaged_is_refused_in_one_line(trained, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(trained[1], other)
    config = (other / "config.json").read_text()
    (other / "config.json").write_text(config.replace('"hidden": 16', '"hidden": 18'))
    with pytest.raises(ValueError, match="of another model: it has") as error:
        attention_lab.load(other)
    assert "\n" not in str(error.value)
    (other / "config.json").write_text(config)
    for file in (other / "checkpoints" / "best").rglob("*"):
        if file.is_file():
            file.write_bytes(file.read_bytes()[:100])
    result = command("translate", "my ann", f"--workdir={other}")
    assert result.returncode == 2 and "is damaged" in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def test_unequal_files_are_refused(trained, tmp_path):
    (tmp_path / "train.en").write_text("a\nb\n")
    (tmp_path / "train.fr").write_text("c\n")
    result = command(
        "train",
        "--config=tests/experiments/tiny.py:two_files",
        f"--config.data.options.source={tmp_path}/{{split}}.en",
        f"--config.data.options.target={tmp_path}/{{split}}.fr",
        f"--workdir={tmp_path}/run",
    )
    assert result.returncode == 2 and len(result.stderr.strip().splitlines()) == 1
    assert "2" in result.stderr and "1" in result.stderr and "train.en" in result.stderr


def test_an_empty_file_is_refused_by_name(tmp_path):
    corpus(tmp_path)
    (tmp_path / "validation.jsonl").write_text("")
    result = command("train", *words(tmp_path, tmp_path / "run"))
    assert result.returncode == 2 and len(result.stderr.strip().splitlines()) == 1
    assert "the split validation of files has no example" in result.stderr
    assert not (tmp_path / "run").exists()


def measured(folder, workdir, *options):
    result = command("benchmark_replicas", *words(folder, workdir), "--turns=1", *options)
    assert result.returncode == 0, result.stderr
    (line,) = (workdir / "results.jsonl").read_text().splitlines()
    found = json.loads(line)
    assert all(len(seconds) == 1 for seconds in found["seconds"].values())
    return result.stdout, found


@pytest.mark.slow
def test_replicas_are_measured_in_every_layout(trained, tmp_path):
    result, found = measured(trained[0], tmp_path, "--seeds=3", "--updates=1")
    assert (
        result.count("chosen") == 1
        and "3 single runs" in result
        and "single-threaded processes" in result
    )
    assert found["chosen"] in found["seconds"]


@pytest.mark.slow
def test_replicas_are_measured_as_whole_runs(trained, tmp_path):
    kept = tmp_path / "study.json"
    kept.write_text("of another study")
    result, _ = measured(trained[0], tmp_path, "--whole_runs", "--seeds=2")
    assert "2 single runs" in result and "a study" in result
    left = {path.name for path in (tmp_path / "whole_runs").iterdir() if path.is_file()}
    assert left == {"single.py", "single.json", "study.py", "study.json", "running.log"}
    assert not list((tmp_path / "whole_runs").glob("run_*"))
    assert kept.read_text() == "of another study"


def test_a_run_that_fails_is_named_with_its_log(tmp_path):
    with pytest.raises(
        Refusal, match=r"no_such failed with status 1; .*running.log has its output"
    ):
        whole_runs.run(["no_such"], tmp_path)
    assert "No module named" in (tmp_path / "running.log").read_text()
