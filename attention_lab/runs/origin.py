"""What training starts from, known by digest: origin.json, beside the two tokenizers that the model reads with.

{"version", "parameters": formats, "tokenizers": {"source", "target": sha256}, "data": {split: sha256 of its examples}}

Runs have it, and groups, which train many. Whoever goes on compares first, and writes nothing where something differs.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from attention_lab import files
from attention_lab.data import tokenizer_files as tokenizers
from attention_lab.data.tokenizer import Tokenizer
from attention_lab.data.vocabularies import Codec
from attention_lab.training import checkpoint

VERSION = 1  # of the folder, to be raised where its files mean something else
FORMATS = {"version": VERSION, "parameters": checkpoint.VERSION}
WRITTEN = ("config.json", "checkpoints")  # by versions without origin.json too


class Origin(NamedTuple):
    """The sha256 of each side's tokenizer, and of the examples of each split."""

    tokenizers: dict[str, str]
    data: dict[str, str]


def origin_of(folder: Path) -> Origin | None:
    """What the training in a folder started from, None where none has.

    Raises ValueError where another version of this program has written there.
    """
    path = folder / "origin.json"
    if not path.is_file():
        old = [name for name in WRITTEN if (folder / name).exists()]
        if old:
            raise ValueError(
                f"{folder} is of an older version of this program (there is {old[0]} and no {path.name} in it); "
                "train again in another folder: --workdir"
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
                f"{folder} has {what} of version {version}, and this program reads {FORMATS[name]}; use that "
                "version of it, or train again in another folder: --workdir"
            )
    return origin


def codec_of(folder: Path) -> Codec | None:
    """The tokenizers of the training in a folder, None where none has started.

    Raises ValueError as `origin_of`, and where they are not those with which it started.
    """
    origin = origin_of(folder)
    if origin is None:
        return None
    return Codec(*(_tokenizer(folder, side, origin) for side in Codec._fields))


def _tokenizer(folder: Path, side: str, origin: Origin) -> Tokenizer:
    path = _tokenizer_path(folder, side)
    tokenizer = tokenizers.load(path)
    if tokenizers.digest_of(tokenizer) != origin.tokenizers.get(side):
        raise ValueError(
            f"{path} is not the tokenizer with which the training in {folder} started; restore it, or train "
            "again in another folder: --workdir"
        )
    return tokenizer


def begin(folder: Path, codec: Codec, data: Mapping[str, str]) -> None:
    """Keeps what a training starts from; where it has started, compares instead.

    data: the digest of each split. Raises ValueError, and writes nothing, where the folder's tokenizers or data
    are others, or it is of another version.
    """
    origin = origin_of(folder)
    digests = {side: tokenizers.digest_of(one) for side, one in codec._asdict().items()}
    started = Origin(digests, dict(data))
    if origin is not None:
        compare(origin.data, data, f"those on which the training in {folder} started")
        if origin.tokenizers != started.tokenizers:
            raise ValueError(
                f"the training in {folder} started with other tokenizers; choose another folder: --workdir"
            )
        return
    folder.mkdir(parents=True, exist_ok=True)
    for side, tokenizer in codec._asdict().items():
        tokenizers.save(tokenizer, _tokenizer_path(folder, side))
    write_json(folder / "origin.json", {**FORMATS, **started._asdict()})


def _tokenizer_path(folder, side):
    return folder / f"{side}_tokenizer.json"


def compare(
    known: Mapping[str, str],
    now: Mapping[str, str],
    whose: str,
    way_out: str = "choose another folder: --workdir",
) -> None:
    """Raises ValueError where a split that is in both has not the same digest, hence other examples."""
    for split, digest in now.items():
        if known.get(split, digest) != digest:
            raise ValueError(
                f"the examples of the split {split} are not {whose} (sha256 {known[split][:12]}, now "
                f"{digest[:12]}); restore them, or {way_out}"
            )


def read_json(path: Path) -> Any:
    """What a file of JSON says. Raises ValueError where it is none."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:  # no JSON, or no UTF-8
        raise ValueError(f"{path} is damaged: {error}") from error


def write_json(path: Path, content: Any) -> None:
    """Writes JSON that a person can read, whole or not at all."""
    files.replace(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")
