"""A small formant synthesizer: English words become sound, and it is known when each is said.

    voice = draw_voice(dice)
    samples = say(("the", "cat", "sleeps"), voice, noise=7)
    times(("the", "cat", "sleeps"), voice, noise=7)             # the start and the end of each word, in seconds

A word is a sequence of phones, which a few rules read off its letters. A phone is voiced or noise or both, with three
formants (Peterson & Barney 1952) and a duration; vowels glide to their neighbors. A voiced sound is a sum of harmonics,
each as loud as the formants near its frequency; noise is shaped in the same way. It is not natural, but a model that
hears words must do here what it must do anywhere: tell sounds apart, whoever says them, however fast.
"""

import functools
import re
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from attention_lab.data.rosetta.dice import Dice

RATE = 8000  # samples a second
STEP = 40  # samples for which a sound does not change: 5 ms
PAUSE = 0.06  # seconds between words
EDGE = 0.15  # seconds of silence before and after a sentence
WIDTHS = (90.0, 110.0, 170.0)  # bandwidths of the formants in Hz


class Phone(NamedTuple):
    """A sound: three formants in Hz, how loud its voice and its noise are, and how long it takes in milliseconds."""

    formants: tuple[float, float, float]
    voice: float
    noise: float
    duration: float


_VOWELS = {
    "ee": (280, 2250, 2900, 130),
    "i": (400, 1950, 2550, 80),
    "e": (540, 1830, 2480, 85),
    "a": (690, 1660, 2450, 110),
    "o": (600, 950, 2450, 110),
    "oo": (310, 870, 2250, 130),
    "u": (630, 1180, 2400, 80),
    "er": (490, 1350, 1690, 120),
    "ai": (430, 2100, 2650, 150),
    "ow": (520, 820, 2350, 150),
    "ar": (720, 1090, 2450, 150),
}
_CONSONANTS = {
    "m": (250, 1100, 2100, 0.5, 0.0, 75),
    "n": (250, 1600, 2600, 0.5, 0.0, 70),
    "ng": (250, 2000, 2700, 0.5, 0.0, 85),
    "l": (360, 1100, 2900, 0.6, 0.0, 65),
    "r": (330, 1200, 1600, 0.6, 0.0, 70),
    "w": (290, 650, 2200, 0.6, 0.0, 65),
    "y": (260, 2200, 3000, 0.6, 0.0, 60),
    "s": (3400, 3700, 3900, 0.0, 0.5, 105),
    "sh": (2100, 2700, 3300, 0.0, 0.6, 110),
    "f": (1500, 2500, 3500, 0.0, 0.25, 95),
    "th": (1400, 2600, 3800, 0.1, 0.15, 85),
    "h": (700, 1500, 2500, 0.0, 0.25, 60),
    "v": (400, 1300, 2500, 0.35, 0.15, 65),
    "z": (300, 3400, 3800, 0.3, 0.35, 85),
    "ch": (2300, 2900, 3500, 0.0, 0.7, 80),
    "j": (2000, 2700, 3300, 0.3, 0.4, 75),
    "p": (600, 1000, 2300, 0.0, 0.5, 25),
    "b": (500, 900, 2200, 0.3, 0.3, 25),
    "t": (1800, 3000, 3600, 0.0, 0.7, 25),
    "d": (1600, 2600, 3300, 0.3, 0.4, 25),
    "k": (1300, 2000, 2600, 0.0, 0.7, 30),
    "g": (1200, 1900, 2500, 0.3, 0.4, 30),
}
PHONES = MappingProxyType(
    {name: Phone((a, b, c), 1.0, 0.0, d) for name, (a, b, c, d) in _VOWELS.items()}
    | {name: Phone((a, b, c), v, n, d) for name, (a, b, c, v, n, d) in _CONSONANTS.items()}
)
STOPS = frozenset({"p", "b", "t", "d", "k", "g", "ch", "j"})  # after a closure
CLOSURE = 45.0  # milliseconds
SILENCE = (0.0,) * 5

# What letters sound like, the longest match first; a final e is silent.
_SPELLED = (
    ("tch", "ch"), ("igh", "a i"), ("ough", "ow"), ("augh", "o"), ("eau", "ow"), ("ch", "ch"),
    ("sh", "sh"), ("th", "th"), ("ph", "f"), ("wh", "w"), ("ck", "k"), ("ng", "ng"), ("qu", "k w"),
    ("kn", "n"), ("wr", "r"), ("ee", "ee"), ("ea", "ee"), ("oo", "oo"), ("ou", "a oo"),
    ("ow", "ow"), ("oa", "ow"), ("oi", "o i"), ("oy", "o i"), ("ai", "ai"), ("ay", "ai"),
    ("ey", "ai"), ("ei", "ai"), ("ie", "ee"), ("er", "er"), ("ir", "er"), ("ur", "er"),
    ("or", "o r"), ("ar", "ar"), ("au", "o"), ("aw", "o"), ("ew", "y oo"), ("ue", "oo"),
    ("ui", "oo"), ("ss", "s"), ("ll", "l"), ("tt", "t"), ("pp", "p"), ("bb", "b"), ("dd", "d"),
    ("ff", "f"), ("gg", "g"), ("mm", "m"), ("nn", "n"), ("rr", "r"), ("zz", "z"), ("x", "k s"),
    ("ce", "s e"), ("ci", "s i"), ("ge", "j e"), ("c", "k"), ("q", "k"), ("y", "i"),
    *((letter, letter) for letter in "abdefghijklmnoprstuvwz"),
)  # fmt: skip
_PATTERN = re.compile("|".join(letters for letters, _ in _SPELLED))


@functools.cache
def phones_of(word: str) -> tuple[str, ...]:
    """Returns the phones of an English word, by rules of spelling; characters without a sound are left out."""
    letters = re.sub(r"[^a-z]", "", word.lower())
    sounds = dict(_SPELLED)
    if letters.startswith("y"):
        return ("y", *phones_of(letters[1:])) if len(letters) > 1 else ("y",)
    silent = len(letters) > 2 and letters.endswith("e") and re.search("[aeiouy]", letters[:-1])
    if silent and letters[-2] not in "eo":
        letters = letters[:-1] + ("" if letters[-2] not in "cg" else "e")
    found = [sound for match in _PATTERN.findall(letters) for sound in sounds[match].split()]
    if silent and len(found) > 1 and found[-1] == "e":
        found.pop()
    return tuple(found)


class Voice(NamedTuple):
    """A speaker: pitch in Hz, the factor of all formants, that of all durations, and the noise relative to the voice."""

    pitch: float
    formants: float
    duration: float
    noise: float


def draw_voice(dice: Dice) -> Voice:
    """Returns a speaker, high or low, large or small, slow or fast, in a quiet or a noisy room."""
    high = dice.fraction()
    return Voice(
        pitch=90 + 130 * high,
        formants=0.9 + 0.2 * high + 0.08 * (dice.fraction() - 0.5),
        duration=0.8 + 0.4 * dice.fraction(),
        noise=10 ** -(1.2 + 0.8 * dice.fraction()),
    )


def say(words: tuple[str, ...], voice: Voice, noise: int) -> np.ndarray:
    """Returns a sentence as one voice says it: samples, float32 [N], RATE of them a second.

    noise: the seed of the noises, and of the small differences in pitch and duration.
    """
    draw, rows, _ = _track(words, voice, noise)
    return _sound(_smooth(rows), voice, draw)


def times(words: tuple[str, ...], voice: Voice, noise: int) -> list[tuple[float, float]]:
    """Returns the start and the end of each word of what `say` returns, in seconds."""
    return _track(words, voice, noise)[2]


def _track(words, voice, noise):
    """Returns the generator of random numbers, rows of 5 ms each, three formants, voice and noise, and the times of words.

    A word without any sound lasts as long as a pause.
    """
    # The numbers of this older generator are the same in every version of NumPy.
    draw = np.random.RandomState(noise)
    rows: list[np.ndarray] = [_held(SILENCE, EDGE)]
    found = []
    for number, word in enumerate(words):
        if number:
            rows.append(_held(SILENCE, PAUSE * voice.duration * draw.uniform(0.5, 1.5)))
        start = sum(map(len, rows))
        for name in phones_of(word):
            rows += _phone(name, voice.duration * draw.uniform(0.85, 1.15))
        if not phones_of(word):
            rows.append(_held(SILENCE, PAUSE))
        found.append((start * STEP / RATE, sum(map(len, rows)) * STEP / RATE))
    rows.append(_held(SILENCE, EDGE))
    return draw, np.concatenate(rows), found


def _held(row, seconds):
    """Returns rows that last so many seconds, at least one."""
    count = max(round(seconds * RATE / STEP), 1)
    return np.repeat(np.asarray(row, float)[None], count, 0)


def _phone(name, factor):
    """Returns the rows of a phone: of a stop, those of its closure first."""
    formants, voice, noise, duration = PHONES[name]
    held = _held((*formants, voice, noise), duration * factor / 1000)
    if name not in STOPS:
        return [held]
    return [_held((*formants, 0.06 * (voice > 0), 0.0), CLOSURE * factor / 1000), held]


def _smooth(track):
    """Returns the rows [T, 5], in which formants glide over 35 ms and loudness over 15 ms."""
    track = track.copy()
    silent = track[:, 0] == 0
    filled = np.where(silent, 0, np.arange(len(track)))
    np.maximum.accumulate(filled, out=filled)
    track[:, :3] = track[filled, :3]
    track[track[:, 0] == 0, :3] = PHONES["er"].formants
    for columns, width in ((slice(0, 3), 7), (slice(3, 5), 3)):
        padded = np.pad(track[:, columns], ((width // 2, width // 2), (0, 0)), mode="edge")
        track[:, columns] = np.mean([padded[i : i + len(track)] for i in range(width)], axis=0)
    return track


def _sound(track, voice, draw):
    """Returns float32 [T · STEP]: harmonics and noise as loud as the formants make them, and the noise of the room."""
    count = len(track) * STEP
    # The pitch falls through the sentence and trembles a little.
    pitch = (
        voice.pitch * np.linspace(1.08, 0.9, len(track)) * (1 + 0.02 * draw.normal(size=len(track)))
    )
    turn = np.exp(2j * np.pi * np.cumsum(np.repeat(pitch, STEP)) / RATE)
    harmonics = np.arange(1, int(0.5 * RATE / pitch.min()) + 1)
    frequencies = pitch[:, None] * harmonics  # [T, H]
    loud = _gain(frequencies, track, voice) * track[:, 3:4] / harmonics**0.5
    loud[frequencies > 0.48 * RATE] = 0
    voiced, wave, ramp = np.zeros(count), np.ones(count, complex), np.arange(STEP) / STEP
    for own in loud.T:
        wave = wave * turn  # exp(i k phase), whose imaginary part is the k-th harmonic
        slope = np.append(own[1:], own[-1]) - own
        voiced += (own[:, None] + slope[:, None] * ramp).ravel() * wave.imag
    sound = voiced + _hiss(track, voice, draw)
    level = np.sqrt(np.mean(sound**2))
    sound = sound / max(level, 1e-9) + voice.noise * draw.normal(size=count)
    return (0.1 * sound).astype(np.float32)


def _gain(frequencies, track, voice):
    """Returns how loud each frequency [T, H] is: a sum of resonances, the higher the weaker."""
    total = np.full(frequencies.shape, 0.004)
    for number, width in enumerate(WIDTHS):
        center = np.minimum(track[:, number : number + 1] * voice.formants, 0.49 * RATE)
        total += 0.7**number / (1 + ((frequencies - center) / width) ** 2)
    return total


def _hiss(track, voice, draw):
    """Returns noise [T · STEP] with the spectrum of the formants, in windows that overlap by half."""
    size = 2 * STEP
    frequencies = np.broadcast_to(np.fft.rfftfreq(size, 1 / RATE), (len(track), STEP + 1))
    shape = _gain(frequencies, track, voice) * track[:, 4:5]
    white = np.fft.rfft(draw.normal(size=(len(track), size)))
    parts = np.fft.irfft(white * shape, size) * np.hanning(size)
    sound = np.zeros((len(track) + 1) * STEP)
    sound[:-STEP].reshape(-1, STEP)[:] += parts[:, :STEP]
    sound[STEP:].reshape(-1, STEP)[:] += parts[:, STEP:]
    return sound[: len(track) * STEP]
