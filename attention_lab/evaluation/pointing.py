"""Pointing: whether an answer attends most to the sentence of its source that supports it.

    pointer = best_pointer(valid_records, valid_examples)     # or None: the mean of the heads of the last layer
    counts = pointing_counts(test_records, test_examples, pointer)

Examples have "sentence_of", for each word of the source the index of its sentence (−1: none, such as the question),
and "supporting", the indices of the sentences that support the answer. The records are those of teacher forcing.
Only cross-attention is read. A decoder without an encoder attends to its prompt within its own layers, "decoder/0",
whose records do not yet say which of their words are the story: it has no pointing accuracy.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from attention_lab.evaluation.alignment import word_weights
from attention_lab.evaluation.records import Record, sides

Example = Mapping[str, Any]


class Pointer(NamedTuple):
    """The cross-attention layer and head by which sentences are pointed at; head None is the mean of all heads."""

    layer: str
    head: int | None = None

    def __str__(self):
        return f"{self.layer}, " + ("mean of heads" if self.head is None else f"head {self.head}")


def sentence_weights(
    record: Record, sentence_of: Sequence[int], pointer: Pointer | None = None
) -> np.ndarray:
    """Returns the weight on each sentence: float64 [sentences], summed over its words, the mean of the answer's words.

    Weights on END and on words outside all sentences are ignored. sentence_of: for each word of the source the index of
    its sentence, or −1. pointer: None means the mean of all heads of the last cross-attention layer.
    Raises ValueError if there is no cross-attention, or not one index for each source word.
    """
    if len(sentence_of) != len(record.source_words):
        raise ValueError(
            f"sentence_of has {len(sentence_of)} entries for {len(record.source_words)} source words; each needs one"
        )
    layers = cross_layers(record)
    if not layers:
        raise ValueError("the record has no cross-attention, so it points at no sentence")
    layer, head = pointer or Pointer(layers[-1])
    words = word_weights(record, layer, head)[:, :-1].mean(0)
    sentences = np.asarray(sentence_of, int)
    inside = sentences >= 0
    return np.bincount(sentences[inside], words[inside])


def pointed(record: Record, sentence_of: Sequence[int], pointer: Pointer | None = None) -> int:
    """Returns the index of the sentence with the greatest of the `sentence_weights`, or −1 if none has any weight.

    The first one wins a tie. The arguments and errors are those of `sentence_weights`.
    """
    weights = sentence_weights(record, sentence_of, pointer)
    return int(weights.argmax()) if weights.any() else -1


def pointing_counts(
    records: Sequence[Record], examples: Sequence[Example], pointer: Pointer | None = None
) -> np.ndarray:
    """Returns for each example whether it points at a supporting sentence, and 1: int [N, 2].

    Both are 0 for an example without "supporting" sentences. Raises ValueError as `pointed` does.
    """
    rows = np.zeros((len(examples), 2), int)
    for row, record, example in zip(rows, records, examples, strict=True):
        if example.get("supporting"):
            row[:] = pointed(record, example["sentence_of"], pointer) in example["supporting"], 1
    return rows


def best_pointer(records: Sequence[Record], examples: Sequence[Example]) -> Pointer:
    """Returns the cross-attention layer, and its head or the mean of its heads, that points best.

    Choose on validation examples. The first one wins a tie: lower layers come first, and means before heads.
    Raises ValueError if no example has supporting sentences, or if there is no cross-attention.
    """
    gold = [i for i, example in enumerate(examples) if example.get("supporting")]
    if not gold:
        raise ValueError(f"none of {len(examples)} examples has supporting sentences to point at")
    records, examples = [records[i] for i in gold], [examples[i] for i in gold]
    choices = pointers(records[0])
    return max(choices, key=lambda one: int(pointing_counts(records, examples, one)[:, 0].sum()))


def pointers(record: Record) -> list[Pointer]:
    """Returns each cross-attention layer with the mean of its heads and with each head, the lowest layer first.

    Raises ValueError if there is no cross-attention.
    """
    found = [
        Pointer(layer, head)
        for layer in cross_layers(record)
        for head in (None, *range(len(record.weights[layer])))
    ]
    if not found:
        raise ValueError("the records have no cross-attention, so there is nothing to choose from")
    return found


def cross_layers(record: Record) -> list[str]:
    """Returns the names of the cross-attention layers, the lowest first."""
    cross = (layer for layer in record.weights if sides(layer) == ("target", "source"))
    return sorted(cross, key=lambda layer: int(layer.split("/")[1]))
