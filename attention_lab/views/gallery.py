"""The gallery: one picture that shows the attention weights of every piece on the same sequence.

    gallery.draw().savefig("gallery.png")

Each kind of piece has a row of heatmaps. A heatmap shows the weights of self-attention in which only that
piece differs from the default. The pieces come from the registries, so a new one appears automatically.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from attention_lab.mechanism import (
    PIECES,
    Dims,
    Head,
    init_attention,
    make_attention,
    self_attention,
)

LENGTH, RETURN, FEATURES, SEED = 12, 8, 8, 0
COLORS, INK, MUTED, LINE = "Blues", "#1b2a41", "#6b7785", "#c9d2dc"
CODE = "DejaVu Sans Mono"


class Kind(NamedTuple):
    """One row of the gallery.

    options: the specification with which a piece is shown, by its name; by default it is the name itself.
    more: specifications that are shown after the registered pieces. contrast: a factor on the sequence; a dot
    product is scaled by its square.
    """

    field: str
    title: str
    caption: str
    options: Mapping[str, str] = {}
    more: tuple[str, ...] = ()
    contrast: float = 1.0

    def words(self) -> list[str]:
        """Returns the specifications of the pieces of this row, as `make_attention` accepts them."""
        return [self.options.get(name, name) for name in PIECES[self.field]] + list(self.more)


KINDS = (
    Kind("score", "score", "how well a query\nand a key match"),
    Kind("normalize", "normalizer", "how scores\nbecome weights", contrast=1.1),
    Kind(
        "mask",
        "mask",
        "which keys a query\nmay see",
        options={"window": "window(2)", "grid_window": "grid_window(4)", "prefix": "prefix(4)"},
        more=("both(causal, window(3))",),
    ),
    Kind(
        "locality",
        "locality",
        "where a query\nlooks",
        options={
            "local_m": "local_m(2)",
            "local_p": "local_p(2)",
            "local_grid": "local_grid(4, 1)",
        },
    ),
    Kind("bias", "bias", "what positions add\nto a score", options={"shaw": "shaw(3)"}),
)


def sequence() -> jax.Array:
    """Returns the sequence [LENGTH, FEATURES], a smooth closed curve with a period of RETURN positions."""
    angle = 2 * np.pi * np.arange(LENGTH) / RETURN
    waves = [
        wave(m * angle) / m**1.5 for m in range(1, FEATURES // 2 + 1) for wave in (np.cos, np.sin)
    ]
    amplitude = 1.3 + 0.3 * np.sin(np.pi * np.arange(LENGTH) / LENGTH)
    return jnp.asarray(np.stack(waves, axis=1) * amplitude[:, None], jnp.float32)


def weights_of(kind: Kind, words: str) -> np.ndarray:
    """Returns the weights [LENGTH, LENGTH] of self-attention with the piece that `words` specifies."""
    attention = make_attention(**{kind.field: words})
    dims = Dims(FEATURES, FEATURES, positions=LENGTH)
    params = init_attention(attention, jax.random.key(SEED), dims)
    x = kind.contrast * sequence()
    context = self_attention(attention, params, x, weights=True, head=Head(0, 8))
    return np.asarray(context.weights)


def draw() -> Figure:
    """Draws the whole gallery."""
    columns = max(len(kind.words()) for kind in KINDS)
    figure = Figure(figsize=(1.15 * columns + 1.8, 1.4 * len(KINDS) + 0.25), dpi=160)
    FigureCanvasAgg(figure)
    grid = figure.add_gridspec(
        len(KINDS), columns, left=0.135, right=0.99, top=0.95, bottom=0.02, wspace=0.14, hspace=0.32
    )
    for row, kind in enumerate(KINDS):
        for column, words in enumerate(kind.words()):
            axes = figure.add_subplot(grid[row, column])
            heatmap(axes, weights_of(kind, words))
            axes.set_title(words.replace(", ", ",\n"), fontsize=7.5, color=INK, pad=4, family=CODE)
            if column == 0:
                label(figure, axes, kind)
    legend(figure, grid[-2:, -3:].get_position(figure))
    return figure


def heatmap(axes: Any, weights: np.ndarray) -> None:
    """Draws weights [Q, K]. White is zero; the darkest color is the largest weight of each query."""
    image = weights / np.maximum(weights.max(axis=1, keepdims=True), 1e-9)
    axes.imshow(image, cmap=COLORS, vmin=0, vmax=1)
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set(color=LINE, linewidth=0.6)


def label(figure: Figure, axes: Any, kind: Kind) -> None:
    """Writes the name of a row, and what its pieces determine, in the left margin."""
    middle = sum(axes.get_position().intervaly) / 2
    figure.text(0.012, middle + 0.012, kind.title, fontsize=11, weight="bold", color=INK)
    figure.text(0.012, middle + 0.002, kind.caption, fontsize=7.5, color=MUTED, va="top")


def legend(figure: Figure, slots: Any) -> None:
    """Draws the legend: a large panel of the default attention, at the right of the box `slots`."""
    width, height = figure.get_size_inches()
    side = slots.height * height / width
    axes = figure.add_axes((slots.x1 - side - 0.045, slots.y0, side, slots.height))
    heatmap(axes, weights_of(KINDS[0], "scaled_dot"))
    axes.xaxis.tick_top()
    axes.xaxis.set_label_position("top")
    axes.set(xticks=range(LENGTH), yticks=range(LENGTH))
    axes.tick_params(labelsize=7, colors=MUTED, length=0, pad=3)
    axes.set_xlabel("key", fontsize=9, color=INK, labelpad=5)
    axes.set_ylabel("query", fontsize=9, color=INK, labelpad=5)

    bar_axes = figure.add_axes((slots.x1 - 0.037, slots.y0, 0.009, slots.height))
    bar = figure.colorbar(axes.images[0], cax=bar_axes, ticks=[0, 1])
    bar.outline.set(color=LINE, linewidth=0.6)
    bar_axes.tick_params(length=0, pad=3)
    low, high = bar_axes.set_yticklabels(["none", "most"], fontsize=7, color=MUTED)
    low.set_verticalalignment("bottom")
    high.set_verticalalignment("top")
