"""Corpora of images with captions and of recordings with transcripts, by name, in files.

* emoji_scenes: scenes of one to four drawn objects (sprites of Noto Emoji), with up to five captions, and the box of every
  object that a caption names; `comp` has pairs of a color and a noun that training has not;
* fsdd_strings: 1 to 7 spoken digits of the Free Spoken Digit Dataset, joined, with the time of each;
* an4: read speech of CMU's AN4, as 13 MFCCs, 100 frames a second.
"""

import dataclasses
import functools
import hashlib
import re
from typing import Any, NamedTuple

import numpy as np

from attention_lab import files
from attention_lab.data.corpus_files import Folder, field, plain_or_gzipped, rows_of
from attention_lab.data.sounds import resampled
from attention_lab.mechanism.registry import unknown

_SPLITS = {"train": "train", "validation": "valid", "test": "test", "comp": "comp"}
_CANVAS = 96  # pixels of a scene's side
_GROUNDS = (
    (255, 255, 255),
    (225, 238, 252),
    (232, 247, 228),
    (252, 240, 222),
    (240, 230, 248),
    (214, 214, 214),
)
_DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
SCHEMES = ("take", "speaker")
LONG, LONG_STRINGS = (
    range(6, 21),
    20,
)  # digits of the strings of test_long, and the number of strings of each


@dataclasses.dataclass(frozen=True)
class Scene:
    """A scene by its objects, (sprite, left, top, side); its pixels are drawn when they are needed."""

    path: str  # of the sprites
    ground: int
    objects: tuple[tuple[int, int, int, int], ...]

    def __str__(self):
        return f"scene of {len(self.objects)} objects"

    @property
    def digest(self) -> str:
        """The sha256 of the scene's description and of the sprites."""
        described = repr((self.ground, self.objects, _digest(self.path)))
        return hashlib.sha256(described.encode()).hexdigest()

    def pixels(self) -> np.ndarray:
        """Returns uint8 [96, 96, 3]: each sprite reduced by averages of areas, over the ground."""
        canvas = np.empty((_CANVAS, _CANVAS, 3))
        canvas[:] = _GROUNDS[self.ground]
        for sprite, left, top, side in self.objects:
            drawn = _reduced(self.path, sprite, side)
            part = canvas[top : top + side, left : left + side]
            part[:] = drawn[..., :3] + part * (1 - drawn[..., 3:] / 255)  # colors are premultiplied
        return np.clip(np.rint(canvas), 0, 255).astype(np.uint8)


_digest = functools.cache(files.digest_of)


@functools.cache
def _arrays(path):
    with np.load(path, allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}


@functools.lru_cache(maxsize=1000)
def _reduced(path, sprite, side):
    """Returns a sprite [side, side, 4] of which each pixel is the mean of the area that it covers."""
    given = _arrays(path)["rgba"][sprite].astype(float)
    size = len(given)
    low = np.arange(side)[:, None] * size / side
    high, place = low + size / side, np.arange(size)
    share = np.clip(np.minimum(high, place + 1) - np.maximum(low, place), 0, None) * side / size
    return np.stack([share @ given[..., channel] @ share.T for channel in range(4)], -1)


def emoji_scenes(split: str, *, path: Folder) -> list[dict[str, Any]]:
    """Scenes with captions: {"source": Scene, "target", "targets", "target_words", "regions", "links"}.

    path: the folder of emoji_scenes.jsonl, gzipped or not, and of emoji_sprites.npz. The splits are train, validation,
    test and comp. The target is the first caption, of the objects from left to right.
    """
    sprites = str(plain_or_gzipped(path, "emoji_sprites.npz"))
    nouns = _arrays(sprites)["noun"].tolist()

    def example(row: dict[str, Any]) -> dict[str, Any] | None:
        if field(row, str, "split") != _SPLITS[split]:
            return None
        objects = [
            (sprite, left, top, side) for sprite, left, top, side in field(row, list, "objs")
        ]
        captions, owners = field(row, list, "caps"), field(row, list, "align")[0]
        return {
            "source": Scene(sprites, field(row, int, "bg"), tuple(objects)),
            "target": captions[0],
            "targets": captions,
            "target_words": captions[0].split(),
            "regions": [
                {"label": nouns[sprite], "box": (top, left, top + side, left + side)}
                for sprite, left, top, side in objects
            ],
            "links": sorted((owner, word) for word, owner in enumerate(owners) if owner >= 0),
        }

    rows = rows_of(plain_or_gzipped(path, "emoji_scenes.jsonl"), example)
    return [one for one in rows if one is not None]


@dataclasses.dataclass(frozen=True)
class Digits:
    """Recordings of one speaker, joined with gaps of faint noise; their samples are put together when they are needed."""

    path: str  # of all recordings
    recordings: tuple[int, ...]
    gaps: tuple[int, ...]  # samples before, between and after them

    def __str__(self):
        return f"{len(self.recordings)} spoken digits"

    @property
    def digest(self) -> str:
        """The sha256 of what is joined and of the recordings."""
        described = repr((self.recordings, self.gaps, _digest(self.path)))
        return hashlib.sha256(described.encode()).hexdigest()

    def samples(self, rate: int) -> np.ndarray:
        """Returns float32 [N], `rate` samples a second."""
        audio, offsets, own = _recordings(self.path)
        parts = [audio[offsets[i] : offsets[i + 1]] for i in self.recordings]
        total = sum(map(len, parts)) + sum(self.gaps)
        # The numbers of this older generator are the same in every version of NumPy.
        joined = np.rint(np.random.RandomState(0).normal(0, 8.0, total))
        start = self.gaps[0]
        for part, gap in zip(parts, self.gaps[1:], strict=True):
            joined[start : start + len(part)] = part
            start += len(part) + gap
        return resampled((joined / 32768).astype(np.float32), own, rate)


@functools.cache
def _recordings(path):
    """Returns all samples, int16 [N], the offsets of the recordings, and the samples a second."""
    with np.load(path, allow_pickle=False) as arrays:
        steps = (arrays["lo"].astype(np.uint16) | (arrays["hi"].astype(np.uint16) << 8)).view(
            np.int16
        )
        return np.cumsum(steps, dtype=np.int16), arrays["offsets"], int(arrays["rate"])


def fsdd_strings(
    split: str, *, path: Folder, scheme: str = "take", longest: int = 7
) -> list[dict[str, Any]]:
    """Strings of spoken digits: {"source": Digits, "target": "two nine", "target_words", "regions", "links"}.

    path: the folder of fsdd.npz and fsdd_strings.jsonl, gzipped or not. scheme: "take" tests other recordings of the same
    six speakers, and "speaker" another speaker. longest: the most digits of a string; longer ones are left out. The split
    test_long has strings of 6 to 20 digits, which are joined here from the recordings of the test split, with gaps like
    those of the others. A region is the time of a digit, in seconds.
    """
    if scheme not in SCHEMES:
        raise ValueError(unknown("scheme of fsdd_strings", scheme, SCHEMES))
    if type(longest) is not int or longest < 1:
        raise ValueError(f"longest={longest!r}: a string has 1 digit or more")
    recordings = str(plain_or_gzipped(path, "fsdd.npz"))
    own = scheme, _SPLITS[split.removesuffix("_long")]

    def said(row: dict[str, Any]) -> _String | None:
        if (field(row, str, "scheme"), field(row, str, "split")) != own:
            return None
        words = [(digit, first, last) for digit, first, last in field(row, list, "words")]
        numbers = field(row, list, "recs"), field(row, list, "gaps")
        return _String(field(row, str, "spk"), words, *numbers)

    rows = [row for row in rows_of(plain_or_gzipped(path, "fsdd_strings.jsonl"), said) if row]
    if split.endswith("_long"):
        strings = _long_strings(rows, np.diff(_recordings(recordings)[1]).tolist())
    else:
        strings = [row for row in rows if len(row.words) <= longest]
    return [_example(recordings, string) for string in strings]


class _String(NamedTuple):
    """A string as in the file: words (digit, first sample, last sample); gaps in samples before, between and after them."""

    speaker: str
    words: list[tuple[int, int, int]]
    recordings: list[int]
    gaps: list[int]


def _example(recordings, string):
    rate = _recordings(recordings)[2]
    words = [_DIGITS[digit] for digit, _, _ in string.words]
    return {
        "source": Digits(recordings, tuple(string.recordings), tuple(string.gaps)),
        "target": " ".join(words),
        "target_words": words,
        "regions": [
            {"label": word, "box": (first / rate, last / rate)}
            for word, (_, first, last) in zip(words, string.words, strict=True)
        ],
        "links": [(number, number) for number in range(len(words))],
    }


def _long_strings(strings, sizes):
    """LONG_STRINGS strings of each number of digits in LONG, each of one speaker. sizes: the samples of each recording."""
    rng = np.random.RandomState(0)  # of which numbers are the same in every version of NumPy
    by_speaker: dict[str, dict[int, int]] = {}
    for one in strings:
        digits = (digit for digit, _, _ in one.words)
        by_speaker.setdefault(one.speaker, {}).update(zip(one.recordings, digits, strict=True))
    gaps = np.array([gap for one in strings for gap in one.gaps])
    speakers = sorted(by_speaker)
    return [
        _joined(rng, speakers[rng.randint(len(speakers))], by_speaker, gaps, sizes, count)
        for count in LONG
        for _ in range(LONG_STRINGS if speakers else 0)
    ]


def _joined(rng, speaker, by_speaker, gaps, sizes, count):
    """A string of so many recordings of a speaker, with gaps like the given ones."""
    own = sorted(by_speaker[speaker].items())
    chosen = [own[i] for i in rng.randint(len(own), size=count)]
    between = gaps[rng.randint(len(gaps), size=count + 1)].tolist()
    words, start = [], between[0]
    for (number, digit), gap in zip(chosen, between[1:], strict=True):
        words.append((digit, start, start + sizes[number]))
        start += sizes[number] + gap
    return _String(speaker, words, [number for number, _ in chosen], between)


@dataclasses.dataclass(frozen=True)
class Cepstra:
    """An utterance of AN4: 13 MFCCs, 100 frames a second, of which there is no recording."""

    path: str
    number: int

    @property
    def digest(self) -> str:
        """The sha256 of the file, and the number of the utterance."""
        return hashlib.sha256(f"{_digest(self.path)} {self.number}".encode()).hexdigest()

    def frames(self) -> np.ndarray:
        """Returns float32 [K, 13]."""
        arrays = _arrays(self.path)
        first, last = arrays["offsets"][self.number : self.number + 2]
        return arrays["mfcc"][first:last].astype(np.float32)


def an4(split: str, *, path: Folder) -> list[dict[str, Any]]:
    """Read speech of AN4: {"source": Cepstra, "target": transcript in lower case, "target_words"}.

    path: the folder of an4_mfcc.npz. Set data.mels to 13: the frames are given, and are not mel bands.
    """
    file = str(plain_or_gzipped(path, "an4_mfcc.npz"))
    arrays = _arrays(file)
    texts = [re.sub(r"\s+", " ", text.lower()).strip() for text in arrays["text"].tolist()]
    return [
        {"source": Cepstra(file, number), "target": text, "target_words": text.split()}
        for number, (text, own) in enumerate(zip(texts, arrays["split"].tolist(), strict=True))
        if own == _SPLITS[split]
    ]
