"""Commands in this very process, so that a program is compiled once for all of them."""

import contextlib
import copy
import io
import runpy
import sys
import warnings
from typing import NamedTuple
from unittest import mock

from absl import flags

import experiments
from experiments import command


class Told(NamedTuple):
    """What a command left: its status and the bytes that it has printed."""

    status: int
    stdout: bytes
    stderr: bytes


class Keyboard(io.TextIOWrapper):
    """A terminal at which lines are typed, and then Ctrl-D; an exception is raised instead of a line."""

    def __init__(self, *lines):
        super().__init__(io.BytesIO(), encoding="utf-8")
        self.lines = list(lines)

    def isatty(self):
        return True

    def fileno(self):
        raise OSError("it is no file")

    def readline(self, *size):
        if not self.lines:
            return ""
        line = self.lines.pop(0)
        if isinstance(line, BaseException):
            raise line
        return f"{line}\n"


class Screen(io.TextIOWrapper):
    """The standard output of a command at a terminal."""

    def isatty(self):
        return True


def run_command(name, *words, stdin=b"", terminal=None):
    """`python -m experiments.NAME WORDS`. Raises what would end it in a traceback.

    terminal: the keyboard from which it reads instead; what it prints is then shown on a screen.
    """
    streams = {
        stream: io.TextIOWrapper(io.BytesIO(given), encoding="utf-8")
        for stream, given in {"stdin": stdin, "stdout": b"", "stderr": b""}.items()
    }
    if terminal is not None:
        streams |= {"stdin": terminal, "stdout": Screen(io.BytesIO(), encoding="utf-8")}
    with contextlib.ExitStack() as stack:
        for stream, opened in streams.items():
            stack.enter_context(mock.patch.object(sys, stream, opened))
        stack.enter_context(mock.patch.object(sys, "argv", [name, *words]))
        # What is set for a whole process would stay for the tests after this one.
        stack.enter_context(mock.patch.object(command, "keep_memory"))
        stack.enter_context(mock.patch.object(warnings, "formatwarning"))
        stack.enter_context(warnings.catch_warnings())
        warnings.filterwarnings("ignore", category=UserWarning)  # which a person reads
        warnings.filterwarnings("ignore", "the load_module", DeprecationWarning)  # ml_collections
        stack.enter_context(_flags_of_no_command())
        try:
            runpy.run_module(f"experiments.{name}", run_name="__main__", alter_sys=True)
        except SystemExit as ended:
            status = ended.code or 0
    for stream in streams.values():
        stream.flush()
    return Told(status, *(streams[stream].buffer.getvalue() for stream in ("stdout", "stderr")))


@contextlib.contextmanager
def _flags_of_no_command():
    """Within, no flag of a command is defined yet: two define a --workdir, which absl lets only one do."""
    kept, state = dict(vars(flags.FLAGS)), vars(flags.FLAGS)
    state.update(vars(copy.deepcopy(flags.FLAGS)))
    for module, defined in flags.FLAGS.flags_by_module_dict().items():
        for flag in [] if module.startswith("absl.") else list(defined):
            delattr(flags.FLAGS, flag.name)
    # Modules that only define flags, for several commands, are to define them again.
    for module in ("hosts", "sampling", "described"):
        sys.modules.pop(f"experiments.{module}", None)
        vars(experiments).pop(module, None)
    try:
        yield
    finally:
        state.clear()
        state.update(kept)
