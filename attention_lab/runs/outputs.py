"""What a model's arrays mean: translations made of hypotheses, records made of weights."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from attention_lab.data import tokenizer as tokenizers
from attention_lab.data.tokenizer import Tokenizer
from attention_lab.data.vocabularies import Codec
from attention_lab.data.words import words_in, words_of
from attention_lab.evaluation.records import Record, make_record
from attention_lab.models.base import Limits
from attention_lab.special_tokens import END, PAD, START

END_PIECE = tokenizers.SPECIAL_TOKENS[END]


class Translation(NamedTuple):
    """One translation: its text, ids with END, score, whether it ended by itself, weights [H, Q, K].

    refused: why there is none, where there is none; the text is then empty.
    """

    text: str
    ids: np.ndarray
    score: float
    ended: bool
    weights: dict[str, np.ndarray]
    refused: str | None = None


class Encoded(NamedTuple):
    """An example as ids of both sides, END included, and why the model cannot read it; None where it can."""

    source: np.ndarray
    target: np.ndarray
    sides: tuple[Any, Any]  # with the pieces and the word of each
    refused: str | None


def with_end(tokenizer: Tokenizer, sentences: Iterable[str]) -> list[np.ndarray]:
    """The ids of each sentence, END included: int32 [K]. Raises ValueError where they are one string."""
    if isinstance(sentences, str):
        raise ValueError(
            f"sentences are many strings, and one was given, {sentences!r:.60}; put it in a list"
        )
    end = np.array([END], np.int32)
    return [np.concatenate([ids, end]) for ids in tokenizer.encode_ids(sentences)]


def readable(sources: Sequence[np.ndarray], limits: Limits) -> list[np.ndarray]:
    """Those that have more than END, and that the model can read."""
    return [ids for ids in sources if len(ids) > 1 and not limits.refusal(ids)]


def translations(
    tokenizer: Tokenizer,
    limits: Limits,
    sources: Sequence[np.ndarray],
    result: Sequence[Any],
    most: int | None,
) -> list[list[Translation]]:
    """At least one and at most so many translations of each source; result: the hypotheses of the `readable`."""
    blank = Translation("", np.array([END], np.int32), 0.0, True, {})
    left = iter(result)
    results = []
    for ids in sources:
        if len(ids) == 1:
            results.append([blank])
            continue
        if why := limits.refusal(ids):
            results.append([blank._replace(score=-np.inf, ended=False, refused=why)])
            continue
        hypotheses = next(left)
        finite = np.flatnonzero(np.isfinite(hypotheses.scores))[:most]
        nothing = "the model finds no sentence likely; its parameters may not be finite"
        results.append(
            [_translation(tokenizer, hypotheses, n, len(ids)) for n in finite]
            or [blank._replace(score=-np.inf, ended=False, refused=nothing)]
        )
    return results


def _translation(tokenizer, hypotheses, n, length):
    ids = hypotheses.tokens[n][hypotheses.tokens[n] != PAD]
    weights = {
        place: _trim(steps[n].swapaxes(0, 1), len(ids), length, place)
        for place, steps in (hypotheses.weights or {}).items()
    }
    return Translation(
        tokenizer.decode(ids),
        ids,
        float(hypotheses.scores[n]),
        bool(hypotheses.ended[n]),
        weights,
    )


def record_of(codec: Codec, sentence: str, translation: Translation, **info: Any) -> Record:
    """Where the model attended while it produced a translation."""
    source = codec.source.encode(sentence)
    return make_record(
        [*source.pieces, END_PIECE],
        [tokenizers.read(codec.target.pieces[i]) for i in translation.ids],
        translation.weights,
        source_words=words_of(sentence),
        target_words=words_of(translation.text),
        source_word_of=[*source.word_of, -1],
        target_word_of=_words_of(codec.target, translation.ids),
        info={"translation": translation.text, **info},
    )


def encode(codec: Codec, limits: Limits, examples: Sequence[Mapping[str, Any]]) -> list[Encoded]:
    """Each example's source and target."""
    results = []
    for example in examples:
        source, target = (
            tokenizer.encode(example[side], words_in(example, side))
            for side, tokenizer in codec._asdict().items()
        )
        ids, target_ids = (np.array([*side.ids, END], np.int32) for side in (source, target))
        refused = limits.refusal(ids, target_ids)
        results.append(Encoded(ids, target_ids, (source, target), refused))
    return results


def records_of(
    examples: Sequence[Mapping[str, Any]],
    encoded: Sequence[Encoded],
    result: Sequence[Mapping[str, np.ndarray]],
    heads: Mapping[str, int],
    **info: Any,
) -> list[Record]:
    """Where the model attends under teacher forcing, with the words and links of each example.

    result: the weights of those that the model can read. All weights are 0 in the others, and info["refused"] says why.
    heads: how many heads there are at each layer.
    """
    left = iter(result)

    def weights(one):
        queries, keys = len(one.target), len(one.source)
        longest = max(queries, keys)
        all_: Mapping[str, np.ndarray]
        if one.refused:
            all_ = {p: np.broadcast_to(0.0, (n, longest, longest)) for p, n in heads.items()}
        else:
            all_ = next(left)
        return {place: _trim(each, queries, keys, place) for place, each in all_.items()}

    return [
        make_record(
            [*one.sides[0].pieces, END_PIECE],
            [*one.sides[1].pieces, END_PIECE],
            weights(one),
            source_words=words_in(example, "source"),
            target_words=words_in(example, "target"),
            source_word_of=[*one.sides[0].word_of, -1],
            target_word_of=[*one.sides[1].word_of, -1],
            links=example.get("links"),
            info=info | ({"refused": one.refused} if one.refused else {}),
        )
        for example, one in zip(examples, encoded, strict=True)
    ]


def _words_of(tokenizer, ids):
    """The word of each id of a sentence that ends in END, −1 for special tokens: what is there once it is written."""
    counts = [len(words_of(tokenizer.decode(ids[:t]))) for t in range(len(ids) + 1)]
    # Of several words in one piece, the first: so has the source.
    return [
        -1 if i in (PAD, START, END) else max(min(before, after - 1), 0)
        for i, before, after in zip(ids, counts[:-1], counts[1:], strict=True)
    ]


def _trim(matrix, queries, keys, place):
    """The part of [H, Q, K] that is not padding."""
    stack = place.split("/")[0]
    rows = keys if stack == "encoder" else queries
    columns = queries if stack == "decoder" else keys
    return matrix[:, :rows, :columns]
