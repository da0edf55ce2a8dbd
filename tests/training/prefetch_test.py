"""Batches made ahead are the same ones, in any number of threads, and waiting for them is counted."""

import threading
import time

import numpy as np
import pytest

from attention_lab.training.prefetch import Prefetch
from tests.training.economy_test import batch


class Slow:
    """Batches that take a while and remember who made them."""

    def __init__(self, seconds=0.0):
        self.seconds, self.made = seconds, []

    def __getitem__(self, number):
        time.sleep(self.seconds)
        self.made.append((number, threading.current_thread()))
        return {name: rows.values + number for name, rows in batch().items()}


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_no_worker_changes_a_batch_or_makes_one_twice(workers):
    slow = Slow()
    ahead = Prefetch(slow, workers, 12)
    for number in range(3, 12):  # a run that goes on
        np.testing.assert_array_equal(ahead[number]["source"], batch()["source"].values + number)
    assert sorted(number for number, _ in slow.made) == list(range(3, 12))
    here = [thread is threading.current_thread() for _, thread in slow.made]
    assert all(here) if workers == 0 else not any(here)


def test_who_computes_meanwhile_does_not_wait():
    def waited(workers):
        ahead = Prefetch(Slow(0.02), workers, 8)
        for number in range(8):
            _ = ahead[number]
            time.sleep(0.03)
        return ahead.waited

    assert waited(0) > 0.15
    assert waited(1) < 0.08  # the first one, and what a busy machine adds


def test_an_error_of_a_worker_reaches_who_asks():
    class Broken:
        def __getitem__(self, number):
            raise OSError("no such batch")

    with pytest.raises(OSError, match="no such batch"):
        Prefetch(Broken(), 2, 5)[0]


@pytest.mark.parametrize(("workers", "window"), [(1, [3, 4, 5]), (2, [3, 4, 5, 6, 7])])
def test_each_worker_is_at_most_two_batches_ahead(workers, window):
    slow = Slow()
    ahead = Prefetch(slow, workers, 9, transfer=lambda batch: batch["source"] + 100)
    placed = ahead[3]
    np.testing.assert_array_equal(placed, batch()["source"].values + 103)
    assert sorted(ahead.pending) == window[1:]  # that which was asked for is handed out
    _ = ahead[8]  # what was left behind is forgotten, and behind the last there is none
    assert ahead.pending == {}
    ahead.pool.shutdown()
    assert set(window) | {8} == {number for number, _ in slow.made}


def test_what_was_waited_for_is_added_up(monkeypatch):
    now = iter([1.0, 3.5, 10.0, 14.0])
    monkeypatch.setattr(time, "perf_counter", lambda: next(now))
    ahead = Prefetch([5, 6, 7], 0, 3)
    assert (ahead.waited, ahead[0], ahead.waited, ahead[2], ahead.waited) == (0.0, 5, 2.5, 7, 6.5)
