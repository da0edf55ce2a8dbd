"""Stopping early and in order."""

import os
import signal
import time
from types import SimpleNamespace

import pytest

from attention_lab.training import interrupt
from attention_lab.training.interrupt import Interrupt, Stopped
from attention_lab.training.loop import Update, train

STATE = SimpleNamespace(step=0)


def stopped_after(saved, hooks, updates=5):
    """Trains nothing, 5 updates long; `hooks` stand before the one that may stop it."""

    def step(state, batch):
        return SimpleNamespace(step=state.step + 1), {}

    def keep(update):
        saved.append(update.number)

    with Interrupt() as one, one.saving(keep) as hook:
        train(step, STATE, range(updates), updates, [*hooks, hook])


@pytest.mark.parametrize("which", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_training_after_its_update_which_is_saved(which):
    def send(update):
        if update.number == 3:
            os.kill(os.getpid(), which)

    saved, before = [], signal.getsignal(signal.SIGINT)
    with pytest.raises(Stopped, match=f"{which.name}, after update 3"):
        stopped_after(saved, [send])
    assert saved == [3]
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.parametrize("pause, kept", [(0.0, [2]), (0.3, [])])
def test_a_second_signal_does_not_wait_unless_it_is_the_first_again(monkeypatch, pause, kept):
    monkeypatch.setattr(interrupt, "REPEATED", 0.2)

    def send(update):
        if update.number == 2:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(pause)
            os.kill(os.getpid(), signal.SIGTERM)

    saved = []
    with pytest.raises(Stopped) as stopped:
        stopped_after(saved, [send])
    assert saved == kept
    assert stopped.value.status == (0 if kept else 128 + signal.SIGTERM)


def test_where_nothing_is_trained_a_signal_stops_at_once():
    with pytest.raises(Stopped, match=r"SIGTERM$"), Interrupt():
        os.kill(os.getpid(), signal.SIGTERM)
        raise AssertionError("went on")


def test_a_signal_after_the_last_update_stops_what_follows_training():
    def send(update):
        if update.last:
            os.kill(os.getpid(), signal.SIGTERM)

    saved = []
    with pytest.raises(Stopped, match="SIGTERM"):
        stopped_after(saved, [send])
    assert saved == []  # the last update is saved by a hook of its own


def test_what_has_lost_its_folder_stops_after_its_update_without_saving():
    def lost():
        raise Stopped("another has taken over", status=1)

    saved = []
    with (
        pytest.raises(Stopped, match="another has taken over") as raised,
        Interrupt(0) as one,
        one.guarded(lost),
        one.saving(saved.append) as hook,
    ):
        hook(Update(3, STATE, {}, False))
    assert saved == [] and raised.value.status == 1 and not one.guards
    with pytest.raises(Stopped, match="another has taken over"), one.guarded(lost):
        one.check()


def test_minutes_end_training_after_an_update_that_is_saved():
    saved = []
    over = pytest.raises(Stopped, match="0 minutes are over")

    def keep(update):
        saved.append(update.number)

    with over, Interrupt(minutes=0) as one, one.saving(keep) as hook:
        train(lambda state, batch: (state, {}), STATE, range(5), 5, [hook])
    assert saved == [1]


def test_minutes_are_counted_from_where_it_is_entered(monkeypatch):
    now = SimpleNamespace(seconds=0.0)
    monkeypatch.setattr(interrupt, "time", SimpleNamespace(monotonic=lambda: now.seconds))
    one = Interrupt(minutes=2.0)
    now.seconds = 1000.0
    with one:
        for now.seconds in (1000.0, 1119.0, 1120.0):
            one.check()
        now.seconds = 1120.5
        with pytest.raises(Stopped, match=r"^2 minutes are over$") as stopped:
            one.check()
    assert stopped.value.status == 0
    Interrupt().check()


def test_processes_are_asked_together_every_so_many_updates_and_not_after_the_last():
    asked, saved = [], []

    def anyone(mine):
        asked.append(mine)
        return len(asked) == 2  # another process has a reason

    with (
        pytest.raises(Stopped, match=r"^another process, after update 1,000$"),
        Interrupt() as one,
        one.saving(lambda update: saved.append(update.number), anyone, period=500) as hook,
    ):
        for number in range(1, 2000):
            assert hook(SimpleNamespace(number=number, last=number == 700)) is None
    assert asked == [False, False] and saved == [1000] and not one.training
    with Interrupt() as one, one.saving(None, asked.append) as hook:
        hook(SimpleNamespace(number=3, last=True))
    assert asked == [False, False]


def test_a_signal_that_comes_again_within_a_second_is_one(monkeypatch):
    now = SimpleNamespace(seconds=0.0)
    monkeypatch.setattr(interrupt, "time", SimpleNamespace(monotonic=lambda: now.seconds))
    with (
        pytest.raises(Stopped, match="SIGINT again; the updates after") as stopped,
        Interrupt() as one,
    ):
        one.training = True
        for now.seconds, which in (
            (5.0, signal.SIGTERM),
            (6.0, signal.SIGINT),
            (6.1, signal.SIGINT),
        ):
            os.kill(os.getpid(), which)
            assert one.reason == "SIGTERM" and one.requested == 5.0
    assert str(stopped.value) == "SIGINT again; the updates after the last checkpoint are lost"
    assert stopped.value.status == 128 + signal.SIGINT and now.seconds == 6.1
