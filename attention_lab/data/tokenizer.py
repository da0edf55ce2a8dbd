"""Tokenizers: they split text into pieces, each with the index of its word, and join pieces to text.

    tokenizer = train("bpe", sentences, 8000)
    ids, pieces, word_of = tokenizer.encode("Zwei Männer lachen.")
    tokenizer.decode(ids)                                # "Zwei Männer lachen."

The kinds differ in how they split a text; ids, words and decoding are common to all. decode(encode(text).ids) is
the normalized text if all its characters (for "word": its words) are in the vocabulary or are spelled by bytes. With
keep_whitespace, it is the text with its spaces and line breaks.
Names of special tokens such as "</s>" in a text are characters like any others.
"""

import dataclasses
import functools
import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from attention_lab.data.kinds import KINDS, SPACE, SPECIAL_TOKENS
from attention_lab.data.words import normalize, with_whitespace, words_of
from attention_lab.special_tokens import END, PAD, START, UNKNOWN

BYTES = tuple(f"<0x{byte:02X}>" for byte in range(256))
# The text of an unknown token: U+FFFD, one character, which BLEU's tokenizers do not split.
UNKNOWN_TEXT = "\ufffd"

# SPACE itself, and characters on account of which sentencepiece would skip a sentence in training, are replaced by
# separators, which do not occur in normalized text. So are line breaks, which occur in texts that keep their whitespace.
_WRITTEN = str.maketrans("▁\0▅\ufffd\n", "\x1c\x1d\x1e\x85\x0b")
_READ = str.maketrans("\x1c\x1d\x1e\x85\x0b", "▁\0▅\ufffd\n")


class Encoded(NamedTuple):
    """The pieces of one text, without special tokens: their ids, their texts and the words to which they belong."""

    ids: list[int]
    pieces: list[str]  # "▁" before a word is a space; the rest is as in the text
    word_of: list[int]  # the index of the word to which the piece belongs


@dataclasses.dataclass(frozen=True)
class Tokenizer:
    """A vocabulary and a function that splits text into it; made by `train`, or by `cached` and `load` of tokenizer_files.py.

    pieces[i] is the piece of id i, and len(tokenizer) their number: the special tokens, with byte_fallback the BYTES,
    then pieces of text, and at the end `extra` reserved tokens, which no text contains (`reserved`). keep_whitespace:
    whether texts keep their line breaks and repeated spaces. Tokenizers are comparable, hashable and picklable.
    """

    kind: str
    pieces: tuple[str, ...]
    model: bytes = dataclasses.field(default=b"", repr=False)
    byte_fallback: bool = False
    keep_whitespace: bool = False
    extra: int = 0

    def encode(self, text: str, words: Sequence[str] | None = None) -> Encoded:
        """Returns the pieces of a text, each with the index of its word.

        A piece belongs to the word that contains most of its characters (on a tie, to the first); one outside all
        words belongs to the next word, and after the last word to the last.
        words: in order, each found in the text to the right of the one before; None: `words_of` the text.
        Raises ValueError if a word is not found.
        """
        text = self._normalize(text)
        cut = self._cut(written(text))
        spans = _spans(cut, len(text), len(KINDS[self.kind].joiner))
        owners = owners_of(text, words_of(text) if words is None else words)
        encoded = Encoded([], [], [])
        for piece, span in zip(cut, spans, strict=True):
            ids = self._ids(piece)
            encoded.ids.extend(ids)
            encoded.pieces.extend(read(piece if i == UNKNOWN else self.pieces[i]) for i in ids)
            encoded.word_of.extend([owner_of(owners, *span)] * len(ids))
        return encoded

    # What a model that reads its ids reads, as each reader of sources says (data/readers.py).
    reads = "tokens"
    textless = frozenset({PAD, START, END})  # ids that belong to no word

    def arrays(self, texts: Iterable[str]) -> list[np.ndarray]:
        """Returns the ids of each text, with END: int32 [K]. Raises ValueError if `texts` is a single string."""
        if isinstance(texts, str):
            raise ValueError(
                f"sentences must be a list of strings, but one string was given, {texts!r:.60}; put it in a list"
            )
        end = np.array([END], np.int32)
        return [np.concatenate([ids, end]) for ids in self.encode_ids(texts)]

    def encode_ids(self, texts: Iterable[str]) -> list[np.ndarray]:
        """Returns the ids of many texts: for each, int32 [pieces]."""
        cut = (self._cut(written(self._normalize(text))) for text in texts)
        ids_of = functools.cache(self._ids)  # a text of characters has few different pieces
        return [np.array([i for piece in one for i in ids_of(piece)], np.int32) for one in cut]

    def decode(self, ids: Iterable[int]) -> str:
        """Returns the normalized text of ids up to the first END; UNKNOWN is U+FFFD.

        PAD, START and reserved tokens are skipped. Raises ValueError for an id that is not in the vocabulary.
        """
        kept, size, spelled = [], len(self), self._spelled
        for i in map(int, ids):
            if not 0 <= i < size:
                raise ValueError(f"id {i} is not in a vocabulary of {size} pieces")
            if i == END:
                break
            if i not in (PAD, START) and i < size - self.extra:
                kept.append(spelled[i])
        text = KINDS[self.kind].joiner.encode().join(kept).decode(errors="replace")
        return self._normalize(read(text.replace(SPACE, " ")))

    def reserved(self, number: int) -> int:
        """Returns the id of a reserved token; they are counted down from the end of the vocabulary.

        Raises ValueError if there are not as many.
        """
        if not 0 <= number < self.extra:
            raise ValueError(
                f"there is no reserved token {number}: this tokenizer has {self.extra}; raise tokenizer.extra"
            )
        return len(self) - 1 - number

    def __len__(self):
        return len(self.pieces)

    def __reduce__(self):
        fields = dataclasses.fields(self)
        return Tokenizer, tuple(getattr(self, field.name) for field in fields)

    def _normalize(self, text: str) -> str:
        return with_whitespace(text) if self.keep_whitespace else normalize(text)

    @functools.cached_property
    def _cut(self) -> Callable[[str], list[str]]:
        return KINDS[self.kind].cutter(self.model, frozenset(self._known), self.byte_fallback)

    @functools.cached_property
    def fixed(self) -> int:
        """The number of special tokens and bytes, which precede the pieces of text."""
        return len(SPECIAL_TOKENS) + len(BYTES) * self.byte_fallback

    @functools.cached_property
    def _known(self) -> dict[str, int]:
        # A word "</s>" in a text is not END: names of special tokens and of bytes are not looked up.
        return {self.pieces[i]: i for i in range(self.fixed, len(self.pieces) - self.extra)}

    @functools.cached_property
    def _spelled(self) -> list[bytes]:
        """The UTF-8 bytes to which each piece decodes, in the form of `written`."""
        spelled = [piece.encode() for piece in self.pieces]
        spelled[UNKNOWN] = UNKNOWN_TEXT.encode()
        spelled[len(SPECIAL_TOKENS) : self.fixed] = (
            bytes([i]) for i in range(self.fixed - len(SPECIAL_TOKENS))
        )
        return spelled

    def _ids(self, piece):
        if piece in self._known:
            return (self._known[piece],)
        return (
            [len(SPECIAL_TOKENS) + b for b in piece.encode()] if self.byte_fallback else (UNKNOWN,)
        )


def digest_of(tokenizer: Any) -> bytes:
    """Returns the sha256 of the fields of a tokenizer, or of any other dataclass that reads texts as it does."""
    fields = [
        (field.name, getattr(tokenizer, field.name)) for field in dataclasses.fields(tokenizer)
    ]
    return hashlib.sha256(repr((type(tokenizer).__name__, fields)).encode()).digest()


def train(
    kind: str,
    sentences: Iterable[str],
    size: int,
    byte_fallback: bool = False,
    keep_whitespace: bool = False,
    extra: int = 0,
) -> Tokenizer:
    """Returns a tokenizer of at most `size` pieces, the four special tokens included; it is a function of the input.

    kind: "bpe" (Sennrich et al. 2016) and "unigram" (Kudo 2018) keep every character and, on a
    small corpus, have fewer than `size` pieces; "char" and "word" keep the most frequent. byte_fallback: 256
    of the pieces are bytes, which spell an unknown character's UTF-8, so that no text is unknown. keep_whitespace:
    whether line breaks and repeated spaces are kept. extra: the number of the pieces that are reserved tokens. Raises
    ValueError for an unknown kind, bytes or whitespace with "word", no text, or a size that is too small for the
    characters.
    """
    if kind not in KINDS:
        raise ValueError(f"there is no tokenizer {kind!r}; known are {', '.join(KINDS)}")
    if byte_fallback and KINDS[kind].joiner:
        raise ValueError(
            f"byte_fallback needs pieces of words, but the pieces of a {kind} tokenizer are whole words"
        )
    if keep_whitespace and KINDS[kind].joiner:
        raise ValueError(
            f"keep_whitespace needs pieces that contain spaces, but a {kind} tokenizer splits texts at spaces; use char, "
            "bpe or unigram"
        )
    texts = [written(text) for text in normalized(sentences, keep_whitespace) if text]
    if not texts:
        raise ValueError(f"a {kind} tokenizer needs text to train on, but all sentences are empty")
    fixed = (*SPECIAL_TOKENS, *BYTES) if byte_fallback else SPECIAL_TOKENS
    if size <= len(fixed) + extra:
        what = ["special tokens", "bytes"] if byte_fallback else ["special tokens"]
        what += ["reserved tokens"] if extra else []
        raise ValueError(
            f"size {size} has room for {' and '.join(what)} only; use more than {len(fixed) + extra}"
        )
    pieces, model = KINDS[kind].train(texts, size - extra, len(fixed), keep_whitespace)
    reserved = [f"<extra_{number}>" for number in reversed(range(extra))]
    return Tokenizer(
        kind, (*fixed, *pieces, *reserved), model, byte_fallback, keep_whitespace, extra
    )


def normalized(sentences: Iterable[str], keep_whitespace: bool = False) -> list[str]:
    """Returns the normalized sentences, for training. Raises ValueError if they are one string."""
    if isinstance(sentences, str):
        raise ValueError(
            "sentences must be a list of strings, but one string was given; put it in a list"
        )
    return [with_whitespace(text) if keep_whitespace else normalize(text) for text in sentences]


def written(text: str) -> str:
    """Returns a normalized text, with characters that pieces cannot contain replaced one by one, reversibly."""
    return text.translate(_WRITTEN)


def read(text: str) -> str:
    """Inverts `written`, for texts and for pieces; SPACE stays."""
    return text.translate(_READ)


def _spans(cut, length, gap):
    """Yields the span of each piece in a text of `length` characters, computed from the lengths of pieces."""
    # Added characters come first: the initial "▁" of sentencepiece is at -1.
    start = length - sum(map(len, cut)) - gap * (len(cut) - 1)
    for piece in cut:
        yield max(start, 0), start + len(piece)
        start += len(piece) + gap


def owners_of(text: str, words: Sequence[str], form: Callable[[str], str] = normalize) -> list[int]:
    """Returns for each character of the text the index of its word, -1 if it belongs to none.

    form: brings words into the form of the text.
    """
    owners, end = [-1] * len(text), 0
    for index, own in enumerate(words):
        word = form(own)
        start = text.find(word, end)
        if not word or start < 0:
            raise ValueError(
                f"word {index}, {own!r}, does not follow the previous words in the text {text!r:.200}"
            )
        end = start + len(word)
        owners[start:end] = [index] * len(word)
    if text.strip() and not end:
        raise ValueError(
            f"there are no words, but the text is not empty: {text!r:.200}; leave the words out"
        )
    return owners


def owner_of(owners: Sequence[int], start: int, end: int) -> int:
    """Returns the word that has most of the characters start .. end − 1; of none, the next word, or else the last."""
    inside = Counter(word for word in owners[start:end] if word >= 0)
    if inside:
        return inside.most_common(1)[0][0]
    return next((word for word in owners[end:] if word >= 0), max(owners))
