"""The embedded speech: what is said is when the gold says, and sounds as its letters do."""

import itertools

import numpy as np
import pytest

from attention_lab.data import sources
from attention_lab.data.rosetta import voices
from attention_lab.data.rosetta.dice import Dice
from attention_lab.data.rosetta.speech import Speech, rosetta_speech
from attention_lab.data.rosetta.voices import (
    EDGE,
    PHONES,
    RATE,
    Voice,
    draw_voice,
    phones_of,
    say,
    times,
)

PLAIN = Voice(120.0, 1.0, 1.0, 0.0)


@pytest.mark.parametrize(
    ("word", "phones"),
    [
        ("cat", "k a t"), ("the", "th e"), ("sheep", "sh ee p"), ("knife", "n i f"), ("queen", "k w ee n"),
        ("night", "n a i t"), ("cheese", "ch ee s"), ("she", "sh e"), ("you", "y a oo"), ("orange", "o r a ng"),
        ("a", "a"), ("I", "i"), ("box", "b o k s"), ("letter", "l e t er"), ("'s", "s"), ("...", ""),
    ],
)  # fmt: skip
def test_letters_are_read_by_rules(word, phones):
    assert list(phones_of(word)) == phones.split()


def test_every_word_of_the_corpus_has_a_sound():
    seen = {word for e in rosetta_speech("train", 3000) for word in e["target_words"]}
    assert len(seen) > 400
    for word in seen:
        assert phones_of(word) and set(phones_of(word)) <= PHONES.keys(), word


def test_words_follow_each_other_with_pauses_and_last_as_long_as_their_phones():
    words = ("the", "cat", "sleeps")
    found = times(words, PLAIN, 3)
    assert found[0][0] == EDGE
    samples = say(words, PLAIN, 3)
    assert len(samples) / RATE == pytest.approx(found[-1][1] + EDGE)
    for (start, end), (following, _) in itertools.pairwise(found):
        assert start < end < following < end + 0.2
    for word, (start, end) in zip(words, found, strict=True):
        expected = sum(
            PHONES[p].duration + voices.CLOSURE * (p in voices.STOPS) for p in phones_of(word)
        )
        assert end - start == pytest.approx(expected / 1000, rel=0.25)
    slow = times(words, PLAIN._replace(duration=1.5), 3)
    assert slow[-1][1] - slow[0][0] == pytest.approx(1.5 * (found[-1][1] - found[0][0]), rel=0.05)


def test_there_is_sound_where_a_word_is_said_and_silence_elsewhere():
    words = ("moon", "river", "all")
    samples, spans = say(words, PLAIN, 1), times(words, PLAIN, 1)
    energy = np.convolve(samples**2, np.ones(80) / 80, "same")
    said = np.zeros(len(samples), bool)
    for start, end in spans:
        said[int(start * RATE) : int(end * RATE)] = True
        middle = energy[int((start + 0.03) * RATE) : int((end - 0.03) * RATE)]
        assert np.median(middle) > 1e-3
    inside = np.convolve(said, np.ones(401), "same")
    assert energy[inside == 0].max() < 1e-5


def spectrum(samples):
    power = np.abs(np.fft.rfft(samples * np.hanning(len(samples)))) ** 2
    return np.fft.rfftfreq(len(samples), 1 / RATE), power


def middle_of(word, voice=PLAIN):
    ((start, end),) = times((word,), voice, 0)
    center = (start + end) / 2
    return say((word,), voice, 0)[int((center - 0.03) * RATE) : int((center + 0.03) * RATE)]


@pytest.mark.parametrize(
    ("word", "low", "high"), [("ee", 280, 2250), ("oo", 310, 870), ("a", 690, 1660)]
)
def test_a_vowel_is_loud_at_its_formants(word, low, high):
    frequencies, power = spectrum(middle_of(word))

    def near(f):
        return power[np.abs(frequencies - f) < 130].max()

    between = (low * high) ** 0.5 if high > 2.2 * low else (low + high) / 2
    assert near(low) > near(between) and near(high) > 0.3 * near(between)
    assert near(low) > 10 * near(3700)


def test_a_hiss_is_high_and_a_larger_speaker_is_lower():
    frequencies, power = spectrum(middle_of("s"))
    assert power[frequencies > 2500].sum() > 5 * power[frequencies < 2000].sum()

    def center(formants):
        f, p = spectrum(middle_of("a", PLAIN._replace(formants=formants)))
        return (f * p).sum() / p.sum()

    assert center(1.2) > center(0.8) + 100


def test_the_pitch_is_the_speaker_s():
    for pitch in (100.0, 200.0):
        frequencies, power = spectrum(middle_of("ee", PLAIN._replace(pitch=pitch)))
        lowest = frequencies[frequencies < 320][power[frequencies < 320].argmax()]
        assert min(abs(lowest - k * pitch) for k in (1, 2, 3)) < 0.12 * pitch


def test_voices_differ_and_each_is_itself_again():
    drawn = [draw_voice(Dice(str(n))) for n in range(200)]
    for field, (low, high) in {
        "pitch": (90, 220), "formants": (0.86, 1.14), "duration": (0.8, 1.2), "noise": (0.01, 0.0632),
    }.items():  # fmt: skip
        values = [getattr(voice, field) for voice in drawn]
        assert low <= min(values) < max(values) <= high
        assert max(values) - min(values) > 0.7 * (high - low)
    one = Speech(("the", "cat"), drawn[0], 5)
    np.testing.assert_array_equal(
        one.samples(RATE), Speech(("the", "cat"), drawn[0], 5).samples(RATE)
    )
    assert len(one.samples(16000)) == 2 * len(one.samples(RATE))
    digests = {one.digest, Speech(("the", "dog"), drawn[0], 5).digest, Speech(one.words, drawn[1], 5).digest,
               Speech(one.words, drawn[0], 6).digest}  # fmt: skip
    assert len(digests) == 4 and str(one).startswith("speech at ")


def test_an_example_has_the_time_of_every_word():
    examples = rosetta_speech("test", 50)
    for example in examples:
        assert example["target"] == " ".join(example["target_words"]) == example["target"].lower()
        assert [r["label"] for r in example["regions"]] == example["target_words"]
        assert [r["box"] for r in example["regions"]] == example["source"].times()
        assert example["links"] == [(n, n) for n in range(len(example["target_words"]))]
        assert not set(example["target"]) & set(",.?!")
    assert rosetta_speech("test", 20) == examples[:20]
    assert sources.load("rosetta_speech", "test", size=20) == examples[:20]
    assert not {e["target"] for e in examples} & {e["target"] for e in rosetta_speech("train", 500)}
    long = rosetta_speech("test_long", 12)
    assert max(len(e["target_words"]) for e in long) > 40


def test_what_is_not_possible_is_refused():
    for options, message in (({"split": "dev"}, "split 'dev'"), ({"longest": 2}, "longest 2")):
        with pytest.raises(ValueError, match=message):
            rosetta_speech(**{"split": "train", "size": 5, **options})
