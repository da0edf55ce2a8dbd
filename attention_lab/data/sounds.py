"""Recordings as sources: where their samples come from, and the frames that a model reads.

A sound is anything with `samples(rate)`, float32 [N] between −1 and 1, and `digest`, a sha256 of all on which they
depend: samples are read or synthesized when they are needed.
"""

import dataclasses
import functools
import os
import pathlib
from collections.abc import Hashable, Iterable, Sequence
from typing import Protocol

import numpy as np

from attention_lab import files

WINDOW, HOP = 0.025, 0.010  # seconds of a frame, and between two frames
LONGEST = 120.0  # seconds of a recording
FLOOR = 1e-8  # the power below which there is silence


class Sound(Hashable, Protocol):
    """A source whose samples are float32 [N]; equal ones have equal samples."""

    @property
    def digest(self) -> str:
        """A sha256 of all on which the samples depend."""

    def samples(self, rate: int, /) -> np.ndarray:
        """Returns the samples, `rate` of them a second."""


@dataclasses.dataclass(frozen=True)
class SoundFile:
    """A recording in a file, such as WAV or FLAC; the mean of its channels."""

    path: str

    def __str__(self):
        return self.path

    @property
    def digest(self) -> str:
        """The sha256 of the file. Raises ValueError if it cannot be read."""
        return files.digest_of(self.path)

    def check(self) -> None:
        """Raises ValueError where `samples` does."""
        self._read()

    def samples(self, rate: int) -> np.ndarray:
        """Returns float32 [N], resampled to `rate` samples a second.

        Raises ValueError if soundfile is not installed, or the file is missing, no recording, empty or too long.
        """
        return resampled(*self._read(), rate)

    def _read(self) -> tuple[np.ndarray, int]:
        """Returns the samples, and how many there are in a second."""
        try:
            import soundfile
        except ImportError:
            raise ValueError(
                "recordings in files need the package soundfile: pip install soundfile"
            ) from None
        if not pathlib.Path(self.path).exists():
            raise ValueError(f"there is no file {self.path}")
        if pathlib.Path(self.path).is_dir():
            raise ValueError(f"{self.path} is a folder; give files")
        try:
            with soundfile.SoundFile(self.path) as opened:
                seconds = opened.frames / opened.samplerate
                if seconds > LONGEST:
                    raise ValueError(
                        f"{self.path} takes {seconds:,.0f} s, and at most {LONGEST:.0f} s are read; cut it into parts"
                    )
                given, own = opened.read(dtype="float32", always_2d=True), opened.samplerate
        except (soundfile.SoundFileError, RuntimeError, TypeError, OSError) as error:
            reason = str(error).removeprefix(f"Error opening {self.path!r}: ").removesuffix(".")
            raise ValueError(
                f"{self.path} is no recording that can be read: {reason}; restore it, or leave it out"
            ) from None
        if not len(given):
            raise ValueError(f"{self.path} has no samples; restore it, or leave it out")
        if _is_cut_off(self.path):
            raise ValueError(
                f"{self.path} ends before its header says; restore it, or leave it out"
            )
        return given.mean(1), own


def _is_cut_off(path):
    """Whether a WAV file is shorter than its header says, which libsndfile passes over.

    A program that writes to a pipe does not know the length, and says 0 or the most that there can be.
    """
    with open(path, "rb") as file:
        head = file.read(8)
    said = int.from_bytes(head[4:], "little")
    # Some programs count a byte of padding that they do not write.
    return head[:4] == b"RIFF" and said < 2**31 - 1 and os.path.getsize(path) + 1 < said + len(head)


def resampled(samples: np.ndarray, given: int, wanted: int) -> np.ndarray:
    """Returns samples at another rate, by SciPy's polyphase filter, which lets no frequency above the half of it pass."""
    if given == wanted:
        return samples.astype(np.float32)
    # A local import: SciPy takes long to import.
    from scipy.signal import resample_poly

    common = np.gcd(given, wanted)
    return resample_poly(samples, wanted // common, given // common).astype(np.float32)


@dataclasses.dataclass(frozen=True)
class Spectrograms:
    """The reader of sounds: the logarithms of `mels` mel bands, 100 frames a second, each band with mean 0 and deviation 1.

    rate: samples a second; a sound of another rate is resampled. Bands are those of Slaney 1998, as in librosa, and the
    mean and deviation of each are taken over the recording, so that neither loudness nor the microphone matters. A source
    that has no samples, but frames of its own, frames() [K, mels], is normalized alike.
    """

    rate: int
    mels: int

    reads = "frames"

    def __post_init__(self):
        if not isinstance(self.rate, int) or not 1000 <= self.rate <= 192_000:
            raise ValueError(
                f"a rate of {self.rate!r} samples a second: it must be 1,000 to 192,000"
            )
        if not isinstance(self.mels, int) or not 2 <= self.mels <= 256:
            raise ValueError(f"{self.mels!r} mel bands: their number must be 2 to 256")

    def __len__(self) -> int:
        return self.mels

    def arrays(self, sources: Iterable[Sound]) -> list[np.ndarray]:
        """Returns float32 [K, mels] of each sound."""
        return [_frames_of(self, source) for source in sources]

    def sizes(self, sources: Sequence[Sound]) -> np.ndarray:
        """Returns the number of frames of each sound, [N]."""
        return np.array([len(_frames_of(self, source)) for source in sources], int)

    def scale(self, source: Sound) -> float:
        """Returns the frames of a second."""
        del source
        return 1 / HOP

    def labels(self, states: Sequence[int], stride: int) -> list[str]:
        """Returns the time at which each state begins, in seconds, "0.24"."""
        (count,) = states
        return [f"{k * stride * HOP:.2f}" for k in range(count)]

    def described(self) -> str:
        """Returns what it reads, for the plan of a run."""
        return f"{self.mels} mel bands at {self.rate:,} Hz"


@functools.lru_cache(maxsize=2000)  # a validation set is read many times
def _frames_of(reader, source):
    if given := getattr(source, "frames", None):
        rows = given()
        if rows.shape[1] != reader.mels:
            raise ValueError(
                f"{source} has frames of {rows.shape[1]} features; set data.mels to {rows.shape[1]}"
            )
        return normalized(rows)
    return normalized(log_mels(source.samples(reader.rate), reader.rate, reader.mels))


def frames(samples: int, rate: int) -> int:
    """Returns the number of frames of so many samples: one for each HOP that has begun."""
    return -(-samples // round(HOP * rate))


def log_mels(samples: np.ndarray, rate: int, mels: int) -> np.ndarray:
    """Returns ln(power of each mel band + FLOOR) of samples [N]: float32 [K, mels].

    Frame k is centred on the middle of the k-th HOP, and silence is added at both ends. The window is that of Hann, and
    the transform as long as the next power of two.
    """
    window, hop = round(WINDOW * rate), round(HOP * rate)
    count = frames(len(samples), rate)
    before = (window - hop) // 2
    padded = np.zeros(before + (count - 1) * hop + window + hop)
    padded[before : before + len(samples)] = samples
    starts = np.arange(count) * hop
    rows = padded[starts[:, None] + np.arange(window)] * np.hanning(window + 1)[:-1]
    size = 1 << (window - 1).bit_length()
    power = np.abs(np.fft.rfft(rows, size)) ** 2
    return np.log(power @ mel_bands(rate, mels, size).T + FLOOR).astype(np.float32)


@functools.cache
def mel_bands(rate: int, mels: int, size: int) -> np.ndarray:
    """Returns triangles [mels, size / 2 + 1], each with the same area, equally far apart in Slaney's mel scale.

    The scale is linear below 1,000 Hz, 200/3 Hz a mel, and logarithmic above, 27 mel for a factor of 6.4.
    """
    frequencies = np.fft.rfftfreq(size, 1 / rate)
    edges = _hertz(np.linspace(0, _mel(rate / 2), mels + 2))
    low, middle, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    rising, falling = (frequencies - low) / (middle - low), (high - frequencies) / (high - middle)
    return np.maximum(0, np.minimum(rising, falling)) * 2 / (high - low)


def _mel(hertz):
    return hertz * 3 / 200 if hertz < 1000 else 15 + 27 * np.log(hertz / 1000) / np.log(6.4)


def _hertz(mels):
    return np.where(mels < 15, mels * 200 / 3, 1000 * np.exp((mels - 15) / 27 * np.log(6.4)))


def normalized(rows: np.ndarray) -> np.ndarray:
    """Returns rows [K, F] of which each feature has mean 0 and deviation 1 over the rows; a constant one is 0."""
    deviation = rows.std(0, dtype=float)
    return ((rows - rows.mean(0, dtype=float)) / np.maximum(deviation, 1e-3)).astype(np.float32)
