"""A matrix of weights as text: the source across, the target down, as on a blackboard.

    print(text_matrix(weights, ["das", "Haus"], ["the", "house"], links={(0, 0), (1, 1)}))
    show(weights, ["das", "Haus"], ["the", "house"])     # as wide as the terminal, in what it can print

Words may be of any script: widths are those of a terminal's cells, not of characters.
"""

import shutil
import sys
import unicodedata
from collections.abc import Collection, Sequence
from typing import Any, NamedTuple, TextIO

import numpy as np

# What heads the column of weight that goes to no word: to the mark at the end, say.
NOWHERE = "∅"
LONGEST_LABEL = 16
NARROWEST = 40  # room for two labels and a cell
FAINTEST = 0.05  # of the shades; less is a dot
STYLES = ("numbers", "shades")


class Pen(NamedTuple):
    """The characters to draw with. The first shade is next to nothing, the others quarters of the way to 1."""

    shades: str
    corner: str
    stem: str
    dots: str
    nowhere: str
    hidden: str


UNICODE = Pen("·░▒▓█", "╭", "│", "…", NOWHERE, "�")
ASCII = Pen(".-+#@", ",", "|", "~", "-", "?")


def text_matrix(
    weights: Any,
    source: Sequence[str],
    target: Sequence[str],
    *,
    links: Collection[tuple[int, int]] | None = None,
    style: str = "numbers",
    width: int = 80,
    encoding: str = "utf-8",
) -> str:
    """Weights [J, I] as lines of text, no longer than `width`; a source too long for that is cut in blocks.

    weights: of the J target words for the I source words; one column more is what goes to no word, ∅.
    links: (source word, target word), shown in brackets. style: "numbers" are percent, and a dot less than
    half of one; "shades" are for a glance, and a dot is less than 5 percent. An `encoding` without these
    signs gets ASCII, and "?" for letters that it lacks. Raises ValueError where shapes, links, style or
    width do not fit.
    """
    matrix, source = labeled(weights, source, target, links)
    if style not in STYLES:
        raise ValueError(f"there is no style {style!r}; known are {', '.join(STYLES)}")
    pen = UNICODE if _can_say("".join(UNICODE), encoding) else ASCII
    if matrix.shape[1] > len(source):
        source = [*source, pen.nowhere]
    across = [_label(word, pen, encoding) for word in source]
    down = [_label(word, pen, encoding) for word in target]
    cells = _cells(matrix, style, pen)
    if links is not None:
        linked = set(links)
        cells = [
            [f"[{c}]" if (i, j) in linked else f" {c} " for i, c in enumerate(row)]
            for j, row in enumerate(cells)
        ]
    cell = max(len(c) for row in cells for c in row) + (links is None)
    margin = max(map(columns, down))
    least = margin + 1 + max(cell, cell // 2 + 2 + max(map(columns, across), default=0))
    if width < least:
        raise ValueError(f"a matrix of these words needs a width of {least} or more, not {width}")
    blocks = _blocks(across, margin, cell, width)
    return "\n\n".join(
        "\n".join(_block(across, down, cells, margin, block, pen)) for block in blocks
    )


def as_printed(*args: Any, file: TextIO | None = None, **options: Any) -> str:
    """`text_matrix` of the same arguments, as wide as the terminal and in characters that `file` can encode."""
    file = sys.stdout if file is None else file
    options.setdefault("width", max(NARROWEST, shutil.get_terminal_size().columns))
    options.setdefault("encoding", getattr(file, "encoding", None) or "ascii")
    return text_matrix(*args, **options)


def show(*args: Any, file: TextIO | None = None, **options: Any) -> None:
    """Prints `as_printed` of the same arguments."""
    print(as_printed(*args, file=file, **options), file=file)


def labeled(
    weights: Any, source: Sequence[str], target: Sequence[str], links: Collection[Any] | None
) -> tuple[np.ndarray, list[str]]:
    """The weights as an array that fits the words, and the source as a list.

    Raises ValueError where they or the links do not fit, or weights are negative or not finite.
    """
    if isinstance(source, str) or isinstance(target, str):
        raise ValueError("source and target are lists of words, but a string was given; split it")
    matrix, (height, width) = np.asarray(weights, float), (len(target), len(source))
    if not height or matrix.shape not in ((height, width or -1), (height, width + 1)):
        raise ValueError(
            f"weights of shape {matrix.shape} do not fit {height} target and {width} source words; "
            f"expected ({height}, {width}), or one column more for what goes to no word"
        )
    if not (np.isfinite(matrix) & (matrix >= 0)).all():
        raise ValueError("weights must be finite and not negative, but some are not")
    for i, j in links or ():
        if not (0 <= i < width and 0 <= j < height):
            raise ValueError(
                f"link {i}-{j} joins words that are not there: the source has {width}, "
                f"the target {height}, counted from 0"
            )
    return matrix, list(source)


def columns(text: str) -> int:
    """How many cells of a terminal a text takes: 2 for a wide character, 0 for one that combines."""
    return sum(map(_width, text))


def _width(character):
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _can_say(text, encoding):
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return False
    except LookupError:
        raise ValueError(f"there is no encoding {encoding!r}; utf-8 and ascii are two") from None
    return True


# Left and right marks keep words that run from right to left from turning a whole line around.
_LEFT_TO_RIGHT = "\u200e"
_TURNS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def _label(word, pen, encoding):
    """A word as it may stand in a line: of one line, without control codes, not too long."""
    hide = {c for c in word if unicodedata.category(c) in ("Cc", "Zl", "Zp", "Cs") or c in _TURNS}
    word = "".join(pen.hidden if c in hide else c for c in word)
    word = shorten(word.encode(encoding, "replace").decode(encoding), LONGEST_LABEL, pen.dots)
    turns = pen is UNICODE and any(unicodedata.bidirectional(c) in ("R", "AL") for c in word)
    return f"{_LEFT_TO_RIGHT}{word}{_LEFT_TO_RIGHT}" if turns else word


def shorten(word: str, longest: int, dots: str = "…") -> str:
    """The word, or as much of it as fits `longest` cells of a terminal with dots behind."""
    if columns(word) <= longest:
        return word
    end = 0
    while columns(word[: end + 1]) < longest:
        end += 1
    return word[:end] + dots


def _cells(matrix, style, pen):
    if style == "shades":
        steps = len(pen.shades) - 1
        shade = np.where(matrix < FAINTEST, 0, np.clip(np.ceil(matrix * steps), 1, steps))
        return [
            [2 * pen.shades[s] if s else f"{pen.shades[0]} " for s in row]
            for row in shade.astype(int)
        ]
    percent = np.floor(100 * matrix + 0.5)
    digits = max(2, len(f"{percent.max():.0f}"))
    dot = pen.shades[0].rjust(digits)
    return [[f"{p:{digits}.0f}" if p >= 1 else dot for p in row] for row in percent]


class _Block(NamedTuple):
    """Columns [start, stop) of the source, each as wide as said; stairs: the words stand on steps."""

    start: int
    widths: list[int]
    stairs: bool


def _blocks(across, margin, cell, width):
    """As many blocks as it takes; words stand side by side if they do so in one, else on stairs."""
    wide = [max(cell, columns(word) + 1) for word in across]
    if margin + 1 + sum(wide) <= width:
        return [_Block(0, wide, False)]
    blocks, start = [], 0
    while start < len(across):
        stop = start
        while stop < len(across):
            edge = margin + 1 + (stop - start) * cell
            if edge + cell > width:
                break
            if stop > start and edge + cell // 2 + 2 + columns(across[stop]) > width:
                break
            stop += 1
        blocks.append(_Block(start, [cell] * (stop - start), True))
        start = stop
    return blocks


def _block(across, down, cells, margin, block, pen):
    stop = block.start + len(block.widths)
    words = across[block.start : stop]
    if block.stairs:
        yield from _stairs(words, margin, block.widths[0], pen)
    else:
        header = "".join(_center(*pair) for pair in zip(words, block.widths, strict=True))
        yield (" " * (margin + 1) + header).rstrip()
    for word, row in zip(down, cells, strict=True):
        label = word + " " * (margin + 1 - columns(word))
        line = "".join(_center(*p) for p in zip(row[block.start : stop], block.widths, strict=True))
        yield (label + line).rstrip()


def _stairs(words, margin, cell, pen):
    """Every word above its column, the first on the highest step."""
    before = " " * (margin + 1 + cell // 2)
    for step, word in enumerate(words):
        yield before + (pen.stem.ljust(cell)) * step + f"{pen.corner} {word}"


def _center(text, width):
    room = width - columns(text)
    return " " * (room // 2) + text + " " * (room - room // 2)
