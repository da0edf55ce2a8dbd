"""Where a model looked in a picture while it wrote each word: a map of weights for each word.

print(printed(maps, ["A", "red", "car"]))                 # maps: weights [words, Y, X]
save(over_picture(pixels, maps, ["A", "red", "car"]), "caption.png")      # save: of heatmap.py
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from attention_lab.views.cells import columns, pen_of, shorten, visible
from attention_lab.views.heatmap import DPI, GOLD, INK, PAD, drawable

DARKEST = 0.25  # the brightness of a part of a picture that has no weight
PANEL, LABEL = 1.3, 0.26  # inches: a panel's side, and the height of its label
ACROSS = 6  # panels in a row
LONGEST = 16  # cells of a word


def printed(maps: Any, words: Sequence[str], *, width: int = 80, encoding: str = "utf-8") -> str:
    """Returns the map of each word in shades, [words, Y, X], as many side by side as `width` cells allow.

    Each map has its own scale: the darkest shade is its greatest weight. A cell is as wide as two characters. encoding:
    as in `text.text_matrix`. Raises ValueError if there is not one map for each word, or if none fits.
    """
    maps = _checked(maps, words)
    pen = pen_of(encoding)
    wide = max(2 * maps.shape[2], 8)
    across = width // (wide + 2)
    if not across:
        raise ValueError(f"a map needs a width of {wide + 2} or more, not {width}")
    lines = []
    for first in range(0, len(words), across):
        part = maps[first : first + across]
        names = [
            shorten(visible(word, pen, encoding), wide, pen.dots)
            for word in words[first : first + across]
        ]
        lines.append("  ".join(name + " " * (wide - columns(name)) for name in names).rstrip())
        for y in range(maps.shape[1]):
            rows = [
                "".join(2 * _shade(one, y, x, pen) for x in range(one.shape[1])) for one in part
            ]
            lines.append("  ".join(row.ljust(wide) for row in rows).rstrip())
        lines.append("")
    return "\n".join(lines[:-1])


def timeline(
    weights: Any, words: Sequence[str], scale: float, *, width: int = 80, encoding: str = "utf-8"
) -> str:
    """Returns a line for each word with its weights over time in shades, and below them the seconds.

    weights: [words, K]; each word has its own scale. scale: weights for each second. A long time is split into blocks of
    `width` cells. encoding: as in `text.text_matrix`. Raises ValueError if shapes or width do not fit.
    """
    maps = _checked(np.asarray(weights, float)[:, None], words)
    pen = pen_of(encoding)
    labels = [shorten(visible(word, pen, encoding), LONGEST, pen.dots) for word in words]
    margin = max(map(columns, labels)) + 2
    room = (width - margin) // 2
    if room < 4:
        raise ValueError(
            f"a timeline of these words needs a width of {margin + 8} or more, not {width}"
        )
    blocks = []
    for first in range(0, maps.shape[2], room):
        part = range(first, min(first + room, maps.shape[2]))
        rows = ["".join(2 * _shade(one, 0, k, pen) for k in part) for one in maps]
        lines = [
            label + " " * (margin - columns(label)) + row
            for label, row in zip(labels, rows, strict=True)
        ]
        blocks.append("\n".join([*lines, " " * margin + _seconds(part, scale)]))
    return "\n\n".join(blocks)


def _seconds(part, scale):
    """Returns each half second at the state in which it lies, and the unit."""
    line, halves = "", math.ceil(2 * part[0] / scale)
    while (k := int(halves * scale / 2 + 1e-9)) <= part[-1]:
        line = line.ljust(2 * (k - part[0])) + f"{halves / 2:.1f} "
        halves += 1
    return line + "s"


def _shade(one, y, x, pen):
    greatest = one.max()
    part = one[y, x] / greatest if greatest > 0 else 0.0
    return pen.shades[0] if part < 0.05 else pen.shades[min(1 + int(4 * part), 4)]


def over_picture(
    pixels: np.ndarray,
    maps: Any,
    words: Sequence[str],
    *,
    boxes: Sequence[Sequence[Sequence[float]]] = (),
    title: str = "",
) -> Figure:
    """Draws the picture, then once for each word, dark where the word has little weight (Xu et al. 2015, figure 2).

    pixels: uint8 [Y, X, 3]. maps: [words, y, x], each spread evenly over its cells; the brightest part is the greatest
    weight of the word. boxes: of each word, the known regions (top, left, bottom, right) in pixels, which are outlined.
    Raises ValueError if there is not one map for each word.
    """
    maps = _checked(maps, words)
    height, width = pixels.shape[:2]
    panels = [(title or "picture", None, ()), *_panels(maps, words, boxes)]
    across = min(ACROSS, len(panels))
    down = math.ceil(len(panels) / across)
    figure = Figure(dpi=DPI)
    FigureCanvasAgg(figure)
    tall = PANEL * height / width
    size = (2 * PAD + across * PANEL, 2 * PAD + down * (tall + LABEL))
    figure.set_size_inches(size)
    for number, (name, one, outlined) in enumerate(panels):
        row, column = divmod(number, across)
        left = (PAD + column * PANEL + 0.03) / size[0]
        bottom = 1 - (PAD + (row + 1) * (tall + LABEL)) / size[1]
        axes = figure.add_axes((left, bottom, (PANEL - 0.06) / size[0], (tall - 0.03) / size[1]))
        axes.imshow(pixels if one is None else _lit(pixels, one), interpolation="nearest")
        axes.axis("off")
        for top, first, end, last in outlined:
            corner = (first - 0.5, top - 0.5)
            axes.add_patch(
                Rectangle(
                    corner, last - first, end - top, fill=False, edgecolor=GOLD, linewidth=1.2
                )
            )
        axes.set_title(drawable(name, 16), size=9, color=INK, pad=3, parse_math=False)
    return figure


def _panels(maps, words, boxes):
    return zip(words, maps, boxes or [()] * len(words), strict=True)


def _lit(pixels, weights):
    """Returns the picture with each cell as bright as its weight is great."""
    height, width = pixels.shape[:2]
    rows = np.minimum(np.arange(height) * weights.shape[0] // height, weights.shape[0] - 1)
    places = np.minimum(np.arange(width) * weights.shape[1] // width, weights.shape[1] - 1)
    greatest = weights.max()
    light = weights[rows][:, places] / greatest if greatest > 0 else np.zeros((height, width))
    bright = DARKEST + (1 - DARKEST) * light[..., None]
    return (pixels * bright).astype(np.uint8)


def _checked(maps, words):
    maps = np.asarray(maps, float)
    if maps.ndim != 3 or len(maps) != len(words) or not len(words):
        raise ValueError(
            f"maps of shape {maps.shape} do not fit {len(words)} words; expected [words, rows, columns]"
        )
    return maps
