"""Graceful interruption at SIGTERM, at SIGINT (Ctrl-C), or at a time limit.

    with Interrupt(minutes) as interrupt:
        with interrupt.saving(save) as hook:
            state = train(step, state, batches, updates, [.., hook])

During training, the current update is finished and a checkpoint is saved first; at other times there is nothing to
save, and the interruption is immediate.
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
REPEATED = (
    1.0  # seconds within which two signals count as one: a terminal and a launcher may both send it
)


class Stopped(BaseException):
    """Work was interrupted, for the reason in the message.

    It is not a subclass of Exception, so that a library that handles any Exception does not suppress it. status: the
    exit status of the process, 0 if no work was lost, else 128 plus the signal's number, as in shells.
    """

    def __init__(self, reason: str, status: int = 0) -> None:
        super().__init__(reason)
        self.status = status


class Interrupt(AbstractContextManager["Interrupt"]):
    """A context that raises Stopped at a signal: at once, or during training from the hook of `saving`.

    minutes: the time limit, from the entry into the context; None: no limit. A second signal, more than REPEATED
    seconds after the first, raises Stopped at once, without a checkpoint.
    """

    def __init__(self, minutes: float | None = None) -> None:
        self.minutes, self.reason, self.training = minutes, "", False
        self.started = self.requested = time.monotonic()
        self.previous_handlers: dict[signal.Signals, Any] = {}
        self.guards: list[Callable[[], None]] = []

    def __enter__(self) -> "Interrupt":
        self.started = time.monotonic()
        if (
            threading.current_thread() is threading.main_thread()
        ):  # others cannot set signal handlers
            self.previous_handlers = {one: signal.signal(one, self._handle) for one in SIGNALS}
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for one, handler in self.previous_handlers.items():
            signal.signal(one, handler)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        name, now = signal.Signals(number).name, time.monotonic()
        if not self.training:
            raise Stopped(name)
        if not self.reason:
            self.reason, self.requested = name, now
        elif now - self.requested > REPEATED:
            raise Stopped(
                f"{name} again; the updates after the last checkpoint are lost", 128 + number
            )

    @contextmanager
    def guarded(self, guard: Callable[[], None]) -> Iterator[None]:
        """Within the context, calls `guard` after each update and in `check`.

        guard: raises Stopped if this process must stop without saving, for instance since another process has taken
        over its folder.
        """
        self.guards.append(guard)
        try:
            yield
        finally:
            self.guards.remove(guard)

    def check(self) -> None:
        """Raises Stopped at the time limit, or if a guard raises it."""
        self.check_guards()
        self._check_minutes()

    def check_guards(self) -> None:
        """Raises Stopped if a guard raises it, whatever the time; to be called before results are written."""
        for guard in self.guards:
            guard()

    def _check_minutes(self) -> None:
        if self.minutes is not None and time.monotonic() - self.started > 60 * self.minutes:
            raise Stopped(f"{self.minutes:g} minutes are over")

    @contextmanager
    def saving(
        self, save: Hook, any_process: Callable[[bool], bool] = bool, period: int = 1
    ) -> Iterator[Hook]:
        """Yields the last hook of a training, which saves with `save` and raises Stopped if there is a reason to stop.

        any_process: (flag) -> whether the flag is set on any process; it is called every `period` updates, so that all
        processes stop at the same update.
        """

        def hook(update: Update) -> None:
            self.check_guards()  # before a checkpoint is saved
            try:
                self._check_minutes()
            except Stopped as stopped:
                self.reason = self.reason or str(stopped)
            if update.number % period or update.last:
                return
            if any_process(bool(self.reason)):
                self.reason = self.reason or "another process"
                save(update)
                raise Stopped(f"{self.reason}, after update {update.number:,}")

        self.training = True
        try:
            yield hook
        finally:
            self.training = False
        if (
            self.reason
        ):  # given during the last update, after which a checkpoint is saved in any case
            raise Stopped(self.reason)
