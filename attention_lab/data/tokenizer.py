"""Text to pieces and back, each piece with the word that it belongs to.

    tokenizer = train("bpe", sentences, 8000)
    ids, pieces, word_of = tokenizer.encode("Zwei Männer lachen.")
    tokenizer.decode(ids)                                # "Zwei Männer lachen."

A kind is a way to cut a text; what follows from the cut (ids, words, text again) is common to all. Text is text:
decode(encode(text).ids) is the text, normalized, if all its characters (of "word": its words) are known or
bytes stand for those that are not, "</s>" and other names of marks like any other characters.
"""

import dataclasses
import functools
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np

from attention_lab.data.kinds import KINDS, MARKS, SPACE
from attention_lab.data.words import normalize, words_of
from attention_lab.marks import END, PAD, START, UNKNOWN

BYTES = tuple(f"<0x{byte:02X}>" for byte in range(256))
# How what is unknown decodes: one character that BLEU's tokenizers leave whole, U+FFFD.
UNKNOWN_TEXT = "\ufffd"

# SPACE itself, and that for which sentencepiece would leave a sentence out of its training, are written as separators,
# which no normalized text has.
_WRITTEN = str.maketrans("▁\0▅\ufffd", "\x1c\x1d\x1e\x85")
_READ = str.maketrans("\x1c\x1d\x1e\x85", "▁\0▅\ufffd")


class Encoded(NamedTuple):
    """One text in pieces, without marks: what a model reads, what a person reads, and whose it is."""

    ids: list[int]
    pieces: list[str]  # "▁" before a word is a space; the rest stands as in the text
    word_of: list[int]  # the index of the word to which the piece belongs


@dataclasses.dataclass(frozen=True)
class Tokenizer:
    """A vocabulary and a way to cut a text into it; made by `train`, or by `cached` and `load` of tokenizer_files.py.

    pieces[i] is the piece of id i, and len(tokenizer) their number: the marks, with byte_fallback the BYTES, then
    pieces of text. Equal, hashable and picklable.
    """

    kind: str
    pieces: tuple[str, ...]
    model: bytes = dataclasses.field(default=b"", repr=False)
    byte_fallback: bool = False

    def encode(self, text: str, words: Sequence[str] | None = None) -> Encoded:
        """The pieces of a text, each with its word.

        A piece belongs to the word in which most of its characters lie (the first of equals); one
        that lies in none, to the next word, and after the last word to the last.
        words: in order, each found in the text to the right of the one before; None: `words_of` it.
        Raises ValueError where a word is not found.
        """
        text = normalize(text)
        cut = self._cut(written(text))
        spans = _spans(cut, len(text), len(KINDS[self.kind].joiner))
        owners = _owners(text, words_of(text) if words is None else words)
        found = Encoded([], [], [])
        for piece, span in zip(cut, spans, strict=True):
            ids = self._ids(piece)
            found.ids.extend(ids)
            found.pieces.extend(read(piece if i == UNKNOWN else self.pieces[i]) for i in ids)
            found.word_of.extend([_owner(owners, *span)] * len(ids))
        return found

    def encode_ids(self, texts: Iterable[str]) -> list[np.ndarray]:
        """The ids of many texts: for each, int32 [pieces]."""
        cut = (self._cut(written(text)) for text in texts)
        return [np.array([i for piece in one for i in self._ids(piece)], np.int32) for one in cut]

    def decode(self, ids: Iterable[int]) -> str:
        """The text of ids up to the first END, normalized; pads and starts are nothing, unknowns U+FFFD.

        Raises ValueError for an id that is not in the vocabulary.
        """
        kept = []
        for i in map(int, ids):
            if not 0 <= i < len(self):
                raise ValueError(f"id {i} is not in a vocabulary of {len(self)} pieces")
            if i == END:
                break
            if i not in (PAD, START):
                kept.append(self._spelled[i])
        text = KINDS[self.kind].joiner.encode().join(kept).decode(errors="replace")
        return normalize(read(text.replace(SPACE, " ")))

    def __len__(self):
        return len(self.pieces)

    def __reduce__(self):
        return Tokenizer, (self.kind, self.pieces, self.model, self.byte_fallback)

    @functools.cached_property
    def _cut(self) -> Callable[[str], list[str]]:
        return KINDS[self.kind].cutter(self.model, frozenset(self._known), self.byte_fallback)

    @functools.cached_property
    def fixed(self) -> int:
        """How many pieces are no text of their own, the first ones."""
        return len(MARKS) + len(BYTES) * self.byte_fallback

    @functools.cached_property
    def _known(self) -> dict[str, int]:
        # A word "</s>" in a text is no mark, so marks are not looked up, nor names of bytes.
        return {self.pieces[i]: i for i in range(self.fixed, len(self.pieces))}

    @functools.cached_property
    def _spelled(self) -> list[bytes]:
        """What each piece decodes to, in UTF-8, `written`."""
        spelled = [piece.encode() for piece in self.pieces]
        spelled[UNKNOWN] = UNKNOWN_TEXT.encode()
        spelled[len(MARKS) : self.fixed] = (bytes([i]) for i in range(self.fixed - len(MARKS)))
        return spelled

    def _ids(self, piece):
        if piece in self._known:
            return (self._known[piece],)
        return [len(MARKS) + b for b in piece.encode()] if self.byte_fallback else (UNKNOWN,)


def train(kind: str, sentences: Iterable[str], size: int, byte_fallback: bool = False) -> Tokenizer:
    """A tokenizer of at most `size` pieces, the four marks included; the same input, the same one.

    kind: "bpe" (Sennrich et al. 2016) and "unigram" (Kudo 2018) keep every character and, from a
    small corpus, stay smaller than `size`; "char" and "word" keep the most frequent. byte_fallback: 256
    of the pieces are bytes, of which an unknown character's UTF-8 is made, so that no text is unknown.
    Raises ValueError for an unknown kind, bytes for words, no text, or a size in which the characters do not fit.
    """
    if kind not in KINDS:
        raise ValueError(f"there is no tokenizer {kind!r}; known are {', '.join(KINDS)}")
    if byte_fallback and KINDS[kind].joiner:
        raise ValueError(
            f"byte_fallback is for pieces of words, and a {kind} tokenizer has whole ones"
        )
    texts = [written(text) for text in normalized(sentences) if text]
    if not texts:
        raise ValueError(f"a {kind} tokenizer needs text to train on, and all sentences are empty")
    fixed = (*MARKS, *BYTES) if byte_fallback else MARKS
    if size <= len(fixed):
        what = "marks and bytes" if byte_fallback else "marks"
        raise ValueError(f"size {size} has room for {what} alone; give more than {len(fixed)}")
    pieces, model = KINDS[kind].train(texts, size, len(fixed))
    return Tokenizer(kind, (*fixed, *pieces), model, byte_fallback)


def normalized(sentences: Iterable[str]) -> list[str]:
    """Sentences as a tokenizer learns from them. Raises ValueError where they are one string."""
    if isinstance(sentences, str):
        raise ValueError("sentences are many strings, and one string was given; put it in a list")
    return [normalize(text) for text in sentences]


def written(text: str) -> str:
    """The text, normalized, with stand-ins for what pieces cannot hold: as long, and each its own."""
    return normalize(text).translate(_WRITTEN)


def read(text: str) -> str:
    """What `written` has written, its pieces too; SPACE stays."""
    return text.translate(_READ)


def _spans(cut, length, gap):
    """Where each piece lies in a text of `length` characters, from the pieces' own lengths."""
    # What a cut adds, it adds in front: sentencepiece's first "▁" lies at -1.
    start = length - sum(map(len, cut)) - gap * (len(cut) - 1)
    for piece in cut:
        yield max(start, 0), start + len(piece)
        start += len(piece) + gap


def _owners(text, words):
    """For each character of the text the index of its word, -1 where it has none."""
    owners, end = [-1] * len(text), 0
    for index, given in enumerate(words):
        word = normalize(given)
        start = text.find(word, end)
        if not word or start < 0:
            raise ValueError(f"word {index}, {given!r}, does not follow in the text {text!r:.200}")
        end = start + len(word)
        owners[start:end] = [index] * len(word)
    if text and not end:
        raise ValueError(f"words are empty and the text is not: {text!r:.200}; leave words out")
    return owners


def _owner(owners, start, end):
    inside = Counter(word for word in owners[start:end] if word >= 0)
    if inside:
        return inside.most_common(1)[0][0]
    return next((word for word in owners[end:] if word >= 0), max(owners))
