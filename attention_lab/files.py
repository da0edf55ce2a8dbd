"""Atomic writes: a file has its old or its new content, whenever a process ends."""

import contextlib
import hashlib
import os
from pathlib import Path


def replace(path: Path, content: bytes | str) -> None:
    """Writes a file atomically: to a draft in the same folder, which then replaces the file; text is UTF-8.

    Missing folders are created. If two processes write at once, the last one wins. Raises OSError, and removes the
    draft, if the file cannot be written.
    """
    if isinstance(content, str):
        # A path in the text may contain bytes that are not UTF-8: Python's surrogates are escaped as in JSON.
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
    """`replace` for a file that the user requested. Raises ValueError, with the reason, if it cannot be written."""
    try:
        replace(path, content)
    except OSError as error:
        raise ValueError(f"{path} cannot be written: {error.strerror}") from None


def digest_of(path: Path | str) -> str:
    """Returns the sha256, in hexadecimal, of a file. Raises ValueError if it cannot be read."""
    try:
        return hashlib.sha256(Path(path).read_bytes()).hexdigest()
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from None
