"""Images as sources: where their pixels come from, and the arrays that a model reads.

An image is anything with `pixels()`, uint8 [Y, X, 3], and `digest`, a sha256 of all on which they depend: pixels are
read or drawn when they are needed, so that a corpus need not fit into memory.
"""

import dataclasses
import warnings
from collections.abc import Iterable, Sequence
from typing import Protocol

import numpy as np

from attention_lab import files

CHANNELS = 3
LARGEST = 64_000_000  # pixels of a file; a decoded image takes three bytes for each
MULTIPLE = 16  # sizes are multiples of it, so that all batches of images have one size


class Image(Protocol):
    """A source whose pixels are uint8 [Y, X, 3]."""

    @property
    def digest(self) -> str:
        """A sha256 of all on which the pixels depend."""

    def pixels(self) -> np.ndarray:
        """Returns the pixels."""


@dataclasses.dataclass(frozen=True)
class ImageFile:
    """An image in a file, in any format that Pillow reads; of an animation, the first frame."""

    path: str

    def __str__(self):
        return self.path

    @property
    def digest(self) -> str:
        """The sha256 of the file. Raises ValueError if it cannot be read."""
        return files.digest_of(self.path)

    def check(self) -> None:
        """Raises ValueError where `pixels` does."""
        self.pixels()

    def pixels(self) -> np.ndarray:
        """Returns uint8 [Y, X, 3], turned as the camera was held; transparent pixels are white.

        Raises ValueError if the file is missing, is no image, is damaged, or has more than LARGEST pixels.
        """
        # A local import: only images in files require it.
        from PIL import Image as pillow
        from PIL import ImageOps

        # Pillow's own limit is another one, of which it warns without the name of the file.
        warnings.filterwarnings("ignore", category=pillow.DecompressionBombWarning)
        try:
            with pillow.open(self.path) as opened:
                width, height = opened.size
                if width * height > LARGEST:
                    raise ValueError(
                        f"{self.path} has {width} x {height} pixels, and at most {LARGEST:,} are read; reduce it"
                    )
                turned = ImageOps.exif_transpose(opened)
                if turned.mode.startswith(("I", "F")):  # Pillow cuts off values above 255
                    return _gray(np.asarray(turned))
                color = turned.convert("RGBA")
        except FileNotFoundError:
            raise ValueError(f"there is no file {self.path}") from None
        except IsADirectoryError:
            raise ValueError(f"{self.path} is a folder; give files") from None
        except (OSError, SyntaxError, pillow.DecompressionBombError) as error:
            unknown = isinstance(error, pillow.UnidentifiedImageError)  # it repeats the path
            raise ValueError(
                f"{self.path} is no image that can be read: {'its format is not known' if unknown else error}; "
                "restore it, or leave it out"
            ) from None
        white = pillow.new("RGBA", color.size, (255, 255, 255, 255))
        return np.asarray(pillow.alpha_composite(white, color).convert("RGB"))


def scaled(pixels: np.ndarray) -> np.ndarray:
    """Returns float32 [Y, X, 3], −1 to 1, of pixels, uint8 [Y, X, 3]."""
    return (pixels / 127.5 - 1).astype(np.float32)


def _gray(values: np.ndarray) -> np.ndarray:
    """Returns gray pixels, of 16 bits or of any other range, as uint8 [Y, X, 3]."""
    values = values.astype(float)
    most = 65535.0 if values.max(initial=0) > 255 else 255.0
    shades = (np.clip(values / most, 0, 1) * 255).round().astype(np.uint8)
    return np.repeat(shades[..., None], CHANNELS, -1)


@dataclasses.dataclass(frozen=True)
class Images:
    """The reader of images: the longer side is `size` pixels, and values are −1 to 1.

    A model reads squares of `size` x `size` pixels, in which the rest is padding that does not exist.
    """

    size: int

    reads = "image"

    def __post_init__(self):
        if not isinstance(self.size, int) or self.size < MULTIPLE or self.size % MULTIPLE:
            raise ValueError(
                f"images of {self.size!r} pixels: the size must be a multiple of {MULTIPLE}, such as 64"
            )

    def __len__(self) -> int:
        return CHANNELS

    def arrays(self, sources: Iterable[Image]) -> list[np.ndarray]:
        """Returns float32 [Y, X, 3] of each image."""
        return [scaled(self.resized(source.pixels())) for source in sources]

    def sizes(self, sources: Sequence[Image]) -> np.ndarray:
        """Returns the pixels of the longer side of each array, [N]."""
        return np.full(len(sources), self.size)

    def resized(self, pixels: np.ndarray) -> np.ndarray:
        """Returns pixels whose longer side is `size`, by Pillow's bilinear filter; unchanged if it already is."""
        height, width = pixels.shape[:2]
        longer = max(height, width)
        if longer == self.size:
            return pixels
        from PIL import Image as pillow

        scale = self.size / longer
        to = (max(round(width * scale), 1), max(round(height * scale), 1))
        return np.asarray(pillow.fromarray(pixels).resize(to, pillow.Resampling.BILINEAR))

    def scale(self, source: Image) -> float:
        """Returns the pixels of the array for each pixel of the image."""
        return self.size / max(source.pixels().shape[:2])

    def labels(self, states: Sequence[int], stride: int) -> list[str]:
        """Returns the row and the column of each cell, "2,5"."""
        del stride
        rows, columns = states
        return [f"{y},{x}" for y in range(rows) for x in range(columns)]

    def described(self) -> str:
        """Returns what it reads, for the plan of a run."""
        return f"images of {self.size} x {self.size} pixels"
