"""The sentences of a source, of which examples have the index of each word."""

from collections.abc import Mapping
from typing import Any

from attention_lab.data.words import normalize, words_in


def sentences_of(example: Mapping[str, Any]) -> list[str]:
    """Returns the texts of the sentences of an example's source, by their indices in "sentence_of".

    A sentence reaches from its first word to its last one; one without words is "". Words of no sentence (−1), such as
    those of a question, are left out. Raises ValueError if there is no sentence for each word, or a word is not found
    in the source.
    """
    text, words = normalize(example["source"]), words_in(example, "source")
    sentence_of = example["sentence_of"]
    if len(sentence_of) != len(words):
        raise ValueError(f"sentence_of has {len(sentence_of)} entries for {len(words)} words")
    spans: dict[int, tuple[int, int]] = {}
    end = 0
    for word, index in zip(words, sentence_of, strict=True):
        start = text.find(word, end)
        if start < 0:
            raise ValueError(f"word {word!r} does not follow the previous words in {text!r:.200}")
        end = start + len(word)
        spans[index] = spans.get(index, (start,))[0], end
    count = max(spans, default=-1) + 1
    return [text[slice(*spans.get(index, (0, 0)))] for index in range(count)]
