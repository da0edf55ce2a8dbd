"""Files that are complete or as they were before, whenever a process ends."""

import contextlib
import os
from pathlib import Path


def replace(path: Path, content: bytes | str) -> None:
    """Writes a file, text as UTF-8, beside its place and moves it there; folders are made.

    Of two processes that write at once, the last one's stays. Raises OSError, and leaves no draft, where it
    cannot be written.
    """
    if isinstance(content, str):
        # A path in it may hold bytes that are no UTF-8: JSON's own escape of what Python has for them.
        content = content.encode(errors="backslashreplace")
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft.write_bytes(content)
        draft.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            draft.unlink()
        raise


def save(path: Path, content: bytes | str) -> None:
    """`replace`, for what somebody has asked for. Raises ValueError, with the reason, where it cannot be written."""
    try:
        replace(path, content)
    except OSError as error:
        raise ValueError(f"{path} cannot be written: {error.strerror}") from None
