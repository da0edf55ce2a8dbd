"""The plot of a benchmark: milliseconds and temporary MiB against length, on logarithmic axes."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from attention_lab.benchmarks.report import Key, series
from attention_lab.mechanism import SCORES

# Okabe and Ito's palette, which color-blind readers can distinguish. The color shows the implementation ...
COLORS = {
    "blockwise": "#0072B2",
    "dense": "#D55E00",
    "fused": "#E69F00",
    "jax": "#009E73",
    "flax": "#CC79A7",
    "torch": "#000000",
    "flex": "#56B4E9",
    "tokamax": "#8a8200",
}
# ... and the line style with its marker shows the score.
STYLES = (("-", "o"), ("--", "s"), (":", "^"), ("-.", "D"))
INK, MUTED, FAINT = "#1b2a41", "#6b7785", "#c9d2dc"
PANELS = (
    ("milliseconds", "time  [ms, median]", "Time"),
    ("temp_mib", "temporary memory  [MiB]", "Temporary memory"),
)
End = tuple[float, float, str, str]  # x and y of the end of a line, its name, its color
LABEL_GAP = 0.043  # the least distance between two labels, as a fraction of the panel's height


def draw(rows: Sequence[dict[str, Any]]) -> Figure | None:
    """Draws one line per score and implementation, for one direction and mask.

    Returns None if no score and implementation was measured at two lengths. A case that was compiled, and then
    skipped because of its memory, has a point in the memory panel alone.
    """
    chosen = _view(rows)
    if chosen is None:
        return None
    direction, causal = chosen
    figure = Figure(figsize=(13, 5.8), dpi=160)
    FigureCanvasAgg(figure)
    panels = figure.subplots(1, 2)
    figure.subplots_adjust(left=0.07, right=0.865, top=0.83, bottom=0.105, wspace=0.56)
    for axes, (field, label, title) in zip(panels, PANELS, strict=True):
        lines = {
            key: by_length
            for key, by_length in series(rows, field).items()
            if key[2:] == chosen and len(by_length) > 1
        }
        _panel(axes, lines, label, title)
    first = rows[0]
    sizes = f"heads: {first['heads']} of {first['features']} features, float32"
    how = direction.replace("+", " + ") + (", causal" if causal else "")
    machine = f"{first['environment']['device']}, {first['environment']['cpus']} processors"
    figure.text(0.07, 0.945, f"Self-attention, {how}", fontsize=14, weight="bold", color=INK)
    figure.text(0.07, 0.903, f"{sizes} · {machine}", fontsize=9.5, color=MUTED)
    return figure


def _view(rows: Sequence[dict[str, Any]]) -> tuple[str, bool] | None:
    """Returns the (direction, causal) to draw; it prefers both directions, and no causal mask."""
    views = {key[2:] for key, values in series(rows, "milliseconds").items() if len(values) > 1}
    return max(views, key=lambda view: (len(view[0]), not view[1]), default=None)


def _panel(axes: Any, lines: dict[Key, dict[int, float]], label: str, title: str) -> None:
    scores = sorted({key[0] for key in lines}, key=lambda name: [*SCORES, name].index(name))
    ends: list[End] = []
    for key, by_length in lines.items():
        lengths, numbers = zip(*sorted(by_length.items()), strict=True)
        style, marker = STYLES[scores.index(key[0]) % len(STYLES)]
        color = COLORS[key[1]]
        axes.plot(
            lengths, numbers, style, marker=marker, color=color, markersize=4.5, linewidth=1.7
        )
        ends.append((lengths[-1], numbers[-1], f"{key[0]} · {key[1]}", color))
    axes.set(xscale="log", yscale="log")
    axes.set_xlabel("length  [positions]", color=INK)
    axes.set_ylabel(label, color=INK)
    axes.set_title(title, fontsize=11, color=INK, loc="left", pad=8)
    if not lines:
        return
    ends += _guides(axes, lines)
    _ticks(axes, sorted({length for by_length in lines.values() for length in by_length}))
    _labels(axes, ends)


def _ticks(axes: Any, lengths: list[int]) -> None:
    axes.set_xticks(lengths, [f"{length:,}" for length in lengths])
    axes.xaxis.set_minor_locator(NullLocator())
    low, high = axes.get_ylim()
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < 1000 * low else (1,)))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:,g}"))
    axes.grid(True, which="major", color=FAINT, linewidth=0.5, alpha=0.7)
    axes.tick_params(colors=INK, labelsize=9)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(FAINT)


def _guides(axes: Any, lines: dict[Key, dict[int, float]]) -> list[End]:
    """Draws gray lines of slope 1 and 2 below all points of the last two octaves. Returns their ends."""
    points = [point for by_length in lines.values() for point in by_length.items()]
    lowest, highest = min(y for _, y in points), max(y for _, y in points)
    last = max(x for x, _ in points)
    span = np.array([max(last / 4, min(x for x, _ in points)), last], float)
    start = 0.5 * min(y / (x / span[0]) ** 2 for x, y in points if x >= span[0])
    axes.set_ylim(min(start, lowest) / 1.6, highest * 1.6)
    ends: list[End] = []
    for slope, text in ((1, "∝ length"), (2, "∝ length²")):
        heights = start * (span / span[0]) ** slope
        axes.plot(span, heights, color=MUTED, linewidth=0.9, dashes=(1, 2))
        ends.append((span[1], heights[1], text, MUTED))
    return ends


def _labels(axes: Any, ends: list[End]) -> None:
    """Writes the name of each line in its color, right of the panel and connected to the end of the line.

    The name of a line that ends at a shorter length is at its end, inside the panel.
    """
    low, high = np.log(axes.get_ylim())
    left, right = np.log(axes.get_xlim())
    last = max(end[0] for end in ends)
    for x, y, text, color in ends:
        if x < last:
            above = {"xytext": (0, 8), "textcoords": "offset points", "ha": "center"}
            axes.annotate(text, (x, y), **above, fontsize=9, color=color)
    ends = sorted((end for end in ends if end[0] == last), key=lambda end: end[1])
    heights = _spread([(np.log(end[1]) - low) / (high - low) for end in ends])
    for (x, y, text, color), height in zip(ends, heights, strict=True):
        across = (np.log(x) - left) / (right - left)
        up = (np.log(y) - low) / (high - low)
        axes.plot(
            [across + 0.015, 1.015, 1.045],
            [up, height, height],
            transform=axes.transAxes,
            color=color,
            linewidth=0.7,
            alpha=0.55,
            clip_on=False,
        )
        axes.text(
            1.055, height, text, transform=axes.transAxes, va="center", fontsize=9, color=color
        )


def _spread(wanted: list[float]) -> list[float]:
    """Returns the heights that are nearest to `wanted`, in ascending order, with LABEL_GAP between neighbors.

    Neighbors that are too close form a block around the mean of their wanted heights. This is the pool adjacent
    violators algorithm, applied to the heights minus the gaps below them.
    """
    blocks: list[list[float]] = []
    for index, height in enumerate(wanted):
        blocks.append([height - index * LABEL_GAP])
        while len(blocks) > 1 and np.mean(blocks[-2]) > np.mean(blocks[-1]):
            blocks[-2:] = [blocks[-2] + blocks[-1]]
    level = [float(np.mean(block)) for block in blocks for _ in block]
    return [height + index * LABEL_GAP for index, height in enumerate(level)]
