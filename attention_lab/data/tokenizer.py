"""Text to pieces and back, each piece with the word that it belongs to.

    tokenizer = train("bpe", sentences, 8000)
    ids, pieces, word_of = tokenizer.encode("Zwei Männer lachen.")
    tokenizer.decode(ids)                                # "Zwei Männer lachen."

A kind is a way to cut a text; what follows from the cut (ids, words, text again) is common to all.
"""

import dataclasses
import functools
import io
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import sentencepiece

from attention_lab.marks import END, PAD, START, UNKNOWN

# The pieces of the marks, in the order of their ids.
MARKS = ("<pad>", "<unk>", "<s>", "</s>")
SPACE = "▁"

# What stands for a space inside pieces, and halves of UTF-16 pairs, would not survive the way back.
_UNWRITABLE = re.compile(f"[{SPACE}\ud800-\udfff]")
# sentencepiece leaves a whole sentence out of its training for one of these.
_UNLEARNABLE = re.compile("[\0\u2585\ufffd]")


class Encoded(NamedTuple):
    """One text in pieces, without marks: what a model reads, what a person reads, and whose it is."""

    ids: list[int]
    pieces: list[str]  # "▁" is a space; what is unknown stands as in the text
    word_of: list[int]  # the index of the word to which the piece belongs


@dataclasses.dataclass(frozen=True)
class Tokenizer:
    """A vocabulary and a way to cut a text into it; made by `train`, or by `cached` and `load` of tokenizer_files.py.

    pieces[i] is the piece of id i, and len(tokenizer) their number. Equal, hashable and picklable.
    """

    kind: str
    pieces: tuple[str, ...]
    model: bytes = dataclasses.field(default=b"", repr=False)

    def encode(self, text: str, words: Sequence[str] | None = None) -> Encoded:
        """The pieces of a text, each with its word.

        A piece belongs to the word in which most of its characters lie (the first of equals); one
        that lies in none, to the next word, and after the last word to the last.
        words: in order, each found in the text to the right of the one before; None: what
        whitespace separates. Raises ValueError where a word is not found.
        """
        text = normalize(text)
        cut = self._cut(text)
        spans = _spans(cut, len(text), len(KINDS[self.kind].joiner))
        owners = _owners(text, text.split() if words is None else words)
        return Encoded(self._lookup(cut), cut, [_owner(owners, *span) for span in spans])

    def encode_ids(self, texts: Iterable[str]) -> list[np.ndarray]:
        """The ids of many texts: for each, int32 [pieces]."""
        return [np.array(self._lookup(self._cut(normalize(text))), np.int32) for text in texts]

    def decode(self, ids: Iterable[int]) -> str:
        """The text of ids up to the first END, whitespace made single; pads and starts are nothing.

        Raises ValueError for an id that is not in the vocabulary.
        """
        kept = []
        for i in map(int, ids):
            if not 0 <= i < len(self):
                raise ValueError(f"id {i} is not in a vocabulary of {len(self)} pieces")
            if i == END:
                break
            if i not in (PAD, START):
                kept.append(self.pieces[i])
        return " ".join(KINDS[self.kind].joiner.join(kept).replace(SPACE, " ").split())

    def __len__(self):
        return len(self.pieces)

    def __reduce__(self):
        return Tokenizer, (self.kind, self.pieces, self.model)

    @functools.cached_property
    def _cut(self) -> Callable[[str], list[str]]:
        return KINDS[self.kind].cutter(self.model, self.pieces)

    @functools.cached_property
    def _known(self) -> dict[str, int]:
        # A word "</s>" in a text is no mark, so marks are not looked up.
        return {self.pieces[i]: i for i in range(len(MARKS), len(self.pieces))}

    def _lookup(self, cut):
        return [self._known.get(piece, UNKNOWN) for piece in cut]


def train(kind: str, sentences: Iterable[str], size: int) -> Tokenizer:
    """A tokenizer of at most `size` pieces, the four marks included; the same input, the same one.

    kind: "bpe" (Sennrich et al. 2016) and "unigram" (Kudo 2018) keep every character and, from a
    small corpus, stay smaller than `size`; "char" and "word" keep the most frequent.
    Raises ValueError for an unknown kind, no text, or a size in which the characters do not fit.
    """
    if kind not in KINDS:
        raise ValueError(f"there is no tokenizer {kind!r}; known are {', '.join(KINDS)}")
    texts = [text for text in normalized(sentences) if text]
    if not texts:
        raise ValueError(f"a {kind} tokenizer needs text to train on, and all sentences are empty")
    if size <= len(MARKS):
        raise ValueError(f"size {size} has room for marks alone; give more than {len(MARKS)}")
    return Tokenizer(kind, *KINDS[kind].train(texts, size))


def normalized(sentences: Iterable[str]) -> list[str]:
    """Sentences as a tokenizer learns from them. Raises ValueError where they are one string."""
    if isinstance(sentences, str):
        raise ValueError("sentences are many strings, and one string was given; put it in a list")
    return [normalize(_UNLEARNABLE.sub(" ", normalize(text))) for text in sentences]


def normalize(text: str) -> str:
    """The text as tokenizers see it: single spaces, none outside.

    "▁" (U+2581), which stands for a space in pieces, and lone surrogates read as U+FFFD.
    """
    if not isinstance(text, str):
        raise ValueError(f"a text is a str, not {type(text).__name__}: {text!r:.60}")
    return _UNWRITABLE.sub("\ufffd", " ".join(text.split()))


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


def _train_sentencepiece(algorithm, texts, size):
    needed = len(MARKS) + len({SPACE, *"".join(texts)} - {" "})
    if size < needed:
        raise ValueError(f"size {size}: {algorithm} needs {needed} for the marks and characters")
    model = io.BytesIO()
    marks: dict[str, Any] = {"pad_id": PAD, "unk_id": UNKNOWN, "bos_id": START, "eos_id": END}
    marks |= {f"{name[:3]}_piece": piece for name, piece in zip(marks, MARKS, strict=True)}
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(texts),
        model_writer=model,
        model_type=algorithm,
        vocab_size=size,
        hard_vocab_limit=False,
        character_coverage=1.0,
        normalization_rule_name="identity",
        max_sentence_length=2**30,
        num_threads=1,
        minloglevel=2,
        **marks,
    )
    trained = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
    return tuple(map(trained.id_to_piece, range(len(trained)))), model.getvalue()


def _sentencepiece_cutter(model, pieces):
    processor = sentencepiece.SentencePieceProcessor(model_proto=model)
    cut = functools.partial(processor.encode, out_type=str)
    if len(pieces) == len(processor):
        return cut
    known = frozenset(pieces)
    # Of a restricted vocabulary, what it does not have is spelled.
    return lambda text: [p for piece in cut(text) for p in ([piece] if piece in known else piece)]


def _train_frequent(cut, texts, size):
    counts = Counter(piece for text in texts for piece in cut(text))
    ranked = sorted(counts, key=lambda piece: (-counts[piece], piece))
    return (*MARKS, *ranked[: size - len(MARKS)]), b""


def _characters(text):
    return list(text.replace(" ", SPACE))


class Kind(NamedTuple):
    """A way to cut a text: cutter(model, pieces)(text) tile it, with joiner between."""

    train: Callable[[list[str], int], tuple[tuple[str, ...], bytes]]
    cutter: Callable[[bytes, tuple[str, ...]], Callable[[str], list[str]]]
    joiner: str = ""


KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "bpe": Kind(functools.partial(_train_sentencepiece, "bpe"), _sentencepiece_cutter),
        "unigram": Kind(functools.partial(_train_sentencepiece, "unigram"), _sentencepiece_cutter),
        "char": Kind(functools.partial(_train_frequent, _characters), lambda *_: _characters),
        "word": Kind(functools.partial(_train_frequent, str.split), lambda *_: str.split, " "),
    }
)
