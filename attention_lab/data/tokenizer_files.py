"""Tokenizers on disk: one JSON file each, with the digest of its content."""

import base64
import contextlib
import hashlib
import json
import os
import pathlib
from collections.abc import Iterable

import sentencepiece

from attention_lab import files
from attention_lab.data.tokenizer import Tokenizer, normalized, train

VERSION = 3
Path = str | os.PathLike[str]


def cached(
    kind: str,
    sentences: Iterable[str],
    size: int,
    cache_dir: Path,
    byte_fallback: bool = False,
    keep_whitespace: bool = False,
    extra: int = 0,
) -> Tokenizer:
    """Returns the result of `train`, from cache_dir if it was called with the same arguments before.

    A damaged file is replaced; if the file cannot be written, the tokenizer is returned nevertheless.
    """
    texts = normalized(sentences, keep_whitespace)
    options = kind, size, byte_fallback, keep_whitespace, extra
    digest = hashlib.sha256(repr((VERSION, sentencepiece.__version__, *options)).encode())
    for text in texts:  # the length makes the sequence of texts unambiguous
        digest.update(f"{len(text)}\n{text}".encode())
    made_from = digest.hexdigest()
    path = pathlib.Path(cache_dir) / f"{kind}-{size}-{made_from[:16]}.json"
    with contextlib.suppress(ValueError):
        return load(path, made_from)
    tokenizer = train(kind, texts, *options[1:])
    with contextlib.suppress(ValueError):  # it is only slower without
        save(tokenizer, path, made_from)
    return tokenizer


def save(tokenizer: Tokenizer, path: Path, made_from: str | None = None) -> None:
    """Writes one JSON file atomically, and creates its folders. Raises ValueError if it cannot be written.

    made_from: a digest of the inputs, stored for `load` to compare.
    """
    files.save(pathlib.Path(path), to_bytes(tokenizer, made_from))


def load(path: Path, made_from: str | None = None) -> Tokenizer:
    """Reads what `save` wrote. Raises ValueError if it is missing, damaged, of another version or made from other inputs."""
    try:
        data = pathlib.Path(path).read_bytes()
    except OSError as error:
        raise ValueError(f"no tokenizer can be read from {path}: {error.strerror}") from None
    return from_bytes(data, str(path), made_from)


def to_bytes(tokenizer: Tokenizer, made_from: str | None = None) -> bytes:
    """Returns the tokenizer as JSON, with the digest of its content."""
    content = {
        "version": VERSION,
        "kind": tokenizer.kind,
        "pieces": tokenizer.pieces,
        "model": base64.b64encode(tokenizer.model).decode(),
        "byte_fallback": tokenizer.byte_fallback,
        "keep_whitespace": tokenizer.keep_whitespace,
        "extra": tokenizer.extra,
    } | ({} if made_from is None else {"made_from": made_from})
    return json.dumps({"sha256": _digest(content), **content}).encode()


def digest_of(tokenizer: Tokenizer) -> str:
    """Returns the sha256, in hexadecimal, of the tokenizer."""
    return hashlib.sha256(to_bytes(tokenizer)).hexdigest()


def from_bytes(data: bytes, name: str = "the data", made_from: str | None = None) -> Tokenizer:
    """Parses what `to_bytes` returned; `name` is its origin in error messages."""
    try:
        content = json.loads(data)
        other = content["version"] != VERSION  # whose digest may be of something else
        intact = other or content.pop("sha256") == _digest(content)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        intact = False
    if not intact:
        raise ValueError(f"{name} is damaged or not a tokenizer; train it again")
    if other:
        message = f"version {content['version']}, and this program reads {VERSION}"
        raise ValueError(f"{name} is a tokenizer of {message}; train it again")
    if made_from not in (None, content.get("made_from")):
        raise ValueError(f"{name} was trained on other text or with other options; train it again")
    model = base64.b64decode(content["model"])
    options = (content[name] for name in ("byte_fallback", "keep_whitespace", "extra"))
    return Tokenizer(content["kind"], tuple(content["pieces"]), model, *options)


def _digest(content):
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
