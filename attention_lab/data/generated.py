"""A cache of generated corpora, keyed by the digest of their inputs: a corpus is generated once."""

import contextlib
import functools
import hashlib
import inspect
import itertools
import json
import pathlib
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

from attention_lab import files
from attention_lab.data import rosetta as package
from attention_lab.data.rosetta.corpus import SIZES, Rosetta, rosetta
from attention_lab.data.rosetta.words import Realized
from attention_lab.data.tokenizer_files import Path

VERSION = 2  # must be increased if the format of files changes


def cached_rosetta(split: str, *, cache_dir: Path, **options: Any) -> Rosetta:
    """Returns the result of `rosetta`, from cache_dir where split, options and grammar are the same as before.

    A damaged file is replaced; if the file cannot be written, the corpus is returned nevertheless. Raises
    ValueError if `rosetta` does.
    """
    path = path_of(split, options, cache_dir)
    return Rosetta(_kept(path, split, tuple(sorted(options.items()))))


def path_of(split: str, options: Mapping[str, Any], cache_dir: Path) -> pathlib.Path:
    """Returns the absolute path of the file in which `cached_rosetta` keeps the split."""
    name = f"rosetta-{split}-{digest_of(split, options)[:32]}.bin"
    return (pathlib.Path(cache_dir) / name).absolute()


@functools.lru_cache(maxsize=8)
def _kept(path, split, options):
    made_from = digest_of(split, dict(options))
    with contextlib.suppress(OSError, ValueError):
        return from_bytes(path.read_bytes(), made_from)
    pairs = rosetta(split, **dict(options)).pairs
    with contextlib.suppress(OSError):  # it is only slower without
        files.replace(path, to_bytes(pairs, made_from))
    return pairs


def digest_of(split: str, options: Mapping[str, Any]) -> str:
    """Returns the sha256, in hexadecimal, of all on which `rosetta` depends: split, options and source code."""
    arguments = inspect.signature(rosetta).bind(split, **options)
    arguments.apply_defaults()
    if arguments.arguments["size"] is None:
        arguments.arguments["size"] = SIZES.get(split)
    digest = hashlib.sha256(repr((VERSION, *arguments.arguments.items())).encode())
    digest.update(_grammar())
    return digest.hexdigest()


@functools.cache
def _grammar() -> bytes:
    """Returns the sha256 of the source files of rosetta and their names."""
    digest = hashlib.sha256()
    for path in sorted(pathlib.Path(str(package.__file__)).parent.glob("*.py")):
        digest.update(f"{path.name} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return digest.digest()


def to_bytes(pairs: Sequence[Realized], made_from: str) -> bytes:
    """Returns the pairs as compressed JSON, after the digest of it and of the inputs.

    They are stored in columns, the words of a sentence as one text and its links as one list, so that a million fewer
    small objects are parsed.
    """
    columns = [
        [pair.source for pair in pairs],
        [pair.target for pair in pairs],
        ["\n".join(pair.source_words) for pair in pairs],
        ["\n".join(pair.target_words) for pair in pairs],
        [list(itertools.chain(*pair.links)) for pair in pairs],
    ]
    packed = zlib.compress(json.dumps(columns, ensure_ascii=False).encode(), 1)
    return _digest(packed, made_from) + packed


def from_bytes(data: bytes, made_from: str) -> tuple[Realized, ...]:
    """Parses what `to_bytes` returned. Raises ValueError if it is damaged, or made from other inputs."""
    packed = data[hashlib.sha256().digest_size :]
    if _digest(packed, made_from) != data[: -len(packed) or None]:
        raise ValueError(
            "the pairs are damaged, or were generated from another grammar or other options"
        )
    return tuple(
        Realized(
            source,
            target,
            tuple(source_words.split("\n")),
            tuple(target_words.split("\n")),
            tuple(zip(links[::2], links[1::2], strict=True)),
        )
        for source, target, source_words, target_words, links in zip(
            *json.loads(zlib.decompress(packed)), strict=True
        )
    )


def _digest(packed, made_from):
    return hashlib.sha256(made_from.encode() + packed).digest()
