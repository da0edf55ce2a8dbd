"""Records: what attention said about one source and one target, in one format for all models.

    record = make_record(["das", "▁Haus", "</s>"], ..., weights={"cross/0": weights})
    save(records, "valid")       # valid.npz: the weights; valid.json: all the rest
    load("valid")

Whatever reads attention reads records, and needs neither the model nor its tokenizer.
"""

import hashlib
import io
import json
import os
import pathlib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from attention_lab import files

VERSION = 1
Path = str | os.PathLike[str]
Link = tuple[int, int]  # source word, target word, both counted from 0


class Record(NamedTuple):
    """What attention said; made by `make_record`, which checks it.

    Tokens are what the model reads, words what people count and links join. Row q of cross weights says
    where the model looked to say target token q, which is what an `Output` has.
    """

    source: tuple[str, ...]  # tokens, marks such as "</s>" included
    target: tuple[str, ...]
    source_words: tuple[str, ...]
    target_words: tuple[str, ...]
    source_word_of: tuple[int, ...]  # for each token the index of its word, -1 for a mark
    target_word_of: tuple[int, ...]
    weights: dict[str, np.ndarray]  # by place, float32 [H, Q, K]
    links: frozenset[Link] | None  # the gold links, None where they are not known
    info: dict[str, Any]  # the model, the score, ...: whatever JSON can say


# Whose tokens ask and whose are asked, by the kind of place.
SIDES = {
    "cross": ("target", "source"),
    "encoder": ("source", "source"),
    "decoder": ("target", "target"),
}
_PLACE = re.compile(f"({'|'.join(SIDES)})/(0|[1-9][0-9]*)")


def sides(place: str) -> tuple[str, str]:
    """Whose tokens are the queries and whose the keys at a place: ("target", "source") at "cross/0".

    Raises ValueError where it is no place.
    """
    found = _PLACE.fullmatch(place)
    if not found:
        raise ValueError(
            f"{place!r} is no place; a place is cross, encoder or decoder and the layer, as in 'cross/0'"
        )
    return SIDES[found[1]]


def make_record(
    source: Sequence[str],
    target: Sequence[str],
    weights: Mapping[str, Any],
    *,
    source_words: Sequence[str] | None = None,
    target_words: Sequence[str] | None = None,
    source_word_of: Sequence[int] | None = None,
    target_word_of: Sequence[int] | None = None,
    links: Iterable[Link] | None = None,
    info: Mapping[str, Any] | None = None,
) -> Record:
    """A record whose parts fit together; weights are kept in float32.

    source_words and source_word_of belong together; without both, every token is a word of its own. So do
    those of the target. Raises ValueError for what does not fit: shapes, weights that are negative or not
    finite, indices of words that are not there, info that JSON cannot say.
    """
    source_side = _side("source", source, source_words, source_word_of)
    target_side = _side("target", target, target_words, target_word_of)
    lengths = {"source": len(source), "target": len(target)}
    record = Record(
        source=source_side.tokens,
        target=target_side.tokens,
        source_words=source_side.words,
        target_words=target_side.words,
        source_word_of=source_side.word_of,
        target_word_of=target_side.word_of,
        weights={place: _checked(place, array, lengths) for place, array in weights.items()},
        links=None if links is None else frozenset((int(i), int(j)) for i, j in links),
        info=_plain(dict(info or {})),
    )
    for i, j in sorted(record.links or ()):
        if not (0 <= i < len(record.source_words) and 0 <= j < len(record.target_words)):
            raise ValueError(
                f"link {i}-{j} joins words that are not there: the source has "
                f"{len(record.source_words)}, the target {len(record.target_words)}, counted from 0"
            )
    return record


class _Side(NamedTuple):
    tokens: tuple[str, ...]
    words: tuple[str, ...]
    word_of: tuple[int, ...]


def _side(name, tokens, words, word_of):
    if isinstance(tokens, str) or isinstance(words, str):
        raise ValueError(f"{name} tokens and words are lists of strings, but a string was given")
    if (words is None) != (word_of is None):
        raise ValueError(f"{name}_words and {name}_word_of belong together; give both or neither")
    tokens = tuple(map(str, tokens))
    words = tokens if words is None else tuple(map(str, words))
    word_of = range(len(tokens)) if word_of is None else word_of
    word_of = tuple(int(word) for word in word_of)
    if len(word_of) != len(tokens):
        raise ValueError(
            f"{name}_word_of has {len(word_of)} entries for {len(tokens)} tokens; each needs one"
        )
    for token, word in zip(tokens, word_of, strict=True):
        if not -1 <= word < len(words):
            raise ValueError(
                f"{name} token {token!r} belongs to word {word}, but the {len(words)} words are counted "
                "from 0, and -1 is for marks"
            )
    return _Side(tokens, words, word_of)


def _checked(place, array, lengths):
    asks, asked = sides(place)
    array = np.asarray(array, np.float32)
    expected = (lengths[asks], lengths[asked])
    if array.ndim != 3 or not array.shape[0] or array.shape[1:] != expected:
        raise ValueError(
            f"weights of {place} have shape {array.shape}, expected [heads, {expected[0]} {asks} tokens, "
            f"{expected[1]} {asked} tokens]"
        )
    if not (np.isfinite(array) & (array >= 0)).all():
        raise ValueError(f"weights of {place} must be finite and not negative, but some are not")
    return array


def _plain(info):
    """info as it will be read again: a tuple is a list, a key a string."""
    try:
        return json.loads(json.dumps(info, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise ValueError(f"info must be what JSON can say: {error}") from None


def save(records: Sequence[Record], path: Path) -> None:
    """Records as `path`.npz (weights) and `path`.json (all the rest); folders are made.

    Either file is complete or not there at all, and each knows the other: halves of different saves are
    not read as one. Raises ValueError where they cannot be written.
    """
    weights_path, text_path = _halves(path)
    places = sorted({place for record in records for place in record.weights})
    flat: dict[str, Any] = {
        place: np.concatenate([r.weights[place].ravel() for r in records if place in r.weights])
        for place in places
    }
    weights = io.BytesIO()
    np.savez_compressed(weights, **flat)
    content = {
        "version": VERSION,
        "weights_sha256": _digest(weights.getvalue()),
        "records": [_without_weights(record) for record in records],
    }
    files.save(weights_path, weights.getvalue())
    files.save(text_path, _to_json({"sha256": _digest(_to_json(content)), **content}))


def load(path: Path) -> list[Record]:
    """What `save` wrote under the same path.

    Raises ValueError where a half is missing, damaged, of another version or of another save.
    """
    weights_path, text_path = _halves(path)
    text, weights = _read(text_path), _read(weights_path)
    try:
        content = json.loads(text)
        version = content["version"]
        intact = version != VERSION or content.pop("sha256") == _digest(_to_json(content))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        intact = False
    if not intact:
        raise ValueError(f"{text_path} is damaged or holds no records; make them again")
    if version != VERSION:
        raise ValueError(
            f"{text_path} has version {version}, and this program reads {VERSION}; make it again"
        )
    if content["weights_sha256"] != _digest(weights):
        raise ValueError(
            f"{weights_path} is damaged or not of the save that wrote {text_path.name}; make both again"
        )
    with np.load(io.BytesIO(weights), allow_pickle=False) as file:
        flat = {place: file[place] for place in file.files}
    return [_with_weights(told, flat) for told in content["records"]]


def _halves(path):
    # Either half names both, as does the name without an ending.
    path = pathlib.Path(path)
    stem = path.name.removesuffix(".npz").removesuffix(".json")
    if not stem:
        raise ValueError(f"{str(path)!r} names no file to keep records in")
    return path.with_name(f"{stem}.npz"), path.with_name(f"{stem}.json")


def _without_weights(record):
    told = record._asdict()
    told["weights"] = {place: len(array) for place, array in record.weights.items()}
    told["links"] = None if record.links is None else sorted(record.links)
    return told


def _with_weights(told, flat):
    """The record that `_without_weights` told, its weights taken from the front of each flat array."""
    weights = {}
    for place, heads in told["weights"].items():
        shape = (heads, *(len(told[side]) for side in sides(place)))
        size = int(np.prod(shape))
        weights[place] = flat[place][:size].reshape(shape)
        flat[place] = flat[place][size:]
    return make_record(**{**told, "weights": weights})


def _to_json(content):
    try:
        return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"records hold text that is not Unicode: {error.reason}") from None


def _digest(data):
    return hashlib.sha256(data).hexdigest()


def _read(path):
    try:
        return path.read_bytes()
    except OSError as error:
        raise ValueError(f"no records can be read from {path}: {error.strerror}") from None
