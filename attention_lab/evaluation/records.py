"""Records: the attention weights for one source and one target, in one format for all models.

    record = make_record(["das", "▁Haus", "</s>"], ..., weights={"cross/0": weights})
    save(records, "valid")       # valid.npz: the weights; valid.json: everything else
    load("valid")

Code that analyzes or displays attention reads records, and needs neither the model nor its tokenizer.
"""

import hashlib
import io
import json
import math
import os
import pathlib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from attention_lab import files

VERSION = 2
READABLE = (1, 2)  # version 1 has texts only
Path = str | os.PathLike[str]
Link = tuple[int, int]  # source word, target word, both counted from 0


class Record(NamedTuple):
    """The attention weights of one example, constructed and validated by `make_record`.

    Tokens are the units of the model; words are the units of word alignment, which links connect. Row q of
    cross-attention has the weights with which the model predicts target token q, as in an `Output`.

    The source may be frames, states = (K,), or an image, states = (Y, X), K = Y · X row by row: its tokens are states,
    and its words are regions, each with the box (first, .., last, ..) that it occupies, in units of states.
    """

    source: tuple[str, ...]  # tokens, including special tokens such as "</s>"
    target: tuple[str, ...]
    source_words: tuple[str, ...]
    target_words: tuple[str, ...]
    source_word_of: tuple[int, ...]  # the index of each token's word, -1 for a special token
    target_word_of: tuple[int, ...]
    weights: dict[str, np.ndarray]  # by attention layer, float32 [H, Q, K]
    links: frozenset[Link] | None  # the gold links, or None if they are unknown
    info: dict[str, Any]  # metadata that JSON can represent: the model, the score, ...
    states: tuple[int, ...] = ()  # the source's states along each axis, if it is no text
    boxes: tuple[tuple[float, ...], ...] = ()  # of each source word, if it is no text
    scale: float = 1.0  # states for each pixel, or each second, of a source that is no text


# The sides of the queries and of the keys, by the kind of attention layer.
SIDES = {
    "cross": ("target", "source"),
    "encoder": ("source", "source"),
    "decoder": ("target", "target"),
}
_LAYER = re.compile(f"({'|'.join(SIDES)})/(0|[1-9][0-9]*)")


def sides(layer: str) -> tuple[str, str]:
    """Returns the sides of the queries and of the keys of an attention layer: ("target", "source") for "cross/0".

    Raises ValueError if `layer` does not name an attention layer.
    """
    match = _LAYER.fullmatch(layer)
    if not match:
        raise ValueError(
            f"{layer!r} does not name an attention layer; a name is cross, encoder or decoder with the number of "
            "the layer, as in 'cross/0'"
        )
    return SIDES[match[1]]


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
    states: Sequence[int] = (),
    boxes: Sequence[Sequence[float]] = (),
    scale: float = 1.0,
) -> Record:
    """Validates its arguments and returns a record; weights are stored in float32.

    source_words and source_word_of must be given together; without them, each token is a word of its own. The same
    applies to target_words and target_word_of.

    states, boxes, scale: of a source that is no text, see `Record`.

    Raises ValueError if shapes do not match, if weights are negative or not finite, if a link or a token refers to a
    word that does not exist, or if JSON cannot represent info.
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
        weights={layer: _checked(layer, array, lengths) for layer, array in weights.items()},
        links=None if links is None else frozenset((int(i), int(j)) for i, j in links),
        info=_plain(dict(info or {})),
        states=tuple(map(int, states)),
        boxes=tuple(tuple(map(float, box)) for box in boxes),
        scale=float(scale),
    )
    _check_boxes(record)
    for i, j in sorted(record.links or ()):
        if not (0 <= i < len(record.source_words) and 0 <= j < len(record.target_words)):
            raise ValueError(
                f"link {i}-{j} refers to a word that does not exist: the source has {len(record.source_words)} words "
                f"and the target {len(record.target_words)}, counted from 0"
            )
    return record


def _check_boxes(record):
    """Raises ValueError if the states or boxes of a source do not fit its tokens and words."""
    if record.states and math.prod(record.states) != len(record.source):
        raise ValueError(
            f"a source of {' x '.join(map(str, record.states))} states has {len(record.source)} tokens; each state is one"
        )
    if record.boxes and len(record.boxes) != len(record.source_words):
        raise ValueError(
            f"there are {len(record.boxes)} boxes for {len(record.source_words)} source words; each needs one"
        )
    for box in record.boxes:
        if len(box) != 2 * len(record.states):
            raise ValueError(
                f"the box {box} needs {2 * len(record.states)} edges, the first and the last along each axis"
            )


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
                "from 0, and -1 denotes a special token"
            )
    return _Side(tokens, words, word_of)


def _checked(layer, array, lengths):
    query_side, key_side = sides(layer)
    array = np.asarray(array, np.float32)
    expected = (lengths[query_side], lengths[key_side])
    if array.ndim != 3 or not array.shape[0] or array.shape[1:] != expected:
        raise ValueError(
            f"weights of {layer} have shape {array.shape}, expected "
            f"[heads, {expected[0]} {query_side} tokens, {expected[1]} {key_side} tokens]"
        )
    if not (np.isfinite(array) & (array >= 0)).all():
        raise ValueError(
            f"weights of {layer} must be finite and not negative; some of them are not"
        )
    return array


def _plain(info):
    """Returns info as it will be loaded from JSON, in which tuples are lists and keys are strings."""
    try:
        return json.loads(json.dumps(info, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise ValueError(f"info must be data that JSON can represent: {error}") from None


def save(records: Sequence[Record], path: Path) -> None:
    """Saves records as `path`.npz (the weights) and `path`.json (everything else), and creates missing folders.

    Each file is written atomically, and a digest connects the two, so that `load` rejects files of different saves.
    Raises ValueError if they cannot be written.
    """
    weights_path, text_path = _halves(path)
    layers = sorted({layer for record in records for layer in record.weights})
    flat: dict[str, Any] = {
        layer: np.concatenate([r.weights[layer].ravel() for r in records if layer in r.weights])
        for layer in layers
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
    """Returns the records that `save` wrote to the same path.

    Raises ValueError if a file is missing, is damaged, has another version or belongs to another save.
    """
    weights_path, text_path = _halves(path)
    text, weights = _read(text_path), _read(weights_path)
    try:
        content = json.loads(text)
        version = content["version"]
        intact = version not in READABLE or content.pop("sha256") == _digest(_to_json(content))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        intact = False
    if not intact:
        raise ValueError(f"{text_path} is damaged or contains no records; save the records again")
    if version not in READABLE:
        raise ValueError(
            f"{text_path} has version {version}, but this program reads version {VERSION}; save the records again"
        )
    if content["weights_sha256"] != _digest(weights):
        raise ValueError(
            f"{weights_path} is damaged or was not saved with {text_path.name}; save the records again"
        )
    with np.load(io.BytesIO(weights), allow_pickle=False) as file:
        flat = {layer: file[layer] for layer in file.files}
    return [_with_weights(fields, flat) for fields in content["records"]]


def _halves(path):
    """Returns the paths of both files; `path` may have either suffix or none."""
    path = pathlib.Path(path)
    stem = path.name.removesuffix(".npz").removesuffix(".json")
    if not stem:
        raise ValueError(f"{str(path)!r} is not a file name; records need one")
    return path.with_name(f"{stem}.npz"), path.with_name(f"{stem}.json")


def _without_weights(record):
    """Returns the fields of a record for JSON, with the number of heads in place of each array of weights."""
    fields = record._asdict()
    fields["weights"] = {layer: len(array) for layer, array in record.weights.items()}
    fields["links"] = None if record.links is None else sorted(record.links)
    return fields


def _with_weights(fields, flat):
    """Inverts `_without_weights`. The weights are removed from the front of each flat array."""
    weights = {}
    for layer, heads in fields["weights"].items():
        shape = (heads, *(len(fields[side]) for side in sides(layer)))
        size = int(np.prod(shape))
        weights[layer] = flat[layer][:size].reshape(shape)
        flat[layer] = flat[layer][size:]
    return make_record(**{**fields, "weights": weights})


def _to_json(content):
    try:
        return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"the records contain text that is not Unicode: {error.reason}") from None


def _digest(data):
    return hashlib.sha256(data).hexdigest()


def _read(path):
    try:
        return path.read_bytes()
    except OSError as error:
        raise ValueError(f"records cannot be read from {path}: {error.strerror}") from None
