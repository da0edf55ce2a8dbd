"""Generates splits of a corpus in a second process while the first one generates another: neither waits for the other.

The second process fills the cache of `generated`, and the first one reads it there. Whatever happens to the second
process, the first one generates what it does not find, so the corpus is the same.
"""

import contextlib
import json
import os
import pathlib
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from attention_lab.data.generated import cached, path_of
from attention_lab.data.tokenizer_files import Path

ROOT = pathlib.Path(__file__).parents[2]  # the folder of the package, from which `-m` imports it


@contextlib.contextmanager
def generated_beside(
    name: str, splits: Sequence[str], options: Mapping[str, Any], cache_dir: Path
) -> Iterator[None]:
    """Generates the splits of a corpus that cache_dir lacks while the body of the context runs, and waits for them at its end.

    An exception in the body ends the process at once. Nothing is started where a second process has no core.
    """
    process = _started(name, splits, options, pathlib.Path(cache_dir).absolute())
    try:
        yield
        if process is not None:
            process.wait()
    finally:
        if process is not None:
            process.kill()
            process.communicate()  # closes its input, and leaves no zombie


def _started(name, splits, options, cache):
    """Returns the process, or None if there is nothing to generate or no way to start it."""
    with contextlib.suppress(OSError, TypeError, ValueError):  # it is only slower without
        missing = [split for split in splits if not path_of(name, split, options, cache).exists()]
        if not missing or _cores() == 1:
            return None
        words = json.dumps([name, missing, dict(options), str(cache)])
        return subprocess.Popen(
            [sys.executable, "-m", __name__, words],
            cwd=ROOT,
            stdin=subprocess.PIPE,  # which the system closes when this process ends
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,  # this process finds the same error, and reports it
        )
    return None


def _cores():
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _end_with_parent():
    os.read(0, 1)  # returns when the input is closed
    os._exit(1)


def main(words: str) -> None:
    """Fills the cache: words is JSON, [name, splits, options, cache_dir]."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    name, splits, options, cache_dir = json.loads(words)
    for split in splits:
        cached(name, split, cache_dir=cache_dir, **options)


if __name__ == "__main__":
    main(sys.argv[1])
