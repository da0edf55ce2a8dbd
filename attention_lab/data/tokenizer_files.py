"""Tokenizers on disk: one JSON file each, with the digest of what it says."""

import base64
import contextlib
import hashlib
import json
import os
import pathlib
from collections.abc import Iterable

import sentencepiece

from attention_lab.data.tokenizer import Tokenizer, normalized, train

VERSION = 1
Path = str | os.PathLike[str]


def cached(kind: str, sentences: Iterable[str], size: int, cache_dir: Path) -> Tokenizer:
    """`train`, or what it gave for the same kind, size and sentences before, kept in cache_dir.

    A damaged file there is trained anew and replaced, and one that cannot be written is done without.
    """
    texts = normalized(sentences)
    digest = hashlib.sha256(repr((VERSION, sentencepiece.__version__, kind, size)).encode())
    digest.update("\n".join(texts).encode())
    path = pathlib.Path(cache_dir) / f"{kind}-{size}-{digest.hexdigest()[:16]}.json"
    with contextlib.suppress(ValueError):
        return load(path)
    tokenizer = train(kind, texts, size)
    with contextlib.suppress(ValueError):  # it is only slower without
        save(tokenizer, path)
    return tokenizer


def save(tokenizer: Tokenizer, path: Path) -> None:
    """One JSON file, complete or not there at all; folders are made. ValueError if it cannot be."""
    path = pathlib.Path(path)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft.write_bytes(to_bytes(tokenizer))
        draft.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            draft.unlink()
        raise ValueError(f"{path} cannot be written: {error.strerror}") from None


def load(path: Path) -> Tokenizer:
    """What `save` wrote. Raises ValueError if it is missing, damaged or of another version."""
    try:
        data = pathlib.Path(path).read_bytes()
    except OSError as error:
        raise ValueError(f"no tokenizer can be read from {path}: {error.strerror}") from None
    return from_bytes(data, name=str(path))


def to_bytes(tokenizer: Tokenizer) -> bytes:
    """The tokenizer as JSON, with the digest of what it says."""
    content = {
        "version": VERSION,
        "kind": tokenizer.kind,
        "pieces": tokenizer.pieces,
        "model": base64.b64encode(tokenizer.model).decode(),
    }
    return json.dumps({"sha256": _digest(content), **content}).encode()


def from_bytes(data: bytes, name: str = "the data") -> Tokenizer:
    """What `to_bytes` wrote; `name` says in an error where it came from."""
    try:
        content = json.loads(data)
        intact = content.pop("sha256") == _digest(content)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        intact = False
    if not intact:
        raise ValueError(f"{name} is damaged or no tokenizer; train it again")
    if content["version"] != VERSION:
        told = f"version {content['version']}, and this program reads {VERSION}"
        raise ValueError(f"{name} is a tokenizer of {told}; train it again")
    return Tokenizer(content["kind"], tuple(content["pieces"]), base64.b64decode(content["model"]))


def _digest(content):
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
