"""A second process fills the cache; whatever happens to it, the corpus is the same, and nothing of it remains."""

import os
import subprocess

import pytest

from attention_lab.data import beside, generated
from attention_lab.data.beside import generated_beside
from attention_lab.data.generated import cached, path_of
from attention_lab.data.rosetta import rosetta

SMALL = {"size": 30, "vocabulary": 2, "longest": 8}
SPLITS = ["validation", "test"]


@pytest.fixture(autouse=True)
def two_cores(monkeypatch):
    """Each test reads the disk, as a new process does, on a machine with two cores."""
    generated._kept.cache_clear()
    monkeypatch.setattr(beside, "_cores", lambda: 2)


@pytest.fixture
def processes(monkeypatch):
    """The processes that were started."""
    started = []

    class Popen(subprocess.Popen):
        def __init__(self, *args, **options):
            super().__init__(*args, **options)
            started.append(self)

    monkeypatch.setattr(subprocess, "Popen", Popen)
    return started


def test_the_splits_are_in_the_cache_at_the_end(tmp_path, monkeypatch, processes):
    with generated_beside("rosetta", SPLITS, SMALL, tmp_path):
        pass
    (process,) = processes
    assert process.returncode == 0
    fresh = {split: list(rosetta(split, **SMALL)) for split in SPLITS}
    for split in SPLITS:
        data = path_of("rosetta", split, SMALL, tmp_path).read_bytes()
        made_from = generated.digest_of("rosetta", split, SMALL)
        pairs = generated.from_bytes(data, made_from, generated.CORPORA["rosetta"].example)
        assert list(generated.Rosetta(pairs)) == fresh[split]


def test_no_process_is_started_if_nothing_is_missing_or_there_is_one_core(
    tmp_path, monkeypatch, processes
):
    for split in SPLITS:
        cached("rosetta", split, cache_dir=tmp_path, **SMALL)
    with generated_beside("rosetta", SPLITS, SMALL, tmp_path):
        pass
    monkeypatch.setattr(beside, "_cores", lambda: 1)
    with generated_beside("rosetta", SPLITS, SMALL, tmp_path / "new"):
        pass
    assert not processes


def test_an_exception_ends_the_process_at_once(tmp_path, processes):
    beside_it = generated_beside("rosetta", ["test"], {"size": 100_000_000}, tmp_path)
    with pytest.raises(KeyboardInterrupt), beside_it:
        raise KeyboardInterrupt
    (process,) = processes
    assert process.returncode < 0  # killed, and its status was collected


def test_the_process_ends_with_the_one_that_started_it(tmp_path):
    process = beside._started("rosetta", ["test"], {"size": 100_000_000}, tmp_path)
    process.stdin.close()  # as the system does when a process ends, in whatever way
    assert process.wait(timeout=60) == 1


@pytest.mark.parametrize("options", [{"sise": 3}, {"size": object()}, {"size": 0}])
def test_options_that_are_invalid_are_left_to_the_reader(tmp_path, options):
    with generated_beside("rosetta", SPLITS, options, tmp_path):
        pass  # raises nothing


def test_where_no_process_can_be_started_or_nothing_written_it_is_done_without(
    tmp_path, monkeypatch
):
    (tmp_path / "file").touch()
    with generated_beside("rosetta", SPLITS, SMALL, tmp_path / "file"):
        pass
    monkeypatch.setattr(beside.sys, "executable", os.fspath(tmp_path / "no_python"))
    with generated_beside("rosetta", SPLITS, SMALL, tmp_path):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    fresh = list(rosetta("test", **SMALL))
    assert list(cached("rosetta", "test", cache_dir=tmp_path / "file", **SMALL)) == fresh
