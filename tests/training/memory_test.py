"""What glibc is asked to keep."""

import ctypes
import subprocess
import sys
from types import SimpleNamespace

import pytest

from attention_lab.training.memory import keep_memory

GIGABYTE = 2**30


class Function(SimpleNamespace):
    """A function of a C library, which notes with what it was called."""

    def __call__(self, *words):
        self.calls.append((self.name, *words))
        return self.result


def library(monkeypatch, room, without=()):
    calls = []
    names = [n for n in ("mallopt", "malloc", "free", "madvise") if n not in without]
    functions = {
        name: Function(name=name, calls=calls, result=room if name == "malloc" else 1)
        for name in names
    }
    monkeypatch.setattr(ctypes, "CDLL", lambda name: SimpleNamespace(**functions))
    return calls, functions


@pytest.mark.parametrize("room", [2**30 + 16, 2**30])
def test_memory_is_kept_on_large_pages_which_begin_where_a_page_begins(monkeypatch, room):
    calls, functions = library(monkeypatch, room)
    keep_memory()
    page = 2**21
    first = 2**30 + page if room % page else room
    last = room + 4 * GIGABYTE
    assert calls == [
        ("mallopt", -8, 1),
        ("mallopt", -4, 0),
        ("mallopt", -1, -1),
        ("malloc", 4 * GIGABYTE),
        ("madvise", first, (last - first) // page * page, 14),
        ("free", room),
    ]
    # A pointer is longer than the int that ctypes takes it for.
    assert functions["malloc"].restype == ctypes.c_void_p
    assert functions["malloc"].argtypes == [ctypes.c_size_t]
    assert functions["free"].argtypes == [ctypes.c_void_p]
    assert functions["madvise"].argtypes == [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]


def test_cycles_are_looked_for_less_often_than_by_python_itself():
    code = (
        "import gc; before = gc.get_threshold(); from attention_lab.training import memory; "
        "memory.collect_rarely(); print(gc.get_threshold()[0] > 10 * before[0], gc.isenabled())"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8")
    assert result.stdout.split() == ["True", "True"], result.stderr


def test_where_there_is_no_room_or_no_glibc_nothing_is_advised(monkeypatch):
    calls, _ = library(monkeypatch, None)
    keep_memory()
    assert [name for name, *_ in calls] == ["mallopt"] * 3 + ["malloc"]
    calls, _ = library(monkeypatch, 2**30, without=["mallopt"])
    keep_memory()
    assert calls == []
