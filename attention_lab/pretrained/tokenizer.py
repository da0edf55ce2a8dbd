"""The tokenizers of pre-trained models, with our ids: that of the library tokenizers, or Marian's of sentencepiece."""

import dataclasses
import functools
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from attention_lab.data.kinds import SPECIAL_TOKENS
from attention_lab.data.tokenizer import Encoded, owner_of, owners_of
from attention_lab.data.words import normalize, words_of
from attention_lab.special_tokens import END, PAD, START, UNKNOWN

SPACE = "▁"


@dataclasses.dataclass(frozen=True)
class PretrainedTokenizer:
    """A tokenizer of a pre-trained model: the methods of `data.tokenizer.Tokenizer`, with texts as they are.

    content: of tokenizer.json, or the model of sentencepiece. theirs: the id there of each of ours. written: whether each
    of ours is written: copies of another token are not. names: of Marian's ids; empty for tokenizer.json.
    """

    content: bytes = dataclasses.field(repr=False)
    theirs: tuple[int, ...] = dataclasses.field(repr=False)
    written: tuple[bool, ...] = dataclasses.field(repr=False)
    names: tuple[str, ...] = dataclasses.field(default=(), repr=False)

    reads = "tokens"
    kind = "bpe"  # pieces are joined without spaces
    extra = 0
    keep_whitespace = True
    byte_fallback = True  # a token may change the text of those before it
    fixed = len(SPECIAL_TOKENS)

    def __len__(self) -> int:
        return len(self.theirs)

    def encode(self, text: str, words: Sequence[str] | None = None) -> Encoded:
        """Returns the pieces of a text without its end, each with the index of its word, as `Tokenizer.encode` does.

        A special token that begins a text, such as BART's, belongs to no word, −1.
        """
        ids, spans = self._cut(text)
        ours = self._ours[ids].tolist()
        normal = normalize(text) == text  # texts are read as they are
        if words is None:
            words = words_of(text) if normal else text.split()
        owners = owners_of(text, words, normalize if normal else str) if text.strip() else []
        word_of = [-1 if one is None or not owners else owner_of(owners, *one) for one in spans]
        return Encoded(ours, [self.pieces[i] for i in ours], word_of)

    def encode_ids(self, texts: Iterable[str]) -> list[np.ndarray]:
        """Returns the ids of many texts, without their ends: for each, int32 [pieces]."""
        return [self._ours[self._cut(text)[0]].astype(np.int32) for text in texts]

    def arrays(self, texts: Iterable[str]) -> list[np.ndarray]:
        """Returns the ids of each text, with END: int32 [K]. Raises ValueError if `texts` is a single string."""
        if isinstance(texts, str):
            raise ValueError(
                f"sentences must be a list of strings, but one string was given, {texts!r:.60}; put it in a list"
            )
        return [np.append(ids, END).astype(np.int32) for ids in self.encode_ids(texts)]

    def decode(self, ids: Iterable[int]) -> str:
        """Returns the text of ids up to the first END; special tokens have none."""
        kept: list[int] = []
        for i in map(int, ids):
            if not 0 <= i < len(self):
                raise ValueError(f"id {i} is not in a vocabulary of {len(self)} pieces")
            if i == END:
                break
            if i not in (PAD, START):
                kept.append(self.theirs[i])
        return self._spell(kept)

    def reserved(self, number: int) -> int:
        """Raises ValueError: there are no reserved tokens."""
        raise ValueError(f"there is no reserved token {number}: a pre-trained tokenizer has none")

    @property
    def size(self) -> int:
        """One more than the greatest id that the tokenizer itself has."""
        if self.names:
            return len(self.names)
        return max(self._library.get_vocab().values(), default=-1) + 1

    @functools.cached_property
    def pieces(self) -> tuple[str, ...]:
        """The text of each id, in which a space is "▁"."""
        named = [self._named(number) for number in self.theirs]
        named[: self.fixed] = SPECIAL_TOKENS
        return tuple(named)

    @functools.cached_property
    def textless(self) -> frozenset[int]:
        """The ids that belong to no word: special tokens, ours and those of the model."""
        blank = (i for i, piece in enumerate(self.pieces) if piece.strip(SPACE))
        return frozenset(
            {PAD, START, END, *(i for i in blank if not self._spell([self.theirs[i]]))}
        )

    @functools.cached_property
    def _ours(self) -> np.ndarray:
        ids = np.full(max(self.theirs) + 1, UNKNOWN)
        for number, (there, written) in enumerate(zip(self.theirs, self.written, strict=True)):
            if written:
                ids[there] = number
        return ids

    @functools.cached_property
    def _library(self) -> Any:
        if self.names:
            import sentencepiece

            return sentencepiece.SentencePieceProcessor(model_proto=self.content)
        return tokenizers().Tokenizer.from_str(self.content.decode())

    @functools.cached_property
    def _by_name(self) -> dict[str, int]:
        return {name: number for number, name in enumerate(self.names)}

    def _cut(self, text: str) -> tuple[np.ndarray, list[tuple[int, int] | None]]:
        """Their ids of a text without its end, and the characters of each; None for a special token."""
        end = self.theirs[END]
        if self.names:
            unknown = self._by_name.get("<unk>", end)
            cut = self._library.encode_as_pieces(text)
            numbers = [self._by_name.get(piece, unknown) for piece in cut]
            return np.array(numbers, int), _found(text, cut)
        found = self._library.encode(text)
        rows = [
            (number, None if special else span)
            for number, span, special in zip(
                found.ids, found.offsets, found.special_tokens_mask, strict=True
            )
        ]
        if rows and rows[-1] == (end, None):
            rows.pop()
        return np.array([number for number, _ in rows], int), [span for _, span in rows]

    def _spell(self, numbers: list[int]) -> str:
        if self.names:
            pieces = [self.names[n] for n in numbers if n < len(self.names)]
            return self._library.decode_pieces([p for p in pieces if p not in ("</s>", "<pad>")])
        return self._library.decode(numbers, skip_special_tokens=True)

    def _named(self, number: int) -> str:
        if self.names:
            return self.names[number] if number < len(self.names) else f"<{number}>"
        name = self._library.id_to_token(number)
        if name is None:  # a row of the table that no token has
            return f"<{number}>"
        return _bytes(name) if self._is_bytes else name

    @functools.cached_property
    def _is_bytes(self) -> bool:
        return '"ByteLevel"' in self.content.decode()


def tokenizers() -> Any:
    """Returns the library tokenizers. Raises ValueError if it is not installed."""
    try:
        import tokenizers as library
    except ImportError:
        raise ValueError(
            "pre-trained tokenizers need the package tokenizers: pip install safetensors tokenizers"
        ) from None
    return library


def _found(text: str, pieces: Iterable[str]) -> list[tuple[int, int] | None]:
    """The characters of each piece; one that the model has changed is where it begins, and has none."""
    spans: list[tuple[int, int] | None] = []
    end = 0
    for piece in pieces:
        plain = piece.replace(SPACE, "")
        start = text.find(plain, end)
        spans.append((start, start + len(plain)) if plain and start >= 0 else (end, end))
        end = start + len(plain) if start >= 0 else end
    return spans


@functools.cache
def _byte_of() -> dict[str, int]:
    """The byte of each character with which GPT-2 writes bytes: printable ones are themselves, others follow U+0100."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    return {
        **{chr(byte): byte for byte in printable},
        **{chr(0x100 + n): byte for n, byte in enumerate(others)},
    }


def _bytes(name: str) -> str:
    """The text of a token that is written in bytes; the token itself if it is a special one."""
    if not set(name) <= set(_byte_of()):
        return name
    return bytes(map(_byte_of().__getitem__, name)).decode(errors="replace").replace(" ", SPACE)
