"""Where a model looked while it wrote a text: the attention of each generated token to what the model has read.

(text,) = generate(run, ["ROMEO:"], max_length=40)[0]
inspected = inspect(run, "ROMEO:", text.ids)
show(*matrix(run.codec, inspected))                      # tokens: what was read across, what was written down
show(*by_words(run.codec, inspected))                    # the same in words
"""

from collections.abc import Collection, Sequence
from typing import NamedTuple

import numpy as np

from attention_lab.data import tokenizer as tokenizers
from attention_lab.data.vocabularies import Codec
from attention_lab.data.words import words_of
from attention_lab.evaluation.records import sides
from attention_lab.models.base import look_up
from attention_lab.runs.generation import Prompt, request_of
from attention_lab.runs.outputs import word_of_ids
from attention_lab.runs.run import Run

# A matrix of weights [Q, K] with its K tokens or words across and its Q tokens or words down, as views take it.
Labeled = tuple[np.ndarray, list[str], list[str]]


class Inspection(NamedTuple):
    """The attention of one generated text.

    source: int32 [S], the ids that an encoder has read, none without one. prompt: int32 [P], the ids before the text,
    START included. written: int32 [Q], the generated ids. weights: of each layer of cross-attention [H, Q, S], and of
    each layer of the decoder [H, Q, P + Q − 1], since the last token is not read.
    """

    source: np.ndarray
    prompt: np.ndarray
    written: np.ndarray
    weights: dict[str, np.ndarray]

    @property
    def layer(self) -> str:
        """The last layer of cross-attention, and without a source the decoder's last; "" if there is none."""
        return max(self.weights, key=_place, default="")


def inspect(
    run: Run,
    prompt: Prompt,
    written: Sequence[int] | np.ndarray,
    *,
    beginning: Prompt | None = None,
    start: bool = True,
) -> Inspection:
    """Returns the attention weights with which the model predicted a text that it has generated.

    prompt, beginning, start: those of `generate`. written: the ids of the text, `Generation.ids`. They are computed by
    teacher forcing, in one forward pass. Of a text that is longer than the model's table of positions, only the tokens
    are inspected that were generated before the table was full. Raises ValueError if the model cannot read the prompt.
    """
    request = request_of(run, prompt, beginning=beginning, start=start)
    if request.refused:
        raise ValueError(request.refused)
    text = np.concatenate([request.prompt, np.asarray(written, int)]).astype(np.int32)
    most = run.model.limits(run.params).target
    text = text if most is None else text[: most + 1]
    before = len(request.prompt)
    example = {"source_ids": request.source, "ids": text[1:], "inputs": text[:-1]}
    weights: dict[str, np.ndarray] = {}
    if len(text) > before:
        (record,) = run.teacher_forced([example]).records
        # Row q predicts text[q + 1]; rows of the prompt belong to tokens that were given.
        weights = {
            layer: array[:, before - 1 :]
            for layer, array in record.weights.items()
            if sides(layer)[0] == "target"
        }
    return Inspection(request.source, request.prompt, text[before:], weights)


def matrix(
    codec: Codec, inspected: Inspection, layer: str | None = None, head: int | None = None
) -> Labeled:
    """Returns the weights of one layer with the tokens that were read, and those that were written.

    layer: by default `Inspection.layer`. head: None for the mean of all. Raises ValueError if there are none of them.
    """
    weights, layer = _chosen(inspected, layer, head)
    if sides(layer)[1] == "source":
        read = _pieces(codec.source, inspected.source)
    else:
        read = _pieces(codec.target, [*inspected.prompt, *inspected.written[:-1]])
    return weights, read, _pieces(codec.target, inspected.written)


def by_words(
    codec: Codec,
    inspected: Inspection,
    layer: str | None = None,
    head: int | None = None,
    without: Collection[str] = (),
) -> Labeled:
    """Returns the weights of the written words over the words of the source, or of the prompt if it is read instead.

    A word has the sum of the weights of its tokens as a column, and their mean as a row. The last column is the rest: the
    weight on special tokens, on the text itself, and on words in `without`, such as marks of speakers. The other
    arguments and errors are those of `matrix`.
    """
    weights, layer = _chosen(inspected, layer, head)
    words = _words(codec, inspected, sides(layer)[1], without)
    return words.grouped(weights), words.read, words.written


def sharpest(codec: Codec, inspected: Inspection, without: Collection[str] = ()) -> tuple[str, int]:
    """Returns the layer and head that look most at single words: the mean of the greatest weight of each written word.

    Only layers of the same kind as `Inspection.layer` are compared, as `by_words` has them. Raises ValueError if there
    are none.
    """
    _, layer = _chosen(inspected, None, None)
    words = _words(codec, inspected, sides(layer)[1], without)
    greatest = {
        (name, head): words.grouped(weights)[:, :-1].max(1, initial=0).mean()
        for name in sorted(inspected.weights, key=_place)
        if sides(name) == sides(layer)
        for head, weights in enumerate(inspected.weights[name])
    }
    return max(greatest, key=lambda place: greatest[place])


class _Words(NamedTuple):
    """Words that were read [I] and written [J]; across: bool[K, I], whose tokens they are; down: [J, Q], means of tokens."""

    read: list[str]
    written: list[str]
    across: np.ndarray
    down: np.ndarray

    def grouped(self, weights):
        """Returns weights [Q, K] by words, [J, I + 1], with the rest in the last column."""
        rows = self.down @ weights
        by_word = rows[:, : len(self.across)] @ self.across
        return np.column_stack([by_word, np.maximum(rows.sum(1) - by_word.sum(1), 0)])


def _words(codec, inspected, side, without):
    tokenizer, ids = codec.target, inspected.prompt
    if side == "source":
        tokenizer, ids = codec.source, inspected.source
    read, written = (
        words_of(tokenizer.decode(ids)),
        words_of(codec.target.decode(inspected.written)),
    )
    kept = [n for n, word in enumerate(read) if word not in without]
    across = np.equal.outer(word_of_ids(tokenizer, ids), kept)
    down = np.equal.outer(range(len(written)), word_of_ids(codec.target, inspected.written))
    down = down / np.maximum(down.sum(1, keepdims=True), 1)
    return _Words([read[n] for n in kept], written, across, down)


def _chosen(inspected, layer, head):
    """Returns the weights [Q, K] of a layer and head, and the name of the layer."""
    if not inspected.weights:
        why = "the model has none" if len(inspected.written) else "no token was written"
        raise ValueError(f"there is no attention to show: {why}")
    layer = layer or inspected.layer
    weights = look_up("attention of a written text", inspected.weights, layer)
    if head is None:
        return weights.mean(0), layer
    if not 0 <= head < len(weights):
        raise ValueError(f"{layer} has {len(weights)} heads, counted from 0, and no head {head}")
    return weights[head], layer


def _place(layer):
    stack, number = layer.split("/")
    return stack == "cross", int(number)


def _pieces(tokenizer, ids):
    return [tokenizers.read(tokenizer.pieces[i]) for i in ids]
