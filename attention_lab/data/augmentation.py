"""Augmentation of training sources: an image is moved and its light changes, and bands of a spectrogram are hidden.

Each function is pure: what is random comes from a generator that belongs to (seed, epoch, example), so that a batch can
be computed at any time, in any order, and again.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Augment = Callable[[np.ndarray, np.random.Generator], np.ndarray]


@dataclass(frozen=True)
class Masks:
    """Hides bands of frames [K, F]: SpecAugment without time warping (Park et al. 2019, §2).

    frequency_masks: how many bands of features are set to 0, the mean; each has a width of 0 to frequency_width, and lies
    anywhere. time_masks, time_width: the same for frames, and no width exceeds the share time_share of all frames.
    """

    frequency_masks: int = 0
    frequency_width: int = 8
    time_masks: int = 0
    time_width: int = 20
    time_share: float = 0.2

    def __post_init__(self):
        for name in ("frequency_masks", "frequency_width", "time_masks", "time_width"):
            _whole(name, getattr(self, name))
        if not 0 <= self.time_share <= 1:
            raise ValueError(f"data.augment.time_share is {self.time_share!r}, not between 0 and 1")

    def __bool__(self):
        return bool(self.frequency_masks or self.time_masks)

    def __call__(self, frames: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Returns the frames, of which bands are 0."""
        hidden, (length, features) = frames.copy(), frames.shape
        for _ in range(self.frequency_masks):
            hidden[:, _band(features, self.frequency_width, rng)] = 0
        longest = min(self.time_width, int(self.time_share * length))
        for _ in range(self.time_masks):
            hidden[_band(length, longest, rng)] = 0
        return hidden


@dataclass(frozen=True)
class Shifts:
    """Moves an image [Y, X, C] and changes its light.

    shift: the most pixels by which it moves along each axis; its edge fills what becomes free. contrast: all values are
    multiplied by 1 ± contrast; brightness: and ± brightness is added, in units of the range −1 to 1, to which they are cut.
    """

    shift: int = 0
    contrast: float = 0.0
    brightness: float = 0.0

    def __post_init__(self):
        _whole("shift", self.shift)
        for name in ("contrast", "brightness"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(
                    f"data.augment.{name} is {getattr(self, name)!r}, not between 0 and 1"
                )

    def __bool__(self):
        return bool(self.shift or self.contrast or self.brightness)

    def __call__(self, image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Returns an image of the same size."""
        moves = rng.integers(-self.shift, self.shift, 2, endpoint=True)
        rows, columns = (
            np.clip(np.arange(size) - move, 0, size - 1)
            for size, move in zip(image.shape[:2], moves, strict=True)
        )
        factor, term = 1 + rng.uniform(-1, 1, 2) * (self.contrast, self.brightness) + (0, -1)
        moved = image[rows[:, None], columns]
        return np.clip(moved * factor + term, -1, 1).astype(image.dtype)


def _band(size, width, rng):
    """A slice of 0 to `width` of the positions 0 .. size − 1, as wide as they allow."""
    wide = rng.integers(0, min(width, size), endpoint=True)
    start = rng.integers(0, size - wide, endpoint=True)
    return slice(start, start + wide)


def _whole(name, value):
    if not isinstance(value, int) or value < 0:
        raise ValueError(f"data.augment.{name} is {value!r}, not a whole number of at least 0")
