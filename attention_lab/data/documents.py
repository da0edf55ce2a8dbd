"""Documents: a text as ids, with its words and sentences, from which objectives make pairs.

document = make_document(tokenizer, "A dog ran. It was late.")
document.sentence_of                                 # for each id the index of its sentence
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from attention_lab.data.tokenizer import Tokenizer
from attention_lab.data.words import words_of

# The end of the last word of a sentence: a final mark, perhaps with closing quotes or brackets after it.
_FINAL = re.compile(r"[.!?…。！？]['\"’”»)\]]*$")


class Document(NamedTuple):
    """The ids of a text without END, and the word and the sentence to which each id belongs.

    Words are the runs of equal numbers in `word_of`, and sentences those in `sentence_of`; a sentence's end is also
    the end of a word. None: each id is a word of its own; the document is one sentence.
    """

    ids: np.ndarray  # int32 [n]
    word_of: np.ndarray | None = None  # int [n]
    sentence_of: np.ndarray | None = None  # int [n]

    def take(self, index: np.ndarray) -> "Document":
        """Returns the document of the tokens at these positions, in this order."""
        word_of = None if self.word_of is None else self.word_of[index]
        sentence_of = None if self.sentence_of is None else self.sentence_of[index]
        return Document(self.ids[index], word_of, sentence_of)

    def word_starts(self) -> np.ndarray:
        """Returns the positions at which words start, int [W]."""
        if self.word_of is None:
            return np.arange(self.ids.size)
        return self._starts(self.word_of, self.sentence_of)

    def sentence_starts(self) -> np.ndarray:
        """Returns the positions at which sentences start, int [number of sentences]."""
        return self._starts(self.sentence_of)

    def _starts(self, *numbers):
        starts = np.zeros(self.ids.size, bool)
        starts[:1] = True
        for field in numbers:
            if field is None:
                continue
            if len(field) != self.ids.size:
                raise ValueError(
                    f"a document of {self.ids.size} ids has the words or sentences of {len(field)}; each id needs one"
                )
            starts[1:] |= field[1:] != field[:-1]
        return np.flatnonzero(starts)


def make_document(
    tokenizer: Tokenizer,
    text: str,
    words: Sequence[str] | None = None,
    sentence_of: Sequence[int] | None = None,
) -> Document:
    """Encodes a text as a document.

    words: as in `Tokenizer.encode`. sentence_of: for each word the index of its sentence; None: `sentence_indices` the
    words. Raises ValueError as `Tokenizer.encode` does, or if words and sentences differ in number.
    """
    words = words_of(text) if words is None else words
    sentence_of = sentence_indices(words) if sentence_of is None else sentence_of
    if len(sentence_of) != len(words):
        raise ValueError(
            f"{len(words)} words have {len(sentence_of)} indices of sentences; each word needs one"
        )
    encoded = tokenizer.encode(text, words)
    word_of = np.array(encoded.word_of, np.int32)
    return Document(
        np.array(encoded.ids, np.int32), word_of, np.array(sentence_of, np.int32)[word_of]
    )


def sentence_indices(words: Sequence[str]) -> list[int]:
    """Returns for each word the index of its sentence.

    A sentence ends with a word that ends in a full stop, a question or exclamation mark, an ellipsis or their
    fullwidth forms, perhaps with closing quotes or brackets after it. Abbreviations such as "Mr." end one, too.
    """
    indices, sentence = [], 0
    for word in words:
        indices.append(sentence)
        sentence += bool(_FINAL.search(word))
    return indices


def joined(words: Sequence[str], sentence_of: Sequence[int]) -> list[str]:
    """Returns the texts of the sentences of words, without a space before punctuation; −1 is the index of no sentence."""
    texts = [""] * (max(sentence_of, default=-1) + 1)
    for word, index in zip(words, sentence_of, strict=True):
        if index >= 0:
            space = " " if texts[index] and not _FINAL.fullmatch(word) and word != "," else ""
            texts[index] += space + word
    return texts
