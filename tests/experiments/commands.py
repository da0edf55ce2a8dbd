"""Commands as a person runs them, each in a process of its own, but for what all of them import.

A server that has imported the libraries forks for every command: three seconds less each. It imports
nothing of `experiments` that defines flags, and runs nothing, so that JAX has no threads yet.
"""

import multiprocessing
import os
import pathlib
import runpy
import sys
import tempfile
import time
from typing import NamedTuple

ROOT = pathlib.Path(__file__).parent.parent.parent
PATIENCE = 300  # seconds
COMMON = [
    "attention_lab.runs.training",
    "attention_lab.studies.reporting",
    "attention_lab.claims",
    "experiments.command",
    "matplotlib.pyplot",
]
SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(COMMON)


class Told(NamedTuple):
    """What a command left."""

    returncode: int
    stdout: str
    stderr: str


def command(name, *words, signal_after=None, kill_after=None, environment=()):
    """`python -m experiments.NAME WORDS` from the top of a clone.

    signal_after: a file, at which SIGTERM is sent; or seconds. kill_after: (file, seconds), how long after it was
    written, by this command, SIGKILL is.
    """
    started, wall = time.monotonic(), time.time()
    with tempfile.TemporaryDirectory() as folder:
        paths = [os.path.join(folder, stream) for stream in ("stdout", "stderr")]
        process = SERVER.Process(target=_run, args=(name, words, *paths, dict(environment)))
        process.start()
        if kill_after is not None:
            path, seconds = kill_after
            while process.is_alive() and not (path.exists() and path.stat().st_mtime > wall):
                time.sleep(0.02)
            process.join(seconds)
            process.kill()
        while signal_after is not None and process.is_alive():
            if _is_there(signal_after, time.monotonic() - started):
                process.terminate()
                break
            time.sleep(0.05)
        process.join(PATIENCE)
        if process.is_alive():
            process.kill()
            raise TimeoutError(f"{name} {' '.join(words)} did not end within {PATIENCE} s")
        texts = [pathlib.Path(path).read_text(encoding="utf-8") for path in paths]
    return Told(process.exitcode, *texts)


def _is_there(awaited, seconds):
    if isinstance(awaited, pathlib.Path):
        return awaited.exists() and awaited.stat().st_size
    return seconds > awaited


def _run(name, words, stdout, stderr, environment):
    os.environ.update(environment)
    for stream, path in ((sys.stdout, stdout), (sys.stderr, stderr)):
        stream.flush()
        with open(path, "wb") as file:
            os.dup2(file.fileno(), stream.fileno())
    os.chdir(ROOT)
    sys.path.insert(0, str(ROOT))
    sys.argv = [name, *words]
    runpy.run_module(f"experiments.{name}", run_name="__main__", alter_sys=True)
