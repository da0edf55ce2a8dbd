"""Figures for a paper: curves with confidence bands, and points with error bars.

    figure = lines({"additive": Curve([1, 2], [90, 80], [88, 77], [92, 83])}, x="words", y="BLEU")
    svg(figure)       # text remains selectable; equal figures give equal SVG

Each curve has its own color, marker and dashes. The colors are Okabe and Ito's palette, which color-blind readers
can distinguish.
"""

import io
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#000000", "#E69F00", "#56B4E9", "#8A8200")
MARKERS = "osD^vPX*"
DASHES: tuple[Any, ...] = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (8, 2)))
INK, FAINT = "#1b2a41", "#c9d2dc"
SIZE = (6.4, 3.6)  # inches


class Curve(NamedTuple):
    """The points of a curve, with an interval around each."""

    x: Sequence[float]
    y: Sequence[float]
    low: Sequence[float]
    high: Sequence[float]


def lines(
    curves: Mapping[str, Curve], *, x: str, y: str, ticks: Sequence[str] | None = None
) -> Figure:
    """Draws each curve as a line with a band for its intervals.

    x, y: labels of the axes, with units. ticks: labels of x = 0, 1, ..; labels after the last point are omitted.
    """
    figure, axes = _axes(x, y)
    for number, (name, curve) in enumerate(curves.items()):
        style = _style(number)
        axes.fill_between(
            curve.x, curve.low, curve.high, color=style["color"], alpha=0.13, linewidth=0
        )
        dashes = DASHES[number % len(DASHES)]
        axes.plot(curve.x, curve.y, **style, linestyle=dashes, linewidth=1.6, label=_text(name))
    if ticks is not None:
        last = max((int(max(curve.x)) for curve in curves.values()), default=0)
        axes.set_xticks(range(last + 1), [_text(tick) for tick in ticks[: last + 1]])
    return _finish(figure, axes)


def points(curves: Mapping[str, Curve], *, x: str, y: str) -> Figure:
    """Draws the points of each curve with error bars, without a line that connects them."""
    figure, axes = _axes(x, y)
    for number, (name, curve) in enumerate(curves.items()):
        below = [b - a for a, b in zip(curve.low, curve.y, strict=True)]
        above = [b - a for a, b in zip(curve.y, curve.high, strict=True)]
        axes.errorbar(
            curve.x,
            curve.y,
            [below, above],
            **_style(number),
            linestyle="none",
            elinewidth=1.2,
            capsize=2.5,
            label=_text(name),
        )
    return _finish(figure, axes)


def svg(figure: Figure) -> str:
    """Returns the figure as an <svg> element with selectable text; equal figures give equal strings."""
    buffer = io.StringIO()
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "attention_lab"}):
        figure.savefig(
            buffer, format="svg", metadata={"Date": None, "Creator": None, "Format": None}
        )
    text = buffer.getvalue()
    return text[text.index("<svg") :]


def _axes(x, y):
    figure = Figure(figsize=SIZE, dpi=160, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    axes.set_xlabel(x, color=INK)
    axes.set_ylabel(y, color=INK)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
    axes.xaxis.set_major_locator(MaxNLocator(6))
    axes.grid(True, color=FAINT, linewidth=0.5, alpha=0.7)
    axes.tick_params(colors=INK, labelsize=9)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(FAINT)
    return figure, axes


def _style(number):
    return {
        "color": COLORS[number % len(COLORS)],
        "marker": MARKERS[number % len(MARKERS)],
        "markersize": 5,
    }


def _text(name):
    """Returns the name such that Matplotlib prints it literally.

    A dollar sign does not start a formula, and a leading underscore does not hide the legend entry.
    """
    return "\u200b" + name.replace("$", r"\$")


def _finish(figure, axes):
    figure.legend(
        *axes.get_legend_handles_labels(),
        loc="outside right upper",
        frameon=False,
        fontsize=9,
        labelcolor=INK,
    )
    return figure
