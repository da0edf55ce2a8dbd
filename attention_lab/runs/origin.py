"""The inputs of training, identified by digests: origin.json, beside the two tokenizer files.

{"version", "parameters": formats, "tokenizers": {"source", "target": sha256}, "data": {split: sha256 of its examples}}

The folders of runs and of groups of replicas contain it. A resumed training compares the digests first, and writes
nothing if one differs.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from attention_lab import files
from attention_lab.data import readers
from attention_lab.data import tokenizer_files as tokenizers
from attention_lab.data.tokenizer import Tokenizer
from attention_lab.data.vocabularies import Codec
from attention_lab.pretrained import tokenizer_files as pretrained_tokenizers
from attention_lab.pretrained.tokenizer import PretrainedTokenizer
from attention_lab.training import checkpoint

VERSION = 3  # of the folder; increased when the meaning of its files changes
FORMATS = {"version": VERSION, "parameters": checkpoint.VERSION}
# The modules that save readers, by the end of the files' names.
SAVED: Mapping[str, Any] = MappingProxyType(
    {"tokenizer": tokenizers, "pretrained_tokenizer": pretrained_tokenizers, "reader": readers}
)
TOKENIZERS = MappingProxyType({Tokenizer: "tokenizer", PretrainedTokenizer: "pretrained_tokenizer"})
WRITTEN = ("config.json", "checkpoints")  # versions without origin.json wrote these too


class Origin(NamedTuple):
    """The sha256 of each side's tokenizer, and of the examples of each split."""

    tokenizers: dict[str, str]
    data: dict[str, str]


def origin_of(folder: Path) -> Origin | None:
    """Returns the origin of the training in a folder, or None if no training has started there.

    Raises ValueError if another version of this program wrote the folder.
    """
    path = folder / "origin.json"
    if not path.is_file():
        old = [name for name in WRITTEN if (folder / name).exists()]
        if old and is_pretrained(folder):
            raise ValueError(
                f"{folder} is a pre-trained model and no run of this program; translate, generate and chat open it, and "
                "other commands need the folder of a run: --workdir"
            )
        if old:
            raise ValueError(
                f"{folder} was written by an older version of this program (it contains {old[0]} and no {path.name}), or is a "
                "pre-trained model whose config.json has no model_type; train again in another folder: --workdir"
            )
        return None
    content = read_json(path)
    try:
        formats = {name: content[name] for name in FORMATS}
        origin = Origin(dict(content["tokenizers"]), dict(content["data"]))
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is damaged ({error!r}); restore it") from None
    for name, version in formats.items():
        if version != FORMATS[name]:
            what = "folder" if name == "version" else name
            raise ValueError(
                f"{folder} has {what} of version {version}, and this program reads {FORMATS[name]}; use the version "
                "that wrote it, or train again in another folder: --workdir"
            )
    return origin


def is_pretrained(folder: Path) -> bool:
    """Whether a folder has a config.json of the library transformers, and hence no run of this program."""
    path = folder / "config.json"
    config = read_json(path) if path.is_file() else {}
    return isinstance(config, dict) and "model_type" in config


def codec_of(folder: Path) -> Codec | None:
    """Returns the tokenizers of the training in a folder, or None if no training has started there.

    Raises ValueError as `origin_of`, and if the files are not those with which the training started.
    """
    origin = origin_of(folder)
    if origin is None:
        return None
    return Codec(*(_reader(folder, side, origin) for side in Codec._fields))


def _reader(folder: Path, side: str, origin: Origin) -> Any:
    saved = next((name for name in SAVED if _path(folder, side, name).exists()), "")
    if not saved:
        names = ", ".join(_path(folder, side, name).name for name in SAVED)
        raise ValueError(
            f"{folder} has none of {names}; restore the one with which the training started"
        )
    path, reader = _path(folder, side, saved), SAVED[saved].load(_path(folder, side, saved))
    if SAVED[saved].digest_of(reader) != origin.tokenizers.get(side):
        raise ValueError(
            f"{path} is not the {saved} with which the training in {folder} started; restore it, or train "
            "again in another folder: --workdir"
        )
    return reader


def begin(folder: Path, codec: Codec, data: Mapping[str, str]) -> None:
    """Records the inputs of a new training; for a resumed one, compares them with the recorded ones.

    data: the digest of each split. Raises ValueError, and writes nothing, if the recorded tokenizers or data differ,
    or if another version of this program wrote the folder.
    """
    origin = origin_of(folder)
    digests = {side: SAVED[_saved_as(one)].digest_of(one) for side, one in codec._asdict().items()}
    started = Origin(digests, dict(data))
    if origin is not None:
        compare(origin.data, data, f"those on which the training in {folder} started")
        if origin.tokenizers != started.tokenizers:
            raise ValueError(
                f"the training in {folder} started with other tokenizers; choose another folder: --workdir"
            )
        return
    folder.mkdir(parents=True, exist_ok=True)
    for side, reader in codec._asdict().items():
        name = _saved_as(reader)
        SAVED[name].save(reader, _path(folder, side, name))
    write_json(folder / "origin.json", {**FORMATS, **started._asdict()})


def _saved_as(reader):
    return TOKENIZERS.get(type(reader), "reader")


def _path(folder, side, name):
    return folder / f"{side}_{name}.json"


def compare(
    known: Mapping[str, str],
    current: Mapping[str, str],
    expected: str,
    alternative: str = "choose another folder: --workdir",
) -> None:
    """Raises ValueError if a split in both mappings has different digests, hence different examples.

    known, current: the digest of each split. expected: describes the known examples in the message. alternative: what
    the message suggests besides restoring them.
    """
    for split, digest in current.items():
        if known.get(split, digest) != digest:
            raise ValueError(
                f"the examples of the split {split} are not {expected} (sha256 {known[split][:12]}, now "
                f"{digest[:12]}); restore them, or {alternative}"
            )


def read_json(path: Path) -> Any:
    """Reads a JSON file. Raises ValueError if it is not valid JSON in UTF-8."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:  # JSONDecodeError or UnicodeDecodeError
        raise ValueError(f"{path} is damaged: {error}") from error


def write_json(path: Path, content: Any) -> None:
    """Writes indented JSON atomically."""
    files.replace(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")
