"""Heatmaps of attention weights: source words along the top, target words down the side, gold links outlined.

    save(heatmap(weights, source_words, target_words, links=links), "attention.png")
    save(heatmap({"head 0": first, "head 1": second}, source_words, target_words), "heads.png")
    save(passage([0.1, 0.9], ["Mary is ill.", "John slept."], title="Who slept? John"), "passage.png")

The words are measured first, and the picture is sized so that all of them fit.
"""

import functools
import io
import os
import pathlib
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib import font_manager
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ft2font import FT2Font
from matplotlib.patches import Rectangle

from attention_lab import files
from attention_lab.views.cells import NOWHERE, UNICODE, shorten, wrapped
from attention_lab.views.text import labeled

COLORS, INK, MUTED, LINE, GOLD = "Blues", "#1b2a41", "#6b7785", "#c9d2dc", "#D55E00"
BAR = "#2b6cb0"
PASSAGE = 90  # the longest line of a sentence, in characters
# DejaVu comes with matplotlib. The other fonts, where installed, draw the characters that it lacks.
FONTS = ("DejaVu Sans", "Noto Sans CJK SC", "Noto Sans CJK JP", "Noto Sans Devanagari", "Noto Sans")
NO_GLYPH = "□"
LONGEST_LABEL = 24
DPI = 160
PAD, GAP, SCALE = 0.12, 0.25, 0.6  # inches: the outer margin, between panels, for the color bar


def heatmap(
    weights: Any,
    source: Sequence[str],
    target: Sequence[str],
    *,
    links: Collection[tuple[int, int]] | None = None,
    title: str = "",
    columns: int = 4,
) -> Figure:
    """Draws weights [J, I] of J target words over I source words: white is zero, the darkest color the largest weight.

    weights: an array, or {title: array} for several panels with a common color scale, `columns` in a row. An
    additional last column, labeled ∅, is the weight on special tokens. links: pairs (source word, target word),
    which are outlined. A character that no installed font has is drawn as a box.

    Raises ValueError if shapes or links do not match the words.
    """
    named = dict(weights) if isinstance(weights, Mapping) else {"": weights}
    if not named or columns < 1:
        raise ValueError(
            f"{len(named)} panels in rows of {columns}: a picture needs one or more of each"
        )
    panels = {name: labeled(one, source, target, links)[0] for name, one in named.items()}
    greatest = max(max(one.max() for one in panels.values()), 1e-9)
    wide = max(one.shape[1] for one in panels.values())
    across = [drawable(word) for word in source] + [NOWHERE] * (wide - len(source))
    down = [drawable(word) for word in target]
    title = drawable(title, 80)

    figure = Figure(dpi=DPI)
    FigureCanvasAgg(figure)
    plan = _plan(figure, across, down, list(named), min(columns, len(named)), title)
    figure.set_size_inches(plan.size)
    for number, (name, matrix) in enumerate(panels.items()):
        row, column = divmod(number, plan.columns)
        axes = figure.add_axes(plan.panel(row, column, matrix.shape[1]))
        axes.imshow(matrix, cmap=COLORS, vmin=0, vmax=greatest, aspect="auto")
        _label(axes, across[: matrix.shape[1]], [] if column else down, plan)
        _outline(axes, links or (), plan)
        above = plan.ink(10, weight="bold", va="bottom")
        axes.annotate(
            drawable(name, 40),
            (0, 1),
            (0, 72 * plan.top),
            "axes fraction",
            "offset points",
            **above,
        )
    _scale(figure.add_axes(plan.bar()), axes.images[0], plan)
    x, y = PAD / plan.size[0], 1 - PAD / plan.size[1]
    figure.text(x, y, title, **plan.ink(12, weight="bold", va="top"))
    return figure


def passage(weights: Any, sentences: Sequence[str], *, title: str = "") -> Figure:
    """Draws the weight of each sentence as a bar and as a number, left of the sentence.

    weights: [sentences], from 0 to 1. Long sentences have several lines. Raises ValueError if shapes do not fit.
    """
    (row,), sentences = labeled(np.asarray(weights)[None], sentences, [""], None)
    texts = [wrapped(drawable(sentence, 10_000), PASSAGE) or [""] for sentence in sentences]
    heading = wrapped(drawable(title, 10_000), PASSAGE) if title else []
    line, number, bar = 0.2, 0.45, 1.0  # inches
    height = line * (sum(map(len, texts)) + 1.4 * len(heading)) + 2 * PAD
    figure = Figure(dpi=DPI)
    FigureCanvasAgg(figure)
    widest = max(_inches(figure, text, 9.5) for lines in (*texts, heading) for text in lines)
    width = 3 * PAD + number + bar + max(1.05 * widest, 1.0)
    figure.set_size_inches((width, height))
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(height, 0))
    axes.axis("off")
    ink: dict[str, Any] = {"color": INK, "family": _families(), "parse_math": False, "va": "center"}
    y = PAD
    for text in heading:
        axes.text(PAD, y + 0.7 * line, text, size=9.5, weight="bold", **ink)
        y += 1.4 * line
    for weight, lines in zip(row, texts, strict=False):
        axes.text(
            PAD + number - 0.06, y + line / 2, f"{100 * weight:.0f} %", size=8, ha="right", **ink
        )
        corner = PAD + number, y + 0.03
        axes.add_patch(Rectangle(corner, bar * min(weight, 1), line - 0.06, facecolor=BAR))
        axes.add_patch(
            Rectangle(corner, bar, line - 0.06, fill=False, edgecolor=LINE, linewidth=0.6)
        )
        for text in lines:
            axes.text(2 * PAD + number + bar, y + line / 2, text, size=9.5, **ink)
            y += line
    return figure


def save(figure: Figure, path: str | os.PathLike[str]) -> None:
    """Saves the figure as a PNG file. The write is atomic, and equal figures give equal files.

    Raises ValueError if the path does not end in .png or cannot be written.
    """
    path = pathlib.Path(path)
    if path.suffix.lower() != ".png":
        raise ValueError(f"{path} does not end in .png; pictures are saved as PNG files")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    files.save(path, buffer.getvalue())


def drawable(word: str, longest: int = LONGEST_LABEL) -> str:
    """Returns the word with invisible characters removed and a box for each character that no font has."""
    word = word.replace("\n", UNICODE.newline)
    visible = (c for c in word if unicodedata.category(c) != "Cf" and not _selects_variant(c))
    return shorten("".join(c if ord(c) in _glyphs() else NO_GLYPH for c in visible), longest)


def _selects_variant(character):
    return "\ufe00" <= character <= "\ufe0f"


@functools.cache
def _families() -> list[str]:
    installed = {font.name for font in font_manager.fontManager.ttflist}
    return [name for name in FONTS if name in installed]


@functools.cache
def _glyphs() -> frozenset[int]:
    """Returns the code points that the fonts can draw, without control characters."""
    files = [font_manager.findfont(name) for name in _families()]
    codes = {code for file in files for code in FT2Font(file).get_charmap()}
    return frozenset(code for code in codes if unicodedata.category(chr(code)) != "Cc")


class _Plan(NamedTuple):
    """The layout of the picture, in inches."""

    size: tuple[float, float]  # of the whole picture
    cell: float  # the side of a cell
    panel_size: tuple[float, float]
    left: float  # the width of the target words, left of a panel
    top: float  # the height of the source words, above a panel
    header: float  # `top`, plus the height of the panel's name if it has one
    head: float  # the height of the picture's title
    columns: int
    upright: bool  # whether the source words are rotated by 90 degrees
    font: float  # points

    def panel(self, row: int, column: int, cells: int) -> tuple[float, float, float, float]:
        """Returns the box of a panel that is `cells` wide, in fractions of the picture."""
        width, height = self.panel_size
        x = PAD + self.left + column * (width + GAP)
        y = PAD + self.head + self.header + row * (self.header + height + GAP)
        return self._box(x, y, cells * self.cell, height)

    def bar(self) -> tuple[float, float, float, float]:
        """Returns the box of the color bar, right of the first row of panels."""
        width, height = self.panel_size
        x = PAD + self.left + self.columns * (width + GAP) - GAP + 0.15
        return self._box(x, PAD + self.head + self.header, 0.09, min(height, 1.6))

    def ink(self, size: float, **more: Any) -> dict[str, Any]:
        """Returns text properties: all fonts are available, and a dollar sign does not start a formula."""
        return {"size": size, "color": INK, "family": _families(), "parse_math": False, **more}

    def _box(self, x, y, width, height):
        across, down = self.size
        return x / across, 1 - (y + height) / down, width / across, height / down


def _plan(figure, across, down, names, columns, title):
    cell = float(np.clip(9 / max(len(across), len(down)), 0.17, 0.36))
    font = float(np.clip(27 * cell, 5.5, 9.5))
    widths = [_inches(figure, word, font) for word in across]
    # Source words are horizontal if each fits above its column, and vertical otherwise.
    upright = any(width > cell - 0.04 for width in widths)
    top = 0.08 + (max(widths) if upright else font / 72)
    left = 0.08 + max(_inches(figure, word, font) for word in down)
    width, height = len(across) * cell, len(down) * cell
    widest = max(_inches(figure, drawable(name, 40), 10, "bold") for name in names)
    panel_width = max(width, widest) if len(names) > 1 else width
    header, head = top + (0.24 if any(names) else 0), 0.34 if title else 0.0
    rows = -(-len(names) // columns)
    size = (
        2 * PAD
        + max(
            left + columns * (panel_width + GAP) - GAP + SCALE,
            left + widest,
            _inches(figure, title, 12, "bold"),
        ),
        2 * PAD + head + rows * (header + height + GAP) - GAP,
    )
    return _Plan(size, cell, (panel_width, height), left, top, header, head, columns, upright, font)


def _inches(figure, text, size, weight="normal"):
    if not text:
        return 0.0
    prop = font_manager.FontProperties(family=_families(), size=size, weight=weight)
    return figure.canvas.get_renderer().get_text_width_height_descent(text, prop, False)[0] / DPI


def _label(axes, across, down, plan):
    axes.xaxis.tick_top()
    axes.tick_params(length=0, pad=3)
    rotation = 90 if plan.upright else 0
    axes.set_xticks(range(len(across)), across, rotation=rotation, **plan.ink(plan.font))
    axes.set_yticks(range(len(down)), down, **plan.ink(plan.font))
    axes.spines[:].set(color=LINE, linewidth=0.6)


def _outline(axes, links, plan):
    inset = 0.06
    for i, j in sorted(links):
        corner, side = (i - 0.5 + inset, j - 0.5 + inset), 1 - 2 * inset
        axes.add_patch(
            Rectangle(corner, side, side, fill=False, edgecolor=GOLD, linewidth=5 * plan.cell)
        )


def _scale(axes, image, plan):
    """Draws the color bar, from zero to the largest weight."""
    low, high = image.get_clim()
    bar = axes.figure.colorbar(image, cax=axes, ticks=[low, high])
    bar.outline.set(color=LINE, linewidth=0.6)
    axes.tick_params(length=0, pad=3)
    labels = axes.set_yticklabels(["0", f"{high:.2g}"], **plan.ink(7.5, color=MUTED))
    for label, side in zip(labels, ("bottom", "top"), strict=True):
        label.set_verticalalignment(side)
