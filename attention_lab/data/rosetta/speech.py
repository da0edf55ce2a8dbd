"""Sentences of rosetta as speech, synthesized, with the exact time of every word.

    the old cat is sleeping under a chair                  # 0.15 to 0.31 s: the, 0.37 to 0.55 s: old, ..

Every sentence has a speaker of its own, high or low, slow or fast, in a room with more or less noise. The transcript is
in lower case and without punctuation, as one hears it.
"""

import dataclasses
import functools
import hashlib
import re
from typing import Any

import numpy as np

from attention_lab.data.rosetta import voices
from attention_lab.data.rosetta.corpus import rosetta
from attention_lab.data.rosetta.dice import Dice
from attention_lab.data.rosetta.voices import RATE, Voice, draw_voice
from attention_lab.data.sounds import resampled

SIZES = {"train": 8_000, "validation": 300, "test": 500, "test_long": 300}


@dataclasses.dataclass(frozen=True)
class Speech:
    """What one voice says; its samples are synthesized when they are needed."""

    words: tuple[str, ...]
    voice: Voice
    noise: int  # the seed of the noises

    def __str__(self):
        return f"speech at {self.voice.pitch:.0f} Hz"

    @property
    def digest(self) -> str:
        """The sha256 of the words, the voice and what synthesizes them."""
        described = repr((self.words, tuple(self.voice), self.noise, _synthesized_by()))
        return hashlib.sha256(described.encode()).hexdigest()

    def samples(self, rate: int) -> np.ndarray:
        """Returns float32 [N], `rate` samples a second."""
        return resampled(voices.say(self.words, self.voice, self.noise), RATE, rate)

    def times(self) -> list[tuple[float, float]]:
        """Returns the start and the end of each word, in seconds."""
        return voices.times(self.words, self.voice, self.noise)


@functools.cache
def _synthesized_by():
    with open(voices.__file__, "rb") as source:
        return hashlib.sha256(source.read()).hexdigest()


def rosetta_speech(
    split: str,
    size: int | None = None,
    seed: int = 0,
    vocabulary: int | None = None,
    longest: int = 10,
) -> list[dict[str, Any]]:
    """The first `size` spoken sentences of a split: train, validation, test or test_long.

    {"source": Speech, "target": text, "target_words", "regions": [{"label", "box"}], "links"}: a region is a word, its box
    (start, end) in seconds, and a link (region, word of the target), each with the same number. The options are those of
    `rosetta`, whose English sentences these are; those of test_long have up to 60 words. Raises ValueError as it does.
    """
    size = SIZES.get(split) if size is None else size
    pairs = rosetta(split, size, seed, vocabulary, longest)
    return [dict(one) for one in _spoken(split, seed, tuple(pair["source"] for pair in pairs))]


@functools.lru_cache(maxsize=8)
def _spoken(split, seed, sentences):
    dice = Dice(f"rosetta_speech {split} {seed}")
    return tuple(_example(dice, sentence) for sentence in sentences)


def _example(dice, sentence):
    words = tuple(re.findall(r"[a-z]+(?:['-][a-z]+)*", sentence.lower()))
    speech = Speech(words, draw_voice(dice), int(2**32 * dice.fraction()))
    return {
        "source": speech,
        "target": " ".join(words),
        "target_words": list(words),
        "regions": [
            {"label": word, "box": box} for word, box in zip(words, speech.times(), strict=True)
        ],
        "links": [(number, number) for number in range(len(words))],
    }
