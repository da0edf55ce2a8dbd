"""The text of tokens while they are generated: which part of it is final, and where it ends."""

import bisect
import functools
import unicodedata
from collections.abc import Collection, Iterable, Sequence

from attention_lab.data.tokenizer import UNKNOWN_TEXT, Tokenizer
from attention_lab.special_tokens import END


class Writer:
    """The text after a prompt, as tokens are added to it.

    prompt: ids. stop: the text ends before the first of these strings to be complete; of those that are complete at
    the same character, the longest counts. end: tokens that end the text.
    text: what is final; no token changes it, and it contains no part of a stop string. ids: the tokens of the text. reason: why no
    more can be added, "end", "stop" or what `finish` is told; None before. Raises ValueError for a stop string that is empty.
    """

    def __init__(
        self, tokenizer: Tokenizer, prompt: Iterable[int], stop: Sequence[str], end: Collection[int]
    ) -> None:
        if isinstance(stop, str) or not all(isinstance(one, str) and one for one in stop):
            raise ValueError(f"stop is {stop!r}; it must be a list of strings that are not empty")
        self.tokenizer = tokenizer
        self.stop = [unicodedata.normalize("NFC", one) for one in stop]
        self.end = end
        self.before = [int(i) for i in prompt]
        self.prompt = self._decode(self.before)
        self.ids: list[int] = []
        self.text = ""
        self.reason: str | None = None

    def add(self, tokens: Iterable[int]) -> str:
        """Adds the tokens that come next, and returns what they add to the text; nothing once it has ended."""
        return self._add([int(i) for i in tokens], None) if self.reason is None else ""

    def finish(self, reason: str) -> str:
        """Ends a text that has not ended, after which no token comes, and returns what of it was not final."""
        return self._add([], reason) if self.reason is None else ""

    def _add(self, tokens, reason):
        known = len(self.ids)
        self.ids += tokens
        if self.ids and self.ids[-1] in self.end:
            reason = "end"
        text = self._written(self.ids, reason is not None)
        stopped = first_of(self.stop, text)
        if stopped is not None:
            # The fewest tokens with which the stop string is there: the others were generated in vain.
            some = range(known, len(self.ids))
            found = lambda n: first_of(self.stop, self._written(self.ids[:n], False)) is not None  # noqa: E731
            del self.ids[known + bisect.bisect_left(some, True, key=found) :]
            text, reason = text[:stopped], "stop"
        elif reason is None:
            text = text[: len(text) - beginning_of(self.stop, text)]
        self.reason = reason
        added, self.text = text[len(self.text) :], text
        return added

    def _written(self, ids, whole):
        """Returns the text of generated tokens; if it is not whole, the part that no token after them changes."""
        text = self._decode(self.before + ids)
        if not whole and may_change(self.tokenizer):
            text = text[: settled(text)]
        return text[shared(text, self.prompt) :]

    def _decode(self, ids):
        return self.tokenizer.decode(i for i in ids if i != END)  # END within a text has no text


def first_of(strings: Iterable[str], text: str) -> int | None:
    """Returns where the string begins that is complete first in the text, and then the longest; None if there is none."""
    places = ((text.find(one), len(one)) for one in strings)
    found = [(start + length, start) for start, length in places if start >= 0]
    return min(found)[1] if found else None


def beginning_of(strings: Iterable[str], text: str) -> int:
    """Returns how many of the text's last characters may be the beginning of one of the strings."""
    lengths = (n for one in strings for n in range(1, len(one)) if text.endswith(one[:n]))
    return max(lengths, default=0)


def settled(text: str) -> int:
    """Returns how many characters of a decoded text no further tokens can change.

    The last character may be part of an incomplete UTF-8 sequence, if it is U+FFFD. The character before, with the
    combining characters that follow it, may be composed with the next one (Unicode's NFC), but none before it.
    """
    length = len(text) - text.endswith(UNKNOWN_TEXT)
    while length and unicodedata.combining(text[length - 1]):
        length -= 1
    return max(length - 1, 0)


def shared(text: str, prompt: str) -> int:
    """Returns the length of their common prefix: less than the prompt's if a token has changed its last character."""
    if text.startswith(prompt):
        return len(prompt)
    pairs = enumerate(zip(text, prompt, strict=False))
    return next((n for n, (one, other) in pairs if one != other), min(len(text), len(prompt)))


@functools.lru_cache(maxsize=8)
def may_change(tokenizer: Tokenizer) -> bool:
    """Returns whether a token of this tokenizer may change the text of those before: one that is a byte, or composes."""
    first = {
        unicodedata.normalize("NFD", piece)[0] for piece in tokenizer.pieces[tokenizer.fixed :]
    }
    return tokenizer.byte_fallback or not first.isdisjoint(_composing())


@functools.cache
def _composing():
    """Returns the characters that are composed with, or ordered among, those before; all are below U+20000."""
    characters = list(map(chr, range(0x20000)))
    combining = {one for one in characters if unicodedata.combining(one)}
    decomposed = (unicodedata.normalize("NFD", one) for one in characters if one > "\x7f")
    return combining | {one for whole in decomposed for one in whole[1:]}
