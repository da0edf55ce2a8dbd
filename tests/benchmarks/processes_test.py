"""Runs in separate processes, as they are timed: how they share the seeds, and that they end."""

import multiprocessing
import os
import signal
from contextlib import closing

import pytest

from attention_lab.benchmarks import updates
from tests.benchmarks.workers import worker


@pytest.fixture
def log(tmp_path, monkeypatch):
    monkeypatch.setattr(updates, "run_worker", worker)
    monkeypatch.delenv("NPROC", raising=False)
    return tmp_path / "log"


def lines(log):
    return sorted(line.split() for line in log.read_text(encoding="utf-8").splitlines())


def test_processes_of_one_thread_share_the_seeds(log, monkeypatch):
    monkeypatch.setenv("NPROC", "7")
    with closing(updates.SeparateProcesses({"log": str(log)}, 5, 3, 2)) as separate:
        assert os.environ["NPROC"] == "7"
        separate()
        separate()
    # Process 0 has the seeds 0, 2 and 4, and process 1 the seeds 1 and 3; each is asked twice.
    assert [line[:4] for line in lines(log)] == [["0", "3", "3", "1"]] * 2 + [
        ["1", "2", "3", "1"]
    ] * 2
    assert len({line[4] for line in lines(log)}) == 2


def test_processes_end_when_they_are_closed(log):
    before = set(multiprocessing.active_children())
    separate = updates.SeparateProcesses({"log": str(log)}, 2, 1, 2)
    processes = set(multiprocessing.active_children()) - before
    assert "NPROC" not in os.environ and len(processes) == 2
    separate.close()
    for process in processes:
        process.join(10)
        assert process.exitcode == -signal.SIGKILL


def test_a_process_that_ended_by_itself_is_reported(log):
    with closing(updates.SeparateProcesses({"log": str(log)}, 2, 1, 2)) as separate:
        separate()
        os.kill(int(lines(log)[1][4]), signal.SIGKILL)
        with pytest.raises(RuntimeError, match="ended unexpectedly, possibly because memory ran"):
            separate()
