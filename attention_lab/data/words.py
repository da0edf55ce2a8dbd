"""Normalization of text, and its division into words.

words_of("GPT  的猫")     # ["GPT", "的", "猫"]
"""

import re
import unicodedata
from collections.abc import Collection, Mapping
from typing import Any

_SURROGATE = re.compile("[\ud800-\udfff]")
_SEPARATORS = re.compile("[\r\x0b\x0c\x1c-\x1f\x85\u2028\u2029]")
# Blocks of the scripts that are written without spaces between words: Thai, Lao, Myanmar, Khmer, Tai Le to Tai Tham, Han with its
# radicals and punctuation, kana, Tai Viet, halfwidth kana, and the planes of rarer kana and Han.
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u1950-\u19ff\u1a20-\u1aaf\u2e80-\u312f\u3190-\u31ff\u3400-\u4dbf"
    "\u4e00-\u9fff\ua9e0-\ua9ff\uaa60-\uaadf\uf900-\ufaff\uff61-\uff9f\U0001b000-\U0001b16f\U00020000-\U0003ffff]"
)


def normalize(text: str) -> str:
    """Returns the text in Unicode's NFC, with single spaces, and none at its ends.

    An unpaired surrogate, half of a UTF-16 pair, becomes U+FFFD.
    """
    if not isinstance(text, str):
        raise ValueError(f"a text must be a str, not {type(text).__name__}: {text!r:.60}")
    return _SURROGATE.sub("\ufffd", unicodedata.normalize("NFC", " ".join(text.split())))


def with_whitespace(text: str) -> str:
    """Returns the text in Unicode's NFC with all its spaces and line breaks, for which it has one character each, "\\n".

    Other separators that Python's `str.splitlines` knows become spaces; an unpaired surrogate becomes U+FFFD.
    """
    if not isinstance(text, str):
        raise ValueError(f"a text must be a str, not {type(text).__name__}: {text!r:.60}")
    composed = unicodedata.normalize("NFC", text.replace("\r\n", "\n"))
    return _SURROGATE.sub("\ufffd", _SEPARATORS.sub(" ", composed))


def words_of(text: str) -> list[str]:
    """Returns the normalized words of a text: strings between spaces, and single characters of scripts without spaces.

    Combining characters and format characters belong to the character before them.
    """
    separated = normalize(text).split()
    return [
        part for word in separated for part in (_parts(word) if _UNSPACED.search(word) else [word])
    ]


def unspaced(text: str) -> str:
    """Returns the letters of a text that belong to scripts without spaces, with combining characters."""
    letters = _UNSPACED.findall(normalize(text))
    return "".join(c for c in letters if unicodedata.category(c)[0] in "LM")


def words_in(example: Mapping[str, Any], side: str) -> list[str]:
    """Returns the normalized words of an example's "source" or "target": those given, or else those of the text."""
    return [normalize(word) for word in example.get(f"{side}_words") or ()] or words_of(
        example[side]
    )


def divided(text: str, known: Collection[str]) -> list[str]:
    """Returns the words of a text, split as its corpus splits words, such as l'homme into l' and homme.

    The words of `words_of` are split beside signs such that the fewest characters are in unknown words and, among
    equals, into the fewest words. known: the words of the corpus; if there are none, nothing is split.
    """
    return [part for word in words_of(text) for part in _cut(word, known)]


def _cut(word, known):
    if not known or word in known:
        return [word]
    # A word is split beside a sign only: chat|, and l'|homme, but never c|hat.
    signs = [unicodedata.category(character)[0] not in "LMNC" for character in word]
    places = [i for i in range(1, len(word)) if signs[i - 1] or signs[i]]
    best: dict[int, tuple[int, int, list[str]]] = {
        0: (0, 0, [])
    }  # for each position: unknown characters, words
    for end in [*places, len(word)]:
        ways = []
        for start, (unknown, count, parts) in best.items():
            part = word[start:end]
            unknown += 0 if part in known else len(part)
            ways.append((unknown, count + 1, [*parts, part]))
        best[end] = min(ways, key=lambda way: way[:2])
    return best[len(word)][2]


def _parts(word):
    parts: list[str] = []
    apart = True  # whether the next character begins a part
    for character in word:
        alone = _UNSPACED.match(character) is not None
        dependent = unicodedata.category(character) in ("Mn", "Mc", "Me", "Cf")
        if parts and (dependent or not (apart or alone)):
            parts[-1] += character
        else:
            parts.append(character)
        if not dependent:
            apart = alone
    return parts
