"""Leases: of processes that share a folder, one has each piece of work."""

import json
import os
import subprocess
import sys
import threading
import time

from attention_lab.runs import leases
from tests.experiments.commands import ROOT


def test_one_process_has_a_lease(tmp_path):
    path = tmp_path / "lease"
    with leases.take(path) as mine, leases.take(path) as other:
        assert mine and not other
    with leases.take(path) as again:
        assert again
    assert not path.exists()


def test_a_lease_of_a_dead_process_is_taken_over_by_one(tmp_path):
    path = tmp_path / "lease"
    code = "import os, sys, pathlib; from attention_lab.runs import leases\n"
    code += "one = leases.take(pathlib.Path(sys.argv[1])); one.__enter__(); os._exit(9)"
    subprocess.run([sys.executable, "-c", code, path], cwd=ROOT, check=False)
    assert path.exists()
    took, gate = [], threading.Barrier(4)

    def try_it():
        gate.wait()
        with leases.take(path) as mine:
            took.append(mine)
            time.sleep(0.5)

    threads = [threading.Thread(target=try_it) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(took) == [False, False, False, True]


def test_a_lease_from_elsewhere_is_taken_over_once_it_is_old(tmp_path):
    path = tmp_path / "lease"
    path.write_text(json.dumps({"host": "elsewhere", "pid": 1, "token": "x"}))
    with leases.take(path, limit=60) as mine:
        assert not mine
    os.utime(path, (time.time() - 61, time.time() - 61))
    with leases.take(path, limit=60) as mine:
        assert mine


def test_a_lease_is_kept_alive(tmp_path):
    path = tmp_path / "lease"
    with leases.take(path, beat=0.05):
        os.utime(path, (1, 1))
        time.sleep(0.5)
        assert time.time() - path.stat().st_mtime < 5
