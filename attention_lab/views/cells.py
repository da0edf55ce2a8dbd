"""Texts in terminal cells, in any script: their widths, lines that fit, and the characters that an output can show."""

import unicodedata
from typing import NamedTuple

# The label of the column of weight on special tokens, such as the end of the sequence.
NOWHERE = "∅"
_TURNS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


class Pen(NamedTuple):
    """The characters of a matrix. The first shade means almost zero; the others are the quarters from 0 to 1.

    hidden: stands for a control character. newline: for a line break, which is a token of some models.
    """

    shades: str
    corner: str
    stem: str
    dots: str
    nowhere: str
    hidden: str
    newline: str


UNICODE = Pen("·░▒▓█", "╭", "│", "…", NOWHERE, "�", "↵")
ASCII = Pen(".-+#@", ",", "|", "~", "-", "?", "\\")


def pen_of(encoding: str) -> Pen:
    """Returns the characters that an encoding can show. Raises ValueError if it does not exist."""
    return UNICODE if _is_encodable("".join(UNICODE), encoding) else ASCII


def _is_encodable(text, encoding):
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return False
    except LookupError:
        raise ValueError(
            f"there is no encoding {encoding!r}; utf-8 and ascii are examples of encodings"
        ) from None
    return True


def visible(text: str, pen: Pen, encoding: str) -> str:
    """Returns the text on one line, without control characters and characters that the encoding lacks."""
    text = text.replace("\n", pen.newline)
    hide = {c for c in text if unicodedata.category(c) in ("Cc", "Zl", "Zp", "Cs") or c in _TURNS}
    text = "".join(pen.hidden if c in hide else c for c in text)
    return text.encode(encoding, "replace").decode(encoding)


def columns(text: str) -> int:
    """Returns the width of a text in terminal cells: 2 for a wide character, 0 for a combining one."""
    return sum(map(_width, text))


def _width(character):
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def shorten(word: str, longest: int, dots: str = "…") -> str:
    """Returns the word, truncated and followed by dots if it is wider than `longest` terminal cells."""
    if columns(word) <= longest:
        return word
    end = 0
    while columns(word[: end + 1]) < longest:
        end += 1
    return word[:end] + dots


def wrapped(text: str, width: int) -> list[str]:
    """Returns the words of a text in lines of at most `width` terminal cells; a longer word is truncated."""
    lines = [""]
    for word in text.split():
        word = shorten(word, width)
        longer = f"{lines[-1]} {word}".lstrip()
        if columns(longer) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines
