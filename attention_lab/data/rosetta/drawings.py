"""Drawings: sprites in a place, whose pixels are drawn when they are needed."""

import dataclasses
import functools
import hashlib
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from attention_lab.data.rosetta.sprites import COLORS, SPRITES, enlarged, sprite

SIZE = 64  # pixels of a picture's side
NOISE = 6.0  # the standard deviation of the brightness of pixels, of 255

# The colors of each place, of its upper and its lower part.
PLACES = MappingProxyType(
    {
        "garden": ((176, 214, 160), (128, 182, 110)),
        "street": ((196, 196, 200), (160, 160, 166)),
        "beach": ((150, 200, 232), (236, 220, 170)),
        "kitchen": ((246, 226, 204), (214, 172, 140)),
    }
)


class Placed(NamedTuple):
    """A sprite in a picture: its color, "" for its own, and its upper left corner."""

    noun: str
    color: str
    side: int
    y: int
    x: int


@dataclasses.dataclass(frozen=True)
class Drawing:
    """A picture by what it shows; its pixels are drawn when they are needed."""

    place: str
    sprites: tuple[Placed, ...]
    noise: int  # the seed of the noise

    def __str__(self):
        names = [f"{one.color} {one.noun}".strip() for one in self.sprites]
        return f"picture of {', '.join(names)}, {self.place}"

    @property
    def digest(self) -> str:
        """The sha256 of the picture's description and of what draws it."""
        described = repr((self.place, tuple(map(tuple, self.sprites)), self.noise, _drawn_by()))
        return hashlib.sha256(described.encode()).hexdigest()

    def pixels(self) -> np.ndarray:
        """Returns uint8 [64, 64, 3]."""
        upper, lower = PLACES[self.place]
        canvas = np.empty((SIZE, SIZE, 3))
        canvas[: SIZE // 2], canvas[SIZE // 2 :] = upper, lower
        for noun, color, side, y, x in self.sprites:
            pixels, opaque = (enlarged(array, side) for array in sprite(noun, color))
            canvas[y : y + side, x : x + side][opaque] = pixels[opaque]
        # The numbers of this older generator are the same in every version of NumPy.
        canvas += np.random.RandomState(self.noise).normal(0, NOISE, (SIZE, SIZE, 1))
        return np.clip(canvas, 0, 255).astype(np.uint8)


@functools.cache
def _drawn_by():
    parts = SIZE, NOISE, dict(PLACES), dict(COLORS), dict(SPRITES)
    return hashlib.sha256(repr(parts).encode()).hexdigest()
