"""The listener of Listen, Attend and Spell (Chan et al. 2016, §3.1): recurrent layers that join two states each."""

from functools import partial
from typing import Any

from flax import linen as nn

from attention_lab.models.base import Dropout, Encoded, look_up
from attention_lab.models.cells import CELLS, Cell, bidirectional, init_bidirectional
from attention_lab.models.convolutions import windows
from attention_lab.models.encoders.contract import Encoder
from attention_lab.padded import Padded


class Pyramidal(Encoder):
    """One bidirectional layer over frames, then layers that read h_2i and h_2i+1 of the one below, side by side.

    The summary is [h→_K; h←_1] of the highest layer.
    """

    cell: Cell
    features: int
    joins: int

    reads = "frames"
    embedding = None

    @property
    def label(self) -> str:
        """The cell."""
        return f"pyramidal({self.cell.name})"

    @property
    def stride(self) -> int:
        """The frames that one state replaces, 2^joins."""
        return 2**self.joins

    @nn.compact
    def __call__(self, source: Padded, dropout: Dropout, weights: bool = False) -> Encoded:
        """source: frames [L, F]. Returns ceil(L / 2^joins) states and no weights."""
        del weights
        x = source
        for number in range(self.joins + 1):
            below = windows(x, 2, 2) if number else x
            size = below.values.shape[-1]
            init = partial(init_bidirectional, self.cell)
            params = self.param(f"layer_{number}", init, size, self.features // 2)
            states, summary = bidirectional(self.cell, params, dropout(below.values), below.valid)
            x = Padded(states, below.valid)
        return Encoded(x.values, x.valid, summary, {})


def pyramidal(*, cell: str = "lstm", features: int = 256, joins: int = 3) -> Any:
    """Returns a pyramidal encoder.

    features: of a state, both directions together. joins: the layers that halve the number of states, after one that
    does not. Raises ValueError if features are odd, joins are negative, or the cell is unknown.
    """
    if features % 2:
        raise ValueError(
            f"features={features} must be even, because each direction has half of them"
        )
    if joins < 0:
        raise ValueError(f"joins={joins}: a pyramidal encoder needs 0 or more")
    return Pyramidal(look_up("cell", CELLS, cell), features, joins)
