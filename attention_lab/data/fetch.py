"""Downloads of files, each verified by its digest.

    fetch(multi30k(), "data/multi30k")      # verifies the files that exist, and downloads the others

The digest is that of a file's content, decompressed if it is gzipped, so that it does not depend on the compression.
"""

import contextlib
import gzip
import hashlib
import http.client
import os
import pathlib
import urllib.error
import urllib.request
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from typing import Any, NamedTuple

Folder = str | os.PathLike[str]
# progress(bytes or None if unknown, name): a context that yields a function to be called with further bytes.
Progress = Callable[[int | None, str], AbstractContextManager[Callable[[int], Any]]]

PATIENCE = 30.0  # seconds without an answer
_CHUNK = 2**18
_GZIP = b"\x1f\x8b"


class File(NamedTuple):
    """A file of a corpus: its name, its URL, and the sha256 of its content in hexadecimal."""

    name: str
    url: str
    sha256: str


@contextlib.contextmanager
def silent(total: int | None, name: str) -> Iterator[Callable[[int], Any]]:
    """Shows no progress."""
    yield lambda more: None


def fetch(files: Iterable[File], folder: Folder, progress: Progress = silent) -> None:
    """Downloads the files that are `missing` in the folder; each is written atomically.

    The folder is created, and a partial download is started again. Raises ValueError as `missing` does, and if a
    file cannot be reached, the connection breaks, the digest differs, or the file cannot be written.
    """
    for file in missing(files, folder):
        _download(file, pathlib.Path(folder), progress)


def missing(files: Iterable[File], folder: Folder) -> list[File]:
    """Returns the files that are not in the folder, neither under their names nor, without .gz, decompressed.

    Raises ValueError for a file that exists with another content. It is not changed.
    """
    absent = []
    for file in files:
        path = pathlib.Path(folder, file.name)
        if not path.exists():
            path = path.with_name(file.name.removesuffix(".gz"))
        if not path.exists():
            absent.append(file)
        elif (actual := digest(path)) != file.sha256:
            raise ValueError(
                f"{path}: the sha256 of its content is {_short(actual)}, and {_short(file.sha256)} was expected; it "
                f"is damaged or another version; replace it by the file of {file.url}"
            )
    return absent


def digest(path: Folder) -> str:
    """Returns the sha256 of a file's content, decompressed where its first bytes are those of gzip.

    Raises ValueError if it cannot be read or decompressed.
    """
    try:
        with open(path, "rb") as raw:
            zipped = raw.read(len(_GZIP)) == _GZIP
            raw.seek(0)
            with gzip.open(raw) if zipped else raw as content:
                return hashlib.file_digest(content, "sha256").hexdigest()
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ValueError(f"{path} is a damaged gzip file ({error}); download it again") from None
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from None


def _download(file, folder, progress):
    path = folder / file.name
    # The name contains the process's number, so that two processes do not write to the same file.
    part = path.with_name(f".{file.name}.{os.getpid()}.part")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as written:
            for chunk in _chunks(file, folder, progress):
                written.write(chunk)
        _check(file, part)
        part.replace(path)
    except OSError as error:  # errors of the network are ValueErrors already
        raise ValueError(
            f"{path} cannot be written: {error.strerror}; choose a folder that is writable and has enough space"
        ) from None
    finally:
        with contextlib.suppress(OSError):
            part.unlink()


def _chunks(file, folder, progress):
    """Yields the content of a URL. Raises ValueError if it cannot be downloaded completely."""
    instead = f"without a network, put {file.name} into {folder} by hand"
    try:
        response = urllib.request.urlopen(file.url, timeout=PATIENCE)
    except urllib.error.HTTPError as error:
        error.close()
        raise ValueError(
            f"{file.url}: HTTP {error.code} {error.reason}; put {file.name} into {folder} by hand"
        ) from None
    except (OSError, http.client.HTTPException) as error:
        raise ValueError(f"{file.url} cannot be reached: {_reason(error)}; {instead}") from None
    length, done = response.headers.get("Content-Length", ""), 0
    total = int(length) if length.isdecimal() else None
    with response, progress(total, file.name) as advance:
        while True:
            try:
                chunk = response.read(_CHUNK)
            except (OSError, http.client.HTTPException) as error:
                raise ValueError(
                    f"the download of {file.url} was interrupted after {done:,} bytes: {_reason(error)}; run the command again"
                ) from None
            if not chunk:
                break
            done += len(chunk)
            advance(len(chunk))
            yield chunk
    if total not in (None, done):
        raise ValueError(
            f"the download of {file.url} was interrupted after {done:,} of {total:,} bytes; run the command again"
        )


def _check(file, part):
    """Raises ValueError if the digest of the download differs from that of the file."""
    try:
        actual = digest(part)
    except ValueError:
        raise ValueError(
            f"the download of {file.url} is a damaged gzip file; run the command again"
        ) from None
    if actual != file.sha256:
        raise ValueError(
            f"{file.url}: the sha256 of its content is {_short(actual)}, and {_short(file.sha256)} was expected; it "
            f"is another version and was not saved; put the expected {file.name} into {part.parent}"
        )


def _reason(error):
    error = getattr(error, "reason", error)
    return getattr(error, "strerror", None) or error


def _short(sha256):
    return f"{sha256[:12]}.."
