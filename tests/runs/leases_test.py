"""Leases: of processes that share a folder, one has each piece of work."""

import json
import os
import socket
import subprocess
import sys
import threading
import time
import uuid

import pytest

from attention_lab.runs import leases
from attention_lab.training.interrupt import Stopped
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
            took.append(bool(mine))
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


def test_a_host_is_more_than_its_name(tmp_path):
    path = tmp_path / "lease"
    # Another container of this name, where process 1 began at another time, and where there is a process that is
    # not here: neither is dead.
    for pid in (os.getpid(), 2**22 + 1):
        me = {"host": socket.gethostname(), "system": "another boot 4026531836", "pid": pid}
        path.write_text(json.dumps({**me, "started": "1", "token": "x"}))
        with leases.take(path) as mine:
            assert not mine


def test_an_owner_that_has_lost_its_lease_is_refused_in_one_line_and_leaves_it(tmp_path):
    path = tmp_path / "lease"
    other = json.dumps({"host": "elsewhere", "pid": 7, "token": "x"})
    with leases.take(path, beat=0.01) as mine:
        mine.check()
        path.write_text(other)
        with pytest.raises(Stopped, match="process 7 on elsewhere has taken over") as raised:
            mine.check()
        assert "\n" not in str(raised.value) and raised.value.status == 1
        os.utime(path, (1, 1))
        time.sleep(0.2)
        assert path.stat().st_mtime == 1  # nor does it keep the other's alive
    assert path.read_text() == other


def test_a_lease_is_kept_alive(tmp_path):
    path = tmp_path / "lease"
    with leases.take(path, beat=0.05):
        os.utime(path, (1, 1))
        time.sleep(0.5)
        assert time.time() - path.stat().st_mtime < 5


def test_nothing_touches_a_lease_that_was_given_back(tmp_path, monkeypatch):
    begun, ended = threading.Event(), threading.Event()

    def slow(path):
        begun.set()
        time.sleep(0.2)
        ended.set()

    monkeypatch.setattr(os, "utime", slow)
    with leases.take(tmp_path / "lease", beat=0.001):
        assert begun.wait(10)
    assert ended.is_set()


def test_a_process_ends_though_it_has_not_given_its_lease_back(tmp_path):
    path = tmp_path / "lease"
    code = "import pathlib, sys; from attention_lab.runs import leases\n"
    code += "one = leases.take(pathlib.Path(sys.argv[1])); one.__enter__(); print('has it')"
    result = subprocess.run(
        [sys.executable, "-c", code, path], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert (result.returncode, result.stdout) == (0, "has it\n")


def test_a_lease_says_whose_it_is(tmp_path):
    path = tmp_path / "new" / "lease"
    with leases.take(path) as mine:
        message = json.loads(path.read_text(encoding="utf-8"))
        assert mine and (message["host"], message["pid"]) == (socket.gethostname(), os.getpid())
        with leases.take(path.with_name("other")):
            other = json.loads(path.with_name("other").read_text(encoding="utf-8"))
        assert other["token"] != message["token"]
    assert list(path.parent.iterdir()) == []


@pytest.mark.skipif(not os.path.exists("/proc/self"), reason="no /proc tells of processes")
def test_a_process_of_this_host_has_its_lease_however_long_it_stands_still(tmp_path):
    path = tmp_path / "lease"
    with leases.take(path, beat=99):
        os.utime(path, (1, 1))
        with leases.take(path, limit=1) as other:
            assert not other
        # Its number alone does not make a process the owner: when it began does.
        message = json.loads(path.read_text(encoding="utf-8"))
        path.write_text(json.dumps({**message, "started": "1"}), encoding="utf-8")
        with leases.take(path, limit=1e9) as other:
            assert other


@pytest.mark.parametrize(("age", "dead"), [(50, False), (70, True)])
@pytest.mark.parametrize("text", ["", '{"host": "elsewhere", "pid": 1}'])
def test_a_lease_from_elsewhere_or_not_yet_written_is_dead_after_its_limit(
    tmp_path, text, age, dead
):
    path = tmp_path / "lease"
    path.write_text(text, encoding="utf-8")
    os.utime(path, (time.time() - age, time.time() - age))
    with leases.take(path, limit=60) as mine:
        assert bool(mine) == dead
    assert path.exists() != dead
    assert len(list(tmp_path.iterdir())) == 1 - dead  # no claim is left


def test_a_claim_whose_owner_died_too_is_given_up(tmp_path):
    path = tmp_path / "lease"
    dead = json.dumps({"host": "elsewhere", "pid": 1})
    path.write_text(dead, encoding="utf-8")
    claim = tmp_path / f"lease.{uuid.uuid5(uuid.NAMESPACE_OID, dead).hex}"
    claim.write_text("", encoding="utf-8")
    os.utime(path, (1, 1))
    with leases.take(path, limit=60) as mine:
        assert not mine and claim.exists()  # another is about to take it over
    os.utime(claim, (1, 1))
    with leases.take(path, limit=60) as mine:
        assert not mine and not claim.exists()
    with leases.take(path, limit=60) as mine:
        assert mine


def test_a_folder_that_is_used_is_refused_and_an_empty_one_removed(tmp_path):
    folder = tmp_path / "a" / "b"
    with leases.exclusive(folder):
        assert (folder / "lease").is_file()
        message = f"in use by process {os.getpid()} on {socket.gethostname()}; wait for it"
        with pytest.raises(ValueError, match=message), leases.exclusive(folder):
            pass
    assert not (tmp_path / "a").exists()
    with leases.exclusive(folder):
        (folder / "kept").write_text("", encoding="utf-8")
    assert [one.name for one in folder.iterdir()] == ["kept"]
    (folder / "lease").write_text("", encoding="utf-8")
    with pytest.raises(ValueError, match=r"process \? on \?"), leases.exclusive(folder):
        pass


def test_a_lease_is_touched_every_fifteen_seconds_and_dead_after_ninety():
    assert (leases.BEAT, leases.LIMIT) == (15, 90)
