"""The annotations of an image (Xu et al. 2015, §3.1.1): features of the cells of a grid, by convolutions."""

from typing import Any

from attention_lab.mechanism import choose
from attention_lab.mechanism.contracts import Encoding
from attention_lab.models.base import Dropout, Encoded
from attention_lab.models.convolutions import Convolutions, halvings, sequence
from attention_lab.models.encoders.contract import Encoder
from attention_lab.models.encoders.transformer import mean
from attention_lab.models.places import encode_cells, init_cells
from attention_lab.padded import Padded


class Convolutional(Encoder):
    """Convolutions, each of which halves the height and the width; the summary is the mean annotation."""

    features: int
    kernel: int
    encoding: Encoding
    positions: int
    side: int

    label = "convolutional"
    embedding = None
    reads = "image"

    @property
    def stride(self) -> int:
        """The pixels of a cell's side."""
        return self.side

    def setup(self) -> None:
        """Makes the convolutions, the first of which has the fewest features."""
        count = halvings("stride", self.stride)
        wide = [max(self.features >> (count - 1 - number), 1) for number in range(count)]
        self.convolutions = Convolutions(tuple(wide), self.kernel)
        self.place = self.param(
            "positions", init_cells(self.encoding, self.features, self.positions)
        )

    def __call__(self, source: Padded, dropout: Dropout, weights: bool = False) -> Encoded:
        """source: an image [Y, X, C]. Returns the states of ceil(Y / stride) · ceil(X / stride) cells, row by row."""
        del weights
        grid = self.convolutions(source, dropout)
        grid = grid._replace(values=encode_cells(self.encoding, self.place, grid.values))
        states, valid = sequence(grid)
        return Encoded(states, valid, mean(states, valid), {})


def convolutional(
    *,
    features: int = 128,
    stride: int = 8,
    kernel: int = 4,
    encoding: str = "no_encoding",
    positions: int = 64,
) -> Any:
    """Returns a convolutional encoder.

    features: D of an annotation. stride: the pixels of a cell's side, a power of two; there are log₂ stride
    convolutions, each with twice as many features as the one before. kernel: the positions that each reads, along each
    axis. encoding: of the rows and columns of the grid, half of the features each; positions: their greatest number,
    for tables. Raises ValueError if a name is unknown or stride is not a power of two.
    """
    halvings("stride", stride)
    return Convolutional(features, kernel, choose("encoding", encoding), positions, stride)
