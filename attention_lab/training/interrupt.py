"""Stopping early and in order: at SIGTERM, at Ctrl-C, or when the minutes are over.

    with Interrupt(minutes) as interrupt:
        with interrupt.saving(keep) as hook:
            state = train(step, state, batches, updates, [.., hook])

While that runs the update in progress is finished and saved first; anywhere else there is nothing to save.
"""

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from types import FrameType, TracebackType
from typing import Any

from attention_lab.training.loop import Hook, Update

SIGNALS = (signal.SIGTERM, signal.SIGINT)
REPEATED = 1.0  # seconds within which a signal that comes twice, from a terminal and a launcher say, is one


class Stopped(BaseException):
    """Work that ended early; its text says why. No Exception: a library that goes on after one must not swallow it.

    status: 0 where nothing was lost; else, as shells have it, 128 and the signal's number.
    """

    def __init__(self, reason: str, status: int = 0) -> None:
        super().__init__(reason)
        self.status = status


class Interrupt(AbstractContextManager["Interrupt"]):
    """Raises Stopped for what asks to stop: at once, or from the hook of `saving`, when its update has been saved.

    minutes: from when it is entered; None for any number. Another signal, a second or more later, does not
    wait for the update.
    """

    def __init__(self, minutes: float | None = None) -> None:
        self.minutes, self.reason, self.training = minutes, "", False
        self.started = self.requested = time.monotonic()
        self.before: dict[signal.Signals, Any] = {}
        self.guards: list[Callable[[], None]] = []

    def __enter__(self) -> "Interrupt":
        self.started = time.monotonic()
        if threading.current_thread() is threading.main_thread():  # no other may
            self.before = {one: signal.signal(one, self._note) for one in SIGNALS}
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for one, handler in self.before.items():
            signal.signal(one, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        name, now = signal.Signals(number).name, time.monotonic()
        if not self.training:
            raise Stopped(name)
        if not self.reason:
            self.reason, self.requested = name, now
        elif now - self.requested > REPEATED:
            raise Stopped(
                f"{name} again; what came after the last checkpoint is lost", 128 + number
            )

    @contextmanager
    def guarded(self, guard: Callable[[], None]) -> Iterator[None]:
        """For the time within, what raises Stopped where this process must stop without saving.

        It is asked after each update and by `check`: a folder that another process has taken over is no longer ours
        to write to.
        """
        self.guards.append(guard)
        try:
            yield
        finally:
            self.guards.remove(guard)

    def check(self) -> None:
        """Raises Stopped where the minutes are over, or what guards this work says so."""
        self.check_guards()
        self._check_minutes()

    def check_guards(self) -> None:
        """Raises Stopped where what guards this work says so, whatever the minutes: before results are written."""
        for guard in self.guards:
            guard()

    def _check_minutes(self) -> None:
        if self.minutes is not None and time.monotonic() - self.started > 60 * self.minutes:
            raise Stopped(f"{self.minutes:g} minutes are over")

    @contextmanager
    def saving(
        self, keep: Hook, any_process: Callable[[bool], bool] = bool, period: int = 1
    ) -> Iterator[Hook]:
        """For the time of training: the last of its hooks, in which `keep` saves what is to be stopped.

        any_process: whether one of the processes that train together has a reason, which is asked every `period` updates.
        """

        def hook(update: Update) -> None:
            self.check_guards()  # who must not save learns of it first
            try:
                self._check_minutes()
            except Stopped as over:
                self.reason = self.reason or str(over)
            if update.number % period or update.last:
                return
            if any_process(bool(self.reason)):
                self.reason = self.reason or "another process"
                keep(update)
                raise Stopped(f"{self.reason}, after update {update.number:,}")

        self.training = True
        try:
            yield hook
        finally:
            self.training = False
        if self.reason:  # during the last update, which is saved in any case
            raise Stopped(self.reason)
