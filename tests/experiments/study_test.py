"""A study as a command: its report, and that stopping it in the middle changes nothing."""

import json
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

import attention_lab
from attention_lab.runs import evaluation
from tests.experiments import tiny_study
from tests.experiments.commands import ROOT, command
from tests.experiments.sentences import corpus

STUDY = "--config=tests/experiments/tiny_study.py"


def config_of(**fields):
    return {**json.loads(tiny_study.get_config().to_json()), **fields}


def words(folder, workdir, *more):
    path = f"--config.base.data.options.path={folder}/{{split}}.jsonl"
    return [STUDY, path, f"--workdir={workdir}", *more]


@pytest.fixture(scope="module")
def studied(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    corpus(folder)
    workdir = folder / "study"
    result = command("ablate", *words(folder, workdir))
    assert result.returncode == 0, result.stderr
    return folder, workdir, result


@pytest.mark.xdist_group("study")
def test_a_study_reports_what_it_found(studied):
    folder, workdir, result = studied
    rows = [json.loads(line) for line in (workdir / "results.jsonl").read_text().splitlines()]
    assert [(row["arm"], row["seed"]) for row in rows] == [
        (arm, seed) for arm in config_of()["arms"] for seed in (0, 1)
    ]
    report = (workdir / "report.md").read_text()
    for message in ("no attention", "additive - no attention", "BLEU", "AER", "Holm"):
        assert message in report
    assert "| arm" in result.stdout and str(workdir / "report.html") in result.stdout
    html = (workdir / "report.html").read_text()
    assert "additive, no dropout" in html and html.count('class="map"') == 2
    last = rows[-1]
    assert len(last["hypotheses"]) == last["sentences"] == len(last["references"])
    assert last["curve"][-1]["tokens"] > 11_000 and last["flops"] > rows[0]["flops"] > 0
    assert 0 < last["entropy"] < 3 and 0 < np.mean(last["agreement"]["seeds"]) < 1
    assert rows[0]["alignment"] is None and "entropy" not in rows[0]
    jumps = np.sum(last["statistics"]["test"]["jump"], axis=0)  # word for word: all are in order
    assert jumps[0][1] == 5 * last["sentences"] and jumps[1:].sum() == 0
    run = attention_lab.load(workdir / "groups" / "additive" / "additive_seed_1")
    assert run.config["seed"] == 1 and run.translate(["my ann sees my bob"])[0].text
    again = command("ablate", *words(folder, workdir))
    assert again.returncode == 0 and "replicas," not in again.stdout


@pytest.mark.xdist_group("study")
def test_a_replica_is_evaluated_as_it_is_alone(studied):
    _, workdir, _ = studied
    rows = [json.loads(line) for line in (workdir / "results.jsonl").read_text().splitlines()]
    folder = workdir / "groups" / "additive" / "additive_seed_1"
    (row,) = (row for row in rows if row["arm"] == "additive" and row["seed"] == 1)
    found = evaluation.evaluate(attention_lab.load(folder), "test", evaluation.bar)
    results = found.results
    perplexity, (mine, theirs) = "perplexity", (one["scores"] for one in (results, row))
    # A sum of logarithms, and programs of one replica and of two may differ in the last bit.
    assert mine.pop(perplexity)["score"] == pytest.approx(theirs.pop(perplexity)["score"], rel=1e-5)
    assert mine == theirs and results["alignment"] == row["alignment"]
    text = (folder / "evaluation" / "test.txt").read_text()
    assert text.split("\n")[:-1] == row["hypotheses"]
    assert found.texts == row["hypotheses"] and len(found.records) == row["sentences"]


@pytest.mark.xdist_group("study")
@pytest.mark.parametrize("name", ["report", "ablate"])
def test_a_report_that_cannot_be_saved_is_printed_all_the_same(studied, tmp_path, name):
    copy = tmp_path / "study"
    shutil.copytree(studied[1], copy)
    (copy / "results.jsonl").unlink()
    (copy / "results.jsonl").mkdir()
    given = words(studied[0], copy) if name == "ablate" else [f"--workdir={copy}"]
    result = command(name, *given)
    assert result.returncode == 2 and "| additive - no attention" in result.stdout, result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize("text", ["", "{}", '{"name": "x", "arms": {}}', "[1]"])
def test_a_study_that_cannot_be_read_is_refused_in_one_line(tmp_path, text):
    (tmp_path / "study.json").write_text(text)
    result = command("report", f"--workdir={tmp_path}")
    assert result.returncode == 2 and "study.json" in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def without_times(path):
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    return [
        {k: v for k, v in row.items() if k not in ("seconds", "tokens_per_second", "waiting")}
        for row in rows
    ]


@pytest.mark.slow
@pytest.mark.promise
@pytest.mark.xdist_group("study")
def test_a_replica_is_the_run_that_train_gives_alone(studied):
    folder, workdir, _ = studied
    replica = workdir / "groups" / "additive" / "additive_seed_1"
    config = json.loads((replica / "config.json").read_text())
    flags = [
        f"--config.{place}={value}"
        for place, value in {
            "seed": 1,
            "data.options.path": config["data"]["options"]["path"],
            **{f"tokenizer.{k}": config["tokenizer"][k] for k in ("kind", "size")},
            **{f"model.encoder.{size}": 16 for size in ("embedding", "features")},
            **{f"model.decoder.{size}": 16 for size in ("embedding", "hidden")},
            **{
                f"training.{k}": config["training"][k]
                for k in ("tokens", "batch_tokens", "buckets", "learning_rate", "warmup")
            },
            "training.validations": 3,
        }.items()
    ]
    alone = folder / "alone"
    result = command("train", "--config=tests/experiments/tiny.py", f"--workdir={alone}", *flags)
    assert result.returncode == 0, result.stderr
    kinds = [
        [line for line in without_times(path / "metrics.jsonl") if line["kind"] == "train"]
        for path in (alone, workdir / "groups" / "additive")
    ]
    for one, all_ in zip(*kinds, strict=True):
        assert all_["tokens"][1] == one["tokens"]
        assert all_["loss"][1] == pytest.approx(one["loss"], rel=1e-4)
    assert (alone / "evaluation" / "test.txt").read_text() == (
        replica / "evaluation" / "test.txt"
    ).read_text()


@pytest.mark.xdist_group("study")
def test_a_seed_of_a_study_loads_like_any_run_also_on_another_number_of_devices(studied):
    _, workdir, _ = studied
    result = command(
        "translate", "my ann sees my bob", f"--workdir={workdir}/groups/additive/additive_seed_0"
    )
    assert result.returncode == 0 and result.stdout.strip(), result.stderr


@pytest.mark.slow
@pytest.mark.promise
@pytest.mark.xdist_group("study")
def test_a_group_that_is_stopped_on_one_device_resumes_to_the_same_results(studied):
    folder, whole, _ = studied
    workdir = folder / "stopped"
    flags = [*words(folder, workdir), "--arm=no attention", "--devices=1"]
    result = command("ablate", *flags, "--max_minutes=0")
    assert result.returncode == 0 and "after update 1); resume with" in result.stdout, result.stderr
    result = command("ablate", *flags)
    assert result.returncode == 0 and "resumed  after update 1" in result.stdout, result.stderr
    results = "groups/no_attention/results.jsonl"
    found, wanted = without_times(workdir / results), without_times(whole / results)
    assert [row["scores"]["bleu"]["score"] for row in found] == pytest.approx(
        [row["scores"]["bleu"]["score"] for row in wanted]
    )
    for row, other in zip(found, wanted, strict=True):
        losses = [[line["perplexity"] for line in one["curve"]] for one in (row, other)]
        assert losses[0] == pytest.approx(losses[1], rel=1e-4)


@pytest.mark.slow
@pytest.mark.promise
@pytest.mark.xdist_group("study")
def test_a_group_that_diverges_does_not_keep_the_others_from_their_results(studied, tmp_path):
    folder, _, _ = studied
    flags = [f"{STUDY}:diverging", *words(folder, tmp_path)[1:]]
    result = command("ablate", *flags)
    assert result.returncode == 2
    last = result.stderr.strip().splitlines()[-1]
    assert "broken: no loss or gradient was finite" in last
    assert (tmp_path / "groups/additive/results.jsonl").exists()


@pytest.mark.slow
@pytest.mark.promise
@pytest.mark.xdist_group("study")
def test_a_study_that_is_killed_resumes_as_if_nothing_had_been(studied):
    folder, whole, _ = studied
    workdir = folder / "killed"
    latest = workdir / "groups" / "additive" / "checkpoints" / "latest"
    arguments = [sys.executable, "-m", "experiments.ablate", *words(folder, workdir)]
    process = subprocess.Popen(
        arguments, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    while not latest.is_dir() or not any(p.name.isdigit() for p in latest.iterdir()):
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (workdir / "results.jsonl").exists()
    before = (workdir / "groups" / "no_attention" / "results.jsonl").stat().st_mtime_ns
    result = command("ablate", *words(folder, workdir))
    assert result.returncode == 0, result.stderr
    assert "resumed" in result.stdout
    assert (workdir / "groups" / "no_attention" / "results.jsonl").stat().st_mtime_ns == before
    assert without_times(workdir / "results.jsonl") == without_times(whole / "results.jsonl")
    report = [(path / "report.md").read_text() for path in (workdir, whole)]
    assert report[0] == report[1]
    journals = [without_times(p / "groups/additive/metrics.jsonl") for p in (workdir, whole)]
    np.testing.assert_equal(*journals)
