"""The tokenizers of pre-trained models on disk: in the folder of a model, and in that of a run that starts from one."""

import base64
import json
import os
import pathlib
from typing import Any

from attention_lab import files
from attention_lab.data import tokenizer as tokenizers
from attention_lab.data.vocabularies import Codec
from attention_lab.pretrained.checkpoints import read_json
from attention_lab.pretrained.tokenizer import PretrainedTokenizer
from attention_lab.pretrained.vocabulary import Order
from attention_lab.special_tokens import END

VERSION = 1  # of the file in the folder of a run
TOKENIZER, MARIAN = "tokenizer.json", ("source.spm", "target.spm", "vocab.json")
MARIAN_END = "</s>"
Path = str | os.PathLike[str]


def codec_of(folder: Any, order: Order) -> Codec:
    """Returns the tokenizers of both sides. Raises ValueError if the folder has none, or one is damaged."""
    folder = pathlib.Path(folder)
    ids = tuple(order.theirs.tolist()), tuple(order.written.tolist())
    if (path := folder / TOKENIZER).is_file():
        one = PretrainedTokenizer(path.read_bytes(), *ids)
        return Codec(one, _checked(one, path))
    files = [folder / name for name in MARIAN]
    if not all(path.is_file() for path in files):
        raise ValueError(
            f"{folder} has no {TOKENIZER}, and not {', '.join(MARIAN)}, which Marian has; save the tokenizer there: "
            "AutoTokenizer.from_pretrained(..).save_pretrained(folder)"
        )
    numbers = read_json(files[2])
    try:
        names = tuple(sorted(numbers, key=numbers.__getitem__))
        if [numbers[name] for name in names] != list(range(len(names))):
            raise ValueError
    except (AttributeError, TypeError, ValueError):
        raise ValueError(f"{files[2]} is damaged: it has not one number for each token") from None
    end = int(order.theirs[END])
    if names[end : end + 1] != (MARIAN_END,):
        raise ValueError(
            f"{files[2]} is of another model: its id {end} is not {MARIAN_END}, which ends texts"
        )
    sides = (PretrainedTokenizer(path.read_bytes(), *ids, names) for path in files[:2])
    return Codec(*(_checked(one, path) for one, path in zip(sides, files, strict=False)))


def _checked(tokenizer: PretrainedTokenizer, path: pathlib.Path) -> PretrainedTokenizer:
    """Returns the tokenizer. Raises ValueError if it cannot be read, or if it is another model's."""
    size = max(tokenizer.theirs) + 1
    try:
        own = tokenizer.size
        if own <= size:
            tokenizer.encode_ids(["a"])
    except ValueError:
        raise
    except Exception as error:  # the libraries raise Exception and RuntimeError themselves
        raise ValueError(f"{path} is damaged: {error}") from None
    if own > size:
        raise ValueError(f"{path} is of another model: it has {own:,} ids, and the model {size:,}")
    return tokenizer


def save(tokenizer: PretrainedTokenizer, path: Path) -> None:
    """Writes one JSON file atomically. Raises ValueError if it cannot be written."""
    files.save(pathlib.Path(path), json.dumps(_content(tokenizer)).encode())


def load(path: Path) -> PretrainedTokenizer:
    """Reads what `save` wrote. Raises ValueError if it is missing or damaged, or of another version."""
    content = read_json(pathlib.Path(path))
    try:
        version = content["version"]
        if version == VERSION:
            data = base64.b64decode(content["content"])
            return PretrainedTokenizer(
                data, *(tuple(content[name]) for name in ("theirs", "written", "names"))
            )
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is damaged ({error!r}); restore it") from None
    raise ValueError(f"{path} has version {version}, and this program reads {VERSION}; train again")


def digest_of(tokenizer: PretrainedTokenizer) -> str:
    """Returns the sha256, in hexadecimal, of the tokenizer."""
    return tokenizers.digest_of(tokenizer).hex()


def _content(tokenizer: PretrainedTokenizer) -> dict[str, Any]:
    return {
        "version": VERSION,
        "content": base64.b64encode(tokenizer.content).decode(),
        "theirs": tokenizer.theirs,
        "written": tokenizer.written,
        "names": tokenizer.names,
    }
