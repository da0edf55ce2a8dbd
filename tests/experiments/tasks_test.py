"""Every task goes the whole way: training, resuming, devices, replicas, a study and its report."""

import functools
import json
import math
import re

import jax
import numpy as np
import pytest

import attention_lab
from attention_lab import studies
from attention_lab.evaluation.metrics import bits_per_character, perplexity
from attention_lab.runs import evaluation, setup
from attention_lab.studies import reporting
from attention_lab.tasks import TASKS
from attention_lab.tasks.language import LANGUAGE
from attention_lab.training.hooks import read
from attention_lab.training.interrupt import Interrupt, Stopped
from tests.experiments.survival_test import arrays
from tests.tasks import tiny
from tests.tasks.tiny import config_of, study_of

# Windows have what other rows have not, segments and what the decoder reads; and its programs are the smallest.
FIRST = "language"
ROOT, FACTORY = [], []  # the folder of all studies, and the maker of others
PROMISE = [pytest.mark.slow, pytest.mark.promise]
# The others read and write texts, as translation does.
UNLIKE = ("translation", "language", "captioning", "speech")


def tasks(*quick):
    """Parametrizes a test with every task; those that are not named here run as promises."""
    return pytest.mark.parametrize(
        "task",
        [
            pytest.param(
                name,
                marks=[pytest.mark.xdist_group(f"task {name}"), *PROMISE * (name not in quick)],
            )
            for name in TASKS
        ],
    )


every_task, first_task = tasks(*UNLIKE), tasks(FIRST)


@pytest.fixture(scope="module", autouse=True)
def single_precision(tmp_path_factory):
    """As commands compute; in float64, some parameters would change their type in the first update."""
    ROOT.append(tmp_path_factory.mktemp("tasks"))
    FACTORY.append(tmp_path_factory)
    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", False)
    yield
    jax.config.update("jax_enable_x64", before)
    studied.cache_clear()


def trained(task):
    """The folder of a run on all devices."""
    return tiny.trained(task, FACTORY[-1])


def scores_of(workdir):
    return json.loads((workdir / "evaluation" / "test.json").read_text())["scores"]


def lines_of(workdir, kind):
    """The lines of a kind in metrics.jsonl, without times."""
    times = ("seconds", "tokens_per_second", "waiting")
    lines = [line for line in read(workdir / "metrics.jsonl") if line["kind"] == kind]
    return [{name: value for name, value in line.items() if name not in times} for line in lines]


def stop_after(monkeypatch, updates):
    """Whatever is trained from now on stops after so many updates."""
    left = iter(range(updates - 1))

    def check(self):
        if next(left, None) is None:
            raise Stopped("this test")

    monkeypatch.setattr(Interrupt, "_check_minutes", check)


@every_task
def test_a_run_is_validated_and_evaluated_by_the_metrics_of_its_task(task):
    workdir, config = trained(task), config_of(task)
    metrics = {metric.name: metric for metric in TASKS[task].metrics(config)}
    scores = scores_of(workdir)
    assert scores.keys() == metrics.keys()
    for name, one in scores.items():
        low, high = metrics[name].bounds
        assert math.isfinite(one["score"]) and low <= one["score"] <= high, name
    validations = lines_of(workdir, "validation")
    assert len(validations) == 2
    for line in validations:
        assert all(math.isfinite(line[name]) for name in TASKS[task].rank)
    losses = [line["loss"] for line in lines_of(workdir, "train")]
    assert losses[-1] < losses[0]
    run = attention_lab.load(workdir)
    assert run.config == json.loads(json.dumps(config))
    generates = any("hypotheses" in metric.needs for metric in metrics.values())
    texts = (workdir / "evaluation" / "test.txt").read_text().splitlines()
    results = json.loads((workdir / "evaluation" / "test.json").read_text())
    assert len(texts) == results["sentences"] * generates
    with np.load(workdir / "evaluation" / "test_statistics.npz") as statistics:
        for name, counts in statistics.items():
            assert len(counts) == results["sentences"]
            assert metrics[name].score(counts) == pytest.approx(scores[name]["score"])


@first_task
def test_a_run_that_is_stopped_and_resumed_is_the_run_that_is_not(task, monkeypatch, tmp_path):
    with monkeypatch.context() as patch, pytest.raises(Stopped, match="after update 13"):
        stop_after(patch, 13)
        attention_lab.train(config_of(task), tmp_path / "run")
    assert not (tmp_path / "run" / "lease").exists()
    assert attention_lab.train(config_of(task), tmp_path / "run") is not None
    whole, resumed = trained(task), tmp_path / "run"
    assert lines_of(whole, "validation") == lines_of(resumed, "validation")
    assert scores_of(whole) == scores_of(resumed)
    wanted, found = arrays(whole), arrays(resumed)
    assert wanted.keys() == found.keys() and len(wanted) > 10
    for place, array in wanted.items():
        np.testing.assert_array_equal(found[place], array, err_msg=place)


@pytest.mark.xdist_group(f"task {FIRST}")
def test_a_run_starts_from_another_once_and_not_again_when_it_is_resumed(
    monkeypatch, tmp_path, capsys
):
    config = config_of(FIRST, initialize_from=str(trained(FIRST)))
    capsys.readouterr()
    with monkeypatch.context() as patch, pytest.raises(Stopped, match="after update 3"):
        stop_after(patch, 3)
        attention_lab.train(config, tmp_path / "run")
    printed = capsys.readouterr().out
    assert re.search(rf"start +from {trained(FIRST)}: \d+ arrays", printed)
    assert "not used" not in printed
    attention_lab.train(config, tmp_path / "run")
    printed = capsys.readouterr().out
    assert "start " not in printed and "resumed  after update 3" in printed
    first, from_it = (
        lines_of(path, "validation")[0]["cross_entropy"]
        for path in (trained(FIRST), tmp_path / "run")
    )
    assert from_it < first


@first_task
def test_one_device_and_parts_of_a_batch_give_the_run_of_two_devices(task, tmp_path):
    fields = {"devices__data": 1, "training__microbatches": 3}
    attention_lab.train(config_of(task, **fields), tmp_path / "run")
    two, one = (lines_of(path, "train") for path in (trained(task), tmp_path / "run"))
    assert [line["tokens"] for line in one] == [line["tokens"] for line in two]
    losses = [[line["loss"] for line in lines] for lines in (one, two)]
    np.testing.assert_allclose(*losses, rtol=1e-4)
    for name in TASKS[task].rank:
        scores = [
            [line[name] for line in lines_of(path, "validation")]
            for path in (trained(task), tmp_path / "run")
        ]
        if name in ("cross_entropy", "perplexity"):  # others count, and one rounding may matter
            np.testing.assert_allclose(*scores, rtol=1e-3)


@pytest.mark.xdist_group(f"task {FIRST}")
def test_another_task_is_one_entry_in_the_registry(monkeypatch, tmp_path):
    def read(*arguments):
        return [{"text": one["text"][::-1]} for one in LANGUAGE.read(*arguments)]

    backwards = LANGUAGE._replace(
        name="backwards",
        read=read,
        metrics=lambda config: (bits_per_character(), perplexity()),
        rank=("bpc",),
        compared=("bpc",),
    )
    monkeypatch.setitem(TASKS, "backwards", backwards)
    config = {**config_of("language"), "task": "backwards"}
    run = attention_lab.train(config, tmp_path / "run")
    assert scores_of(tmp_path / "run").keys() == {"bpc", "perplexity"}
    assert all("bpc" in line for line in lines_of(tmp_path / "run", "validation"))
    texts = [one["text"] for one in LANGUAGE.read(config, "test", setup.CACHE)]
    evaluated = "".join(one["target"] for one in evaluation.evaluated_examples(run, "test"))
    wanted = "".join(text[::-1] for text in texts)
    assert all(one in (other, "\ufffd") for one, other in zip(evaluated, wanted, strict=True))


@functools.cache
def studied(task):
    """The folder of a study that was stopped and resumed, the leases at that moment, and its rows."""
    folder = ROOT[-1] / f"{task}_study"
    leases = []

    def stopped(self):
        leases.extend(path.relative_to(folder).as_posix() for path in folder.rglob("lease"))
        raise Stopped("this test")

    with pytest.MonkeyPatch.context() as patch, pytest.raises(Stopped, match="after update 1"):
        patch.setattr(Interrupt, "_check_minutes", stopped)
        studies.run(study_of(task), folder)
    study = studies.run(study_of(task), folder)
    printed = []
    reporting.write(study, printed.append)
    rows = [json.loads(line) for line in (folder / "results.jsonl").read_text().splitlines()]
    return folder, leases, rows, "\n".join(printed)


@first_task
def test_a_study_ends_with_a_report_of_the_metrics_of_its_task(task):
    folder, leases, rows, printed = studied(task)
    assert leases == ["groups/plain/lease"] and not list(folder.rglob("lease"))
    assert [(row["arm"], row["seed"]) for row in rows] == [
        (arm, seed) for arm in ("plain", "without dropout") for seed in (0, 1)
    ]
    metrics = TASKS[task].metrics(config_of(task))
    for row in rows:
        assert {metric.name for metric in metrics} == row["scores"].keys()
        assert all(math.isfinite(one["score"]) for one in row["scores"].values())
        assert len(row["references"]) == row["sentences"]
        assert all(len(row["statistics"]["test"][m.name]) == row["sentences"] for m in metrics)
    report = (folder / "report.md").read_text()
    for text in (report, printed):
        assert all(metric.title in text for metric in metrics)
        assert "without dropout - plain" in text
    differences = report[report.index("## Differences") :].split("\n## ")[0]
    for metric in metrics:
        compared = metric.name in TASKS[task].compared
        assert bool(re.search(rf"\| {re.escape(metric.title)} +\|", differences)) == compared
    assert "nan" not in report and (folder / "report.html").stat().st_size > 1000
    assert list((folder / "figures").glob("*.svg"))


@first_task
def test_a_replica_is_the_run_that_is_trained_alone(task):
    folder, _, rows, _ = studied(task)
    group, alone = folder / "groups" / "plain", trained(task)
    ours, theirs = (
        lines_of(path, "train")[-1] for path in (group, alone)
    )  # after its last resumption
    assert ours["update"] == theirs["update"] and ours["tokens"][0] == theirs["tokens"]
    assert ours["loss"][0] == pytest.approx(theirs["loss"], rel=1e-5)
    assert ours["loss"][0] != ours["loss"][1]
    replica, run = (attention_lab.load(path) for path in (group / "plain_seed_0", alone))
    assert replica.codec == run.codec
    for x, y in zip(*map(jax.tree.leaves, (replica.params, run.params)), strict=True):
        assert np.linalg.norm(x - y) <= 1e-3 * (1 + np.linalg.norm(y))
    found = evaluation.evaluate(replica, "test", evaluation.bar).results["scores"]
    for name, one in rows[0]["scores"].items():
        assert found[name]["score"] == pytest.approx(one["score"], rel=1e-4), name
