"""Attention weights as a text matrix: source words along the top, target words down the side.

    print(text_matrix(weights, ["das", "Haus"], ["the", "house"], links={(0, 0), (1, 1)}))
    show(weights, ["das", "Haus"], ["the", "house"])     # fits the width and the encoding of the terminal
    print(passage([0.1, 0.9], ["Mary is ill.", "John slept."]))     # a weight for each sentence

Words may be in any script: widths are counted in terminal cells, not in characters.
"""

import shutil
import sys
import unicodedata
from collections.abc import Collection, Sequence
from typing import Any, NamedTuple, TextIO

import numpy as np

from attention_lab.views.cells import UNICODE, columns, pen_of, shorten, visible, wrapped

LONGEST_LABEL = 16
NARROWEST = 40  # fits two labels and a cell
FAINTEST = 0.05  # the least weight that is shaded; a smaller one is a dot
BAR = 10  # the cells of the bar of a weight of 1
STYLES = ("numbers", "shades")


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
    """Returns weights [J, I] as lines of at most `width` cells; a long source is split into several blocks.

    weights: those of the J target words over the I source words; an additional last column, labeled ∅, is the
    weight on special tokens. links: pairs (source word, target word), which are shown in brackets. style: "numbers"
    prints percentages, with a dot for less than 0.5 %; "shades" prints shaded cells, with a dot for less than 5 %.
    encoding: that of the output; one that lacks the Unicode symbols gets ASCII, and letters that it lacks become "?".

    Raises ValueError if shapes, links, style or width do not fit.
    """
    matrix, source = labeled(weights, source, target, links)
    if style not in STYLES:
        raise ValueError(f"there is no style {style!r}; known are {', '.join(STYLES)}")
    pen = pen_of(encoding)
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


def strongest(
    weights: Any,
    source: Sequence[str],
    target: Sequence[str],
    *,
    most: int = 4,
    width: int = 80,
    encoding: str = "utf-8",
) -> str:
    """Returns a line for each target word, with the source words of its greatest weights, in percent.

    The arguments are those of `text_matrix`; an additional last column is not shown. most: the number of source words.
    A line has fewer if more do not fit, and none with less than 0.5 %; if there is none, it has a dot.
    Raises ValueError if shapes or width do not fit.
    """
    matrix, source = labeled(weights, source, target, None)
    pen = pen_of(encoding)
    down = [_label(word, pen, encoding) for word in target]
    margin = max(map(columns, down))
    if width < NARROWEST:
        raise ValueError(f"such lines need a width of {NARROWEST} or more, not {width}")
    lines = []
    for word, row in zip(down, matrix[:, : len(source)], strict=True):
        line = word + " " * (margin - columns(word))
        order = [i for i in np.argsort(-row, kind="stable")[:most] if row[i] >= 0.005]
        for i in order:
            entry = f"  {_label(source[i], pen, encoding)} {100 * row[i]:.0f}"
            if columns(line + entry) > width:
                break
            line += entry
        lines.append(line if order else f"{line}  {pen.shades[0]}")
    return "\n".join(lines)


def passage(
    weights: Any, sentences: Sequence[str], *, width: int = 80, encoding: str = "utf-8"
) -> str:
    """Returns a line for each sentence: its weight in percent, a bar as long as the weight, and the sentence.

    weights: [sentences], from 0 to 1. width, encoding: as in `text_matrix`; a long sentence continues on further lines.
    Raises ValueError if shapes or width do not fit.
    """
    (row,), sentences = labeled(np.asarray(weights)[None], sentences, [""], None)
    if width < NARROWEST:
        raise ValueError(f"such lines need a width of {NARROWEST} or more, not {width}")
    pen = pen_of(encoding)
    lines = []
    for weight, sentence in zip(row, sentences, strict=False):
        bar = pen.shades[-1] * round(BAR * min(weight, 1))
        margin = f"{100 * weight:3.0f} %  {bar:{BAR}}  "
        for line in wrapped(visible(sentence, pen, encoding), width - len(margin)):
            lines.append((margin + line).rstrip())
            margin = " " * len(margin)
    return "\n".join(lines)


def as_printed(*args: Any, file: TextIO | None = None, **options: Any) -> str:
    """Returns `text_matrix` of the same arguments, with the width of the terminal and the encoding of `file`."""
    return text_matrix(*args, **{**terminal(file), **options})


def terminal(file: TextIO | None = None) -> dict[str, Any]:
    """Returns the width of the terminal, and the encoding of `file`, by default standard output."""
    file = sys.stdout if file is None else file
    width = max(NARROWEST, shutil.get_terminal_size().columns)
    return {"width": width, "encoding": getattr(file, "encoding", None) or "ascii"}


def show(*args: Any, file: TextIO | None = None, **options: Any) -> None:
    """Prints `as_printed` of the same arguments."""
    print(as_printed(*args, file=file, **options), file=file)


def labeled(
    weights: Any, source: Sequence[str], target: Sequence[str], links: Collection[Any] | None
) -> tuple[np.ndarray, list[str]]:
    """Validates the weights and returns them as an array, with the source as a list.

    Raises ValueError if shapes or links do not match the words, or if a weight is negative or not finite.
    """
    if isinstance(source, str) or isinstance(target, str):
        raise ValueError("source and target are lists of words, but a string was given; split it")
    matrix, (height, width) = np.asarray(weights, float), (len(target), len(source))
    if not height or matrix.shape not in ((height, width or -1), (height, width + 1)):
        raise ValueError(
            f"weights of shape {matrix.shape} do not fit {height} target and {width} source words; "
            f"expected ({height}, {width}), or one column more for the weight on special tokens"
        )
    if not (np.isfinite(matrix) & (matrix >= 0)).all():
        raise ValueError("weights must be finite and not negative; some of them are not")
    for i, j in links or ():
        if not (0 <= i < width and 0 <= j < height):
            raise ValueError(
                f"link {i}-{j} refers to a word that does not exist: the source has {width} words "
                f"and the target {height}, counted from 0"
            )
    return matrix, list(source)


# Left-to-right marks around a word in a right-to-left script keep the rest of the line in order.
_LEFT_TO_RIGHT = "\u200e"


def _label(word, pen, encoding):
    """Returns the word as a label: on one line, without control characters, and shortened if it is too long."""
    word = shorten(visible(word, pen, encoding), LONGEST_LABEL, pen.dots)
    right_to_left = pen is UNICODE and any(
        unicodedata.bidirectional(c) in ("R", "AL") for c in word
    )
    return f"{_LEFT_TO_RIGHT}{word}{_LEFT_TO_RIGHT}" if right_to_left else word


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
    """Columns of the source from `start` on, with their widths; stairs: each word has a line of its own."""

    start: int
    widths: list[int]
    stairs: bool


def _blocks(across, margin, cell, width):
    """Returns one block with all words on one line if that fits, and otherwise blocks with staggered words."""
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
    """Yields a line for each word, above its column; the first word is on the top line."""
    before = " " * (margin + 1 + cell // 2)
    for step, word in enumerate(words):
        yield before + (pen.stem.ljust(cell)) * step + f"{pen.corner} {word}"


def _center(text, width):
    free = width - columns(text)
    return " " * (free // 2) + text + " " * (free - free // 2)
