"""Conversion of a model's arrays: hypotheses to translations, and attention weights to records."""

import functools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from attention_lab.data import tokenizer as tokenizers
from attention_lab.data.rows import inputs_of
from attention_lab.data.tokenizer import Tokenizer
from attention_lab.data.vocabularies import Codec
from attention_lab.data.words import words_in, words_of
from attention_lab.evaluation.records import Record, make_record
from attention_lab.models.base import Limits
from attention_lab.special_tokens import END, PAD, START

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
    """An example as ids of both sides, with END.

    inputs: what the decoder reads at each position of the target. pieces: of both sides. words: the words of both
    sides, and the word of each piece, as `make_record` takes them. refused: the reason if the model cannot read the
    example, else None.
    """

    source: np.ndarray
    target: np.ndarray
    inputs: np.ndarray
    pieces: tuple[list[str], list[str]]
    words: dict[str, Any]
    refused: str | None


def with_end(tokenizer: Tokenizer, sentences: Iterable[str]) -> list[np.ndarray]:
    """Returns the ids of each sentence, with END: int32 [K]. Raises ValueError if `sentences` is a single string."""
    if isinstance(sentences, str):
        raise ValueError(
            f"sentences must be a list of strings, but one string was given, {sentences!r:.60}; put it in a list"
        )
    end = np.array([END], np.int32)
    return [np.concatenate([ids, end]) for ids in tokenizer.encode_ids(sentences)]


def readable(sources: Sequence[np.ndarray], limits: Limits) -> list[np.ndarray]:
    """Returns the sources that are not blank (END alone) and that the model can read."""
    return [ids for ids in sources if len(ids) > 1 and not limits.refusal(ids)]


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
    for ids in sources:
        if len(ids) == 1:
            results.append([blank])
            continue
        if reason := limits.refusal(ids):
            results.append([blank._replace(score=-np.inf, ended=False, refused=reason)])
            continue
        own = next(remaining)
        finite = np.flatnonzero(np.isfinite(own.scores))[:maximum]
        reason = "the model assigns no sentence a finite score; its parameters may not be finite"
        results.append(
            [_translation(tokenizer, own, n, len(ids)) for n in finite]
            or [blank._replace(score=-np.inf, ended=False, refused=reason)]
        )
    return results


def _translation(tokenizer, hypotheses, n, length):
    ids = hypotheses.tokens[n][hypotheses.tokens[n] != PAD]
    weights = {
        layer: _trim(steps[n].swapaxes(0, 1), len(ids), length, layer)
        for layer, steps in (hypotheses.weights or {}).items()
    }
    return Translation(
        tokenizer.decode(ids),
        ids,
        float(hypotheses.scores[n]),
        bool(hypotheses.ended[n]),
        weights,
    )


def record_of(codec: Codec, sentence: str, translation: Translation, **info: Any) -> Record:
    """Returns the record of the attention weights of a translation, with the words of both sentences."""
    source = codec.source.encode(sentence)
    return make_record(
        [*source.pieces, END_PIECE],
        [tokenizers.read(codec.target.pieces[i]) for i in translation.ids],
        translation.weights,
        source_words=words_of(sentence),
        target_words=words_of(translation.text),
        source_word_of=[*source.word_of, -1],
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
    given = {side: words_in(example, side) for side in codec._fields}
    sides = [
        tokenizer.encode(example[side], given[side]) for side, tokenizer in codec._asdict().items()
    ]
    source, target = (np.array([*one.ids, END], np.int32) for one in sides)
    pieces = [*sides[0].pieces, END_PIECE], [*sides[1].pieces, END_PIECE]
    words = {
        "source_words": given["source"],
        "target_words": given["target"],
        "source_word_of": [*sides[0].word_of, -1],
        "target_word_of": [*sides[1].word_of, -1],
    }
    refused = limits.refusal(source, target)
    return Encoded(source, target, inputs_of(target), pieces, words, refused)


def _encoded(piece, limits, example):
    source, target = example.get("source_ids", np.empty(0, np.int32)), example["ids"]
    read, written = ([piece(i) for i in ids.tolist()] for ids in (source, target))
    refused = limits.refusal(source, target)
    return Encoded(source, target, example["inputs"], (read, written), {}, refused)


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
        queries, keys = len(one.target), len(one.source)
        longest = max(queries, keys)
        padded: Mapping[str, np.ndarray]
        if one.refused:
            shapes = {layer: (number, longest, longest) for layer, number in heads.items()}
            padded = {layer: np.broadcast_to(0.0, shape) for layer, shape in shapes.items()}
        else:
            padded = next(remaining)
        return {layer: _trim(matrix, queries, keys, layer) for layer, matrix in padded.items()}

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
        -1 if i in (PAD, START, END) else max(min(before, after - 1), 0)
        for i, before, after in zip(ids, counts[:-1], counts[1:], strict=True)
    ]


def _trim(matrix, queries, keys, layer):
    """Removes the padding of weights [H, Q, K] of a layer."""
    stack = layer.split("/")[0]
    rows = keys if stack == "encoder" else queries
    columns = queries if stack == "decoder" else keys
    return matrix[:, :rows, :columns]
