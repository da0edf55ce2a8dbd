"""The bidirectional recurrent encoder of Bahdanau et al. 2015, A.2.1: h_j = [h→_j; h←_j]."""

from functools import partial
from typing import Any

from flax import linen as nn

from attention_lab.mechanism.contracts import Params
from attention_lab.models.base import Dropout, Encoded, look_up
from attention_lab.models.cells import CELLS, Cell, bidirectional, init_bidirectional
from attention_lab.padded import Padded


class Recurrent(nn.Module):
    """Bidirectional layers; the summary is [h→_K; h←_1] of the highest one."""

    cell: Cell
    embedding: int
    features: int
    layers: int

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
                self.features if number else self.embedding,
                self.features // 2,
            )
            for number in range(self.layers)
        ]

    def __call__(self, source: Padded, dropout: Dropout, weights: bool = False) -> Encoded:
        """source: embeddings [K, E]. Returns K states and no weights."""
        del weights
        x = source.values
        for params in self.layer:
            x, summary = bidirectional(self.cell, params, dropout(x), source.valid)
        return Encoded(x, source.valid, summary, {})

    def limit(self, params: Params) -> int | None:
        """Returns None: the number of positions is not limited."""
        del params
        return None


def recurrent(
    *, cell: str = "gru", embedding: int = 256, features: int = 256, layers: int = 1
) -> Any:
    """Returns a recurrent encoder.

    embedding: E; features: of a state h_j, both directions together. Raises ValueError if they are odd,
    there is no layer, or the cell is unknown.
    """
    if features % 2:
        raise ValueError(
            f"features={features} must be even, because each direction has half of them"
        )
    if layers < 1:
        raise ValueError(f"layers={layers}: a recurrent encoder needs 1 or more")
    return Recurrent(look_up("cell", CELLS, cell), embedding, features, layers)
