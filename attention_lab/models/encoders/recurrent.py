"""The bidirectional recurrent encoder of Bahdanau et al. 2015, A.2.1: h_j = [h→_j; h←_j]."""

from functools import partial
from typing import Any

from attention_lab.models.base import Dropout, Encoded, look_up
from attention_lab.models.cells import CELLS, Cell, bidirectional, init_bidirectional
from attention_lab.models.convolutions import Front, make_front
from attention_lab.models.encoders.contract import Encoder
from attention_lab.padded import Padded


class Recurrent(Encoder):
    """Bidirectional layers; the summary is [h→_K; h←_1] of the highest one."""

    cell: Cell
    width: int
    features: int
    layers: int
    front: Front | None = None

    @property
    def embedding(self) -> int | None:
        """E of the embeddings that it reads; None: it reads no tokens."""
        return None if self.front else self.width

    @property
    def reads(self) -> str:
        """The kind of its source."""
        return self.front.reads if self.front else "tokens"

    @property
    def stride(self) -> int:
        """The positions of the source that one state replaces."""
        return self.front.stride if self.front else 1

    @property
    def label(self) -> str:
        """The cell."""
        return f"recurrent({self.cell.name})"

    def setup(self) -> None:
        """Makes the parameters."""
        self.layer = [
            self.param(
                f"layer_{number}",
                partial(init_bidirectional, self.cell),
                self.features if number else self.width,
                self.features // 2,
            )
            for number in range(self.layers)
        ]
        if self.front:
            self.entry = self.front.make(self.width)

    def __call__(self, source: Padded, dropout: Dropout, weights: bool = False) -> Encoded:
        """source: embeddings [K, E], or frames [L, F] of which K remain. Returns K states and no weights."""
        del weights
        if self.front:
            source = self.entry(source, dropout)
        x = source.values
        for params in self.layer:
            x, summary = bidirectional(self.cell, params, dropout(x), source.valid)
        return Encoded(x, source.valid, summary, {})


def recurrent(
    *,
    cell: str = "gru",
    embedding: int = 256,
    features: int = 256,
    layers: int = 1,
    reads: str = "tokens",
    stride: int = 4,
) -> Any:
    """Returns a recurrent encoder.

    embedding: E, of a token or of what convolutions make of frames; features: of a state h_j, both directions together.
    reads: "tokens", or "frames", of which convolutions leave one in `stride`. Raises ValueError if features are odd,
    there is no layer, or a name is unknown.
    """
    if features % 2:
        raise ValueError(
            f"features={features} must be even, because each direction has half of them"
        )
    if layers < 1:
        raise ValueError(f"layers={layers}: a recurrent encoder needs 1 or more")
    front = None if reads == "tokens" else make_front(reads, stride)
    return Recurrent(look_up("cell", CELLS, cell), embedding, features, layers, front)
