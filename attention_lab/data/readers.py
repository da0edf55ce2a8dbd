"""Readers turn a source, a text or a picture, into the array that a model reads; they are made once and saved with a run.

    reader.reads               "tokens", "frames" or "image", as of an encoder
    len(reader)                the size of what it reads: tokens of a vocabulary, features of a frame, channels of a pixel
    reader.arrays(sources)     ids [K], frames [K, F] or images [Y, X, C], one for each source

Those of texts are tokenizers; those below have two more methods, by which records say where a model looked.
"""

import dataclasses
import hashlib
import json
import pathlib
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Protocol

import numpy as np

from attention_lab import files
from attention_lab.data.images import Images
from attention_lab.data.sounds import Spectrograms
from attention_lab.data.tokenizer_files import Path

VERSION = 1


class Reader(Protocol):
    """A reader of sources that are not texts; a frozen dataclass of numbers and texts."""

    reads: str

    def __len__(self) -> int:
        """The features of a frame, or the channels of a pixel."""

    def arrays(self, sources: Iterable[Any], /) -> list[np.ndarray]:
        """Returns the array of each source."""

    def sizes(self, sources: Sequence[Any], /) -> np.ndarray:
        """Returns the number of positions of each array along its longer axis, [N]."""

    def scale(self, source: Any, /) -> float:
        """Returns the positions of a source's array for each unit in which regions of the source are given."""

    def labels(self, states: Sequence[int], stride: int, /) -> list[str]:
        """Returns the name of each state of a source; stride: the positions along each axis that one replaces."""

    def described(self) -> str:
        """Returns what it reads, for the plan of a run."""


READERS: Mapping[str, type[Any]] = MappingProxyType(
    {"images": Images, "spectrograms": Spectrograms}
)


def save(reader: Any, path: Path) -> None:
    """Writes one JSON file atomically. Raises ValueError if it cannot be written."""
    files.save(pathlib.Path(path), json.dumps(_content(reader)).encode())


def load(path: Path) -> Any:
    """Reads what `save` wrote. Raises ValueError if it is missing or damaged, or of another version."""
    try:
        content = json.loads(pathlib.Path(path).read_bytes())
        version, kind = content.pop("version"), content.pop("reader")
        if version == VERSION:
            return READERS[kind](**content)
    except OSError as error:
        raise ValueError(f"no reader can be read from {path}: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} is damaged ({error!r}); restore it") from None
    raise ValueError(f"{path} has version {version}, and this program reads {VERSION}; train again")


def digest_of(reader: Any) -> str:
    """Returns the sha256, in hexadecimal, of a reader."""
    return hashlib.sha256(json.dumps(_content(reader), sort_keys=True).encode()).hexdigest()


def _content(reader):
    (kind,) = [name for name, one in READERS.items() if type(reader) is one]
    return {"version": VERSION, "reader": kind, **dataclasses.asdict(reader)}
