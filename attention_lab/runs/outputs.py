"""Conversion of a model's arrays: hypotheses to translations, and attention weights to records."""

import functools
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from attention_lab.data import tokenizer as tokenizers
from attention_lab.data.rows import inputs_of
from attention_lab.data.tokenizer import Tokenizer
from attention_lab.data.vocabularies import Codec
from attention_lab.data.words import words_in, words_of
from attention_lab.evaluation.records import Record, make_record
from attention_lab.models.base import Limits
from attention_lab.special_tokens import END, PAD

END_PIECE = tokenizers.SPECIAL_TOKENS[END]


class Translation(NamedTuple):
    """One translation.

    ids: int32 [Q], with END. score: of the search. ended: whether the model produced END within the limit of length.
    weights: attention weights [H, Q, K] by layer. refused: the reason if there is no translation, and the text is
    empty; else None.
    """

    text: str
    ids: np.ndarray
    score: float
    ended: bool
    weights: dict[str, np.ndarray]
    refused: str | None = None


class Encoded(NamedTuple):
    """An example as arrays: ids of both sides, with END, or a source that is no text.

    inputs: what the decoder reads at each position of the target. states: the numbers of the source's states along each
    of its axes. pieces: the names of the source's states, and the pieces of the target. words: the words of both sides,
    and the word of each piece, as `make_record` takes them. refused: the reason if the model cannot read the example,
    else None.
    """

    source: np.ndarray
    target: np.ndarray
    inputs: np.ndarray
    states: tuple[int, ...]
    pieces: tuple[list[str], list[str]]
    words: dict[str, Any]
    refused: str | None


def every_layer(layer: str) -> bool:
    """Returns True: records have the weights of all layers."""
    del layer
    return True


def is_cross(layer: str) -> bool:
    """Returns whether a layer attends to the source."""
    return layer.startswith("cross/")


def is_blank(source: np.ndarray) -> bool:
    """Returns whether a source has nothing to read: END alone, or no position at all."""
    return not source.size or (source.ndim == 1 and len(source) == 1)


def readable(sources: Sequence[np.ndarray], limits: Limits) -> list[np.ndarray]:
    """Returns the sources that are not blank and that the model can read."""
    return [one for one in sources if not is_blank(one) and not limits.refusal(one)]


def translations(
    tokenizer: Tokenizer,
    limits: Limits,
    sources: Sequence[np.ndarray],
    hypotheses: Sequence[Any],
    maximum: int | None,
) -> list[list[Translation]]:
    """Returns between 1 and `maximum` translations of each source, best first.

    hypotheses: of each source in `readable`. maximum: None for no limit.
    """
    blank = Translation("", np.array([END], np.int32), 0.0, True, {})
    remaining = iter(hypotheses)
    results = []
    for source in sources:
        if is_blank(source):
            results.append([blank])
            continue
        if reason := limits.refusal(source):
            results.append([blank._replace(score=-np.inf, ended=False, refused=reason)])
            continue
        own = next(remaining)
        finite = np.flatnonzero(np.isfinite(own.scores))[:maximum]
        reason = "the model assigns no sentence a finite score; its parameters may not be finite"
        results.append(
            [_translation(tokenizer, own, n, limits.states(source)) for n in finite]
            or [blank._replace(score=-np.inf, ended=False, refused=reason)]
        )
    return results


def _translation(tokenizer, hypotheses, n, states):
    ids = hypotheses.tokens[n][hypotheses.tokens[n] != PAD]
    weights = {
        layer: _trim(steps[n].swapaxes(0, 1), len(ids), states, layer)
        for layer, steps in (hypotheses.weights or {}).items()
    }
    return Translation(
        tokenizer.decode(ids),
        ids,
        float(hypotheses.scores[n]),
        bool(hypotheses.ended[n]),
        weights,
    )


def record_of(
    codec: Codec, limits: Limits, source: Any, translation: Translation, **info: Any
) -> Record:
    """Returns the record of the attention weights of a translation, with the words of both sides."""
    read = _text if codec.source.reads == "tokens" else _perceived
    _, _, labels, words = read(codec.source, limits, {"source": source})
    return make_record(
        labels,
        [tokenizers.read(codec.target.pieces[i]) for i in translation.ids],
        translation.weights,
        **words,
        target_words=words_of(translation.text),
        target_word_of=word_of_ids(codec.target, translation.ids),
        info={"translation": translation.text, **info},
    )


def encode(codec: Codec, limits: Limits, examples: Sequence[Mapping[str, Any]]) -> list[Encoded]:
    """Encodes the source and the target of each example.

    One with "ids" and "inputs", and with "source_ids" if there is a source, is encoded already.
    """
    piece = functools.cache(lambda i: tokenizers.read(codec.target.pieces[i]))
    return [
        _encoded(piece, limits, example) if "ids" in example else _pair(codec, limits, example)
        for example in examples
    ]


def _pair(codec, limits, example):
    read = _text if codec.source.reads == "tokens" else _perceived
    source, states, labels, words = read(codec.source, limits, example)
    target = codec.target.encode(example["target"], target_words := words_in(example, "target"))
    ids = np.array([*target.ids, END], np.int32)
    words |= {"target_words": target_words, "target_word_of": [*target.word_of, -1]}
    pieces = labels, [*target.pieces, END_PIECE]
    return Encoded(source, ids, inputs_of(ids), states, pieces, words, limits.refusal(source, ids))


def _text(tokenizer, limits, example):
    """Returns the ids [K] of a source, its states, its pieces, and its words as `make_record` takes them."""
    del limits
    words = words_in(example, "source")
    one = tokenizer.encode(example["source"], words)
    ids = np.array([*one.ids, END], np.int32)
    named = {"source_words": words, "source_word_of": [*one.word_of, -1]}
    return ids, (len(ids),), [*one.pieces, END_PIECE], named


def _perceived(reader, limits, example):
    """Returns the same for a source that is no text; its words are its regions, if they are known."""
    (array,) = reader.arrays([example["source"]])
    states = limits.states(array)
    regions = example.get("regions", ())
    scale = reader.scale(example["source"]) / limits.stride
    boxes = [tuple(scale * edge for edge in region["box"]) for region in regions]
    named = {
        "source_words": [region["label"] for region in regions],
        "source_word_of": owners(states, boxes),
        "states": states,
        "boxes": boxes,
        "scale": scale,
    }
    return array, states, reader.labels(states, limits.stride), named


def owners(states: Sequence[int], boxes: Sequence[Sequence[float]]) -> list[int]:
    """Returns for each state the box that contains its middle, −1 if none or several do; boxes are in units of states."""
    middles = np.stack(np.meshgrid(*(np.arange(n) + 0.5 for n in states), indexing="ij"), -1)
    found = np.full(middles.shape[:-1], -1)
    count = np.zeros(middles.shape[:-1], int)
    for number, box in enumerate(boxes):
        low, high = np.split(np.asarray(box, float), 2)
        inside = ((middles >= low) & (middles < high)).all(-1)
        found[inside] = number
        count += inside
    return np.where(count == 1, found, -1).ravel().tolist()


def _encoded(piece, limits, example):
    source, target = example.get("source_ids", np.empty(0, np.int32)), example["ids"]
    pieces = [piece(i) for i in source.tolist()], [piece(i) for i in target.tolist()]
    refused = limits.refusal(source, target)
    return Encoded(source, target, example["inputs"], (len(source),), pieces, {}, refused)


def records_of(
    examples: Sequence[Mapping[str, Any]],
    encoded: Sequence[Encoded],
    weights: Sequence[Mapping[str, np.ndarray]],
    heads: Mapping[str, int],
    **info: Any,
) -> list[Record]:
    """Returns records of the attention weights under teacher forcing, with the words and links of each example.

    weights: by layer, [H, Q, K], of each example that the model can read. The other examples have weights of 0, and
    info["refused"] is the reason. heads: the number of heads of each layer.
    """
    remaining = iter(weights)

    def weights_of(one):
        queries, keys = len(one.target), math.prod(one.states)
        longest = max(queries, keys)
        padded: Mapping[str, np.ndarray]
        if one.refused:
            shapes = {layer: (number, longest, longest) for layer, number in heads.items()}
            padded = {layer: np.broadcast_to(0.0, shape) for layer, shape in shapes.items()}
        else:
            padded = next(remaining)
        states = (keys,) if one.refused else one.states
        return {layer: _trim(matrix, queries, states, layer) for layer, matrix in padded.items()}

    return [
        make_record(
            *one.pieces,
            weights_of(one),
            **one.words,
            links=example.get("links"),
            info=info | ({"refused": one.refused} if one.refused else {}),
        )
        for example, one in zip(examples, encoded, strict=True)
    ]


def word_of_ids(tokenizer: Tokenizer, ids: Sequence[int] | np.ndarray) -> list[int]:
    """Returns the index of the word to which each id belongs, from the decoded prefixes; −1 for special tokens."""
    counts = [len(words_of(tokenizer.decode(ids[:t]))) for t in range(len(ids) + 1)]
    # A piece that contains several words belongs to the first, as on the source side.
    return [
        -1 if i in tokenizer.textless or not counts[-1] else max(min(before, after - 1), 0)
        for i, before, after in zip(ids, counts[:-1], counts[1:], strict=True)
    ]


def _trim(matrix, queries, states, layer):
    """Removes the padding of weights [H, Q, K] of a layer; the keys of an image are the cells of a padded square."""
    stack = layer.split("/")[0]
    if stack == "decoder":
        return matrix[:, :queries, :queries]
    matrix = _trim_states(matrix, -1, states)
    return _trim_states(matrix, -2, states) if stack == "encoder" else matrix[:, :queries]


def _trim_states(matrix, axis, states):
    if len(states) == 1:
        return np.take(matrix, range(states[0]), axis)
    side = math.isqrt(matrix.shape[axis])
    cells = np.arange(side * side).reshape(side, side)[tuple(map(slice, states))]
    return np.take(matrix, cells.ravel(), axis)
