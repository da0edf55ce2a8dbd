"""A recording as its spectrogram, and under it when a model listened while it wrote each word."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from attention_lab.data.sounds import HOP, log_mels
from attention_lab.views.heatmap import COLORS, DPI, GOLD, INK, LINE, PAD, drawable

RATE, MELS = 8000, 64  # of the spectrogram that is shown
SECOND, WORD, SPECTRUM, LABELS = 2.6, 0.2, 1.1, 1.0  # inches


def under(
    sound: Any,
    weights: Any,
    words: Sequence[str],
    scale: float,
    times: Sequence[Sequence[tuple[float, float]]] = (),
) -> Figure:
    """Draws the spectrogram of a sound, and below it a row for each word with its weights over time.

    weights: [words, K]. scale: weights for each second. times: of each word, when it is said, (start, end) in seconds,
    which is outlined. Raises ValueError if there is not one row for each word.
    """
    weights = np.asarray(weights, float)
    if weights.ndim != 2 or len(weights) != len(words) or not len(words):
        raise ValueError(
            f"weights of shape {weights.shape} do not fit {len(words)} words; expected [words, states]"
        )
    bands = log_mels(sound.samples(RATE), RATE, MELS)
    seconds = max(len(bands) * HOP, weights.shape[1] / scale)
    wide, tall = max(SECOND * seconds, 2.5), WORD * len(words)
    size = (LABELS + wide + 2 * PAD, SPECTRUM + tall + 0.5 + 2 * PAD)
    figure = Figure(dpi=DPI)
    FigureCanvasAgg(figure)
    figure.set_size_inches(size)
    left, across = (LABELS + PAD) / size[0], wide / size[0]
    bottom = (PAD + 0.4) / size[1]
    upper = figure.add_axes((left, bottom + (tall + 0.08) / size[1], across, SPECTRUM / size[1]))
    upper.imshow(
        bands.T, aspect="auto", origin="lower", cmap="magma",
        extent=(0, len(bands) * HOP, 0, RATE / 2000), vmin=np.quantile(bands, 0.05),
    )  # fmt: skip
    upper.set_ylabel("kHz", size=8, color=INK)
    upper.tick_params(labelbottom=False, labelsize=7)
    lower = figure.add_axes((left, bottom, across, tall / size[1]))
    extent = (0, weights.shape[1] / scale, len(words), 0)
    lower.imshow(
        weights, aspect="auto", cmap=COLORS, vmin=0, extent=extent, interpolation="nearest"
    )
    lower.set_yticks(np.arange(len(words)) + 0.5, [drawable(word, 14) for word in words], size=8)
    for text in lower.get_yticklabels():
        text.set_parse_math(False)
    lower.set_xlabel("seconds", size=8, color=INK)
    lower.tick_params(axis="x", labelsize=7)
    lower.hlines(range(1, len(words)), 0, seconds, color=LINE, linewidth=0.4)
    for row, said in enumerate(times):
        for start, end in said:
            box = Rectangle((start, row), end - start, 1, fill=False, edgecolor=GOLD, linewidth=1.2)
            lower.add_patch(box)
    for axes in (upper, lower):
        axes.set_xlim(0, seconds)
    return figure
