"""Recordings: files of every kind become samples or one clear line, and samples the frames of a published feature."""

import wave

import numpy as np
import pytest

from attention_lab.data import readers, sounds
from attention_lab.data.perceived import cached_frames, perceived
from attention_lab.data.pipeline import Batches
from attention_lab.data.rosetta.speech import rosetta_speech
from attention_lab.data.sounds import SoundFile, Spectrograms, frames, log_mels, mel_bands
from attention_lab.data.tokenizer import train
from attention_lab.data.vocabularies import Codec

RNG = np.random.default_rng(0)
TONE = np.sin(2 * np.pi * 440 * np.arange(4000) / 8000).astype(np.float32)


class Given:
    """A sound of given samples."""

    def __init__(self, samples, digest=""):
        self._samples, self.digest = samples, digest

    def samples(self, rate):
        del rate
        return self._samples


def bands(rate, mels, size):
    """Slaney's triangles, one edge at a time."""

    def mel(f):
        return f / (200 / 3) if f < 1000 else 15 + np.log(f / 1000) / (np.log(6.4) / 27)

    def hertz(m):
        return m * 200 / 3 if m < 15 else 1000 * np.exp((m - 15) * np.log(6.4) / 27)

    edges = [hertz(mel(rate / 2) * n / (mels + 1)) for n in range(mels + 2)]
    found = np.zeros((mels, size // 2 + 1))
    for band in range(mels):
        low, middle, high = edges[band : band + 3]
        for k in range(size // 2 + 1):
            f = k * rate / size
            if low <= f <= middle:
                found[band, k] = (f - low) / (middle - low)
            elif middle < f <= high:
                found[band, k] = (high - f) / (high - middle)
            found[band, k] *= 2 / (high - low)
    return found


def test_mel_bands_are_slaney_s_triangles():
    for rate, mels, size in ((8000, 10, 256), (16000, 40, 512)):
        np.testing.assert_allclose(mel_bands(rate, mels, size), bands(rate, mels, size), atol=1e-12)


def test_a_frame_is_the_power_of_its_window_in_each_band():
    samples = RNG.normal(size=700)
    found = log_mels(samples, 8000, 12)
    assert found.shape == (9, 12) and found.dtype == np.float32 and frames(700, 8000) == 9
    hann = [0.5 - 0.5 * np.cos(2 * np.pi * n / 200) for n in range(200)]
    for k in range(9):
        row = np.zeros(256)
        for n in range(200):
            at = 80 * k - 60 + n  # the window is centred on the 80 samples of the frame
            row[n] = samples[at] * hann[n] if 0 <= at < 700 else 0.0
        power = [
            abs(sum(row * np.exp(-2j * np.pi * f * np.arange(256) / 256))) ** 2 for f in range(129)
        ]
        np.testing.assert_allclose(found[k], np.log(bands(8000, 12, 256) @ power + 1e-8), rtol=1e-5)


def test_frames_are_those_of_librosa():
    librosa = pytest.importorskip("librosa", reason="librosa is not installed")
    samples = RNG.normal(size=5000).astype(np.float32)
    padded = np.pad(samples, (88, 400))  # librosa puts a window of 200 into the middle of 256
    options = {"n_fft": 256, "win_length": 200, "hop_length": 80, "n_mels": 40, "center": False}
    theirs = librosa.feature.melspectrogram(y=padded, sr=8000, **options).T
    ours = log_mels(samples, 8000, 40)
    np.testing.assert_allclose(ours, np.log(theirs[: len(ours)] + 1e-8), atol=1e-4)


def test_a_reader_normalizes_each_band_and_names_the_time_of_each_state():
    reader = Spectrograms(8000, 20)
    (found,) = reader.arrays([Given(RNG.normal(size=3000))])
    np.testing.assert_allclose(found.mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(found.std(0), 1, rtol=1e-4)
    quiet, loud = (reader.arrays([Given(scale * TONE + 0.01)])[0] for scale in (0.1, 1.0))
    assert np.abs(quiet - loud).mean() < 0.5
    (silent,) = reader.arrays([Given(np.zeros(400))])
    assert (silent == 0).all()
    assert (len(reader), reader.reads, reader.scale(Given(TONE))) == (20, "frames", 100)
    assert reader.labels((3,), 8) == ["0.00", "0.08", "0.16"]
    assert reader.sizes([Given(TONE), Given(TONE[:81])]).tolist() == [50, 2]
    assert reader.described() == "20 mel bands at 8,000 Hz"


@pytest.mark.parametrize(
    ("rate", "mels", "message"),
    [
        (0, 40, "a rate of 0"),
        (8000.0, 40, "a rate of 8000.0"),
        (8000, 1, "1 mel bands"),
        (8000, "40", "'40' mel"),
    ],
)
def test_frames_that_do_not_exist_are_refused(rate, mels, message):
    with pytest.raises(ValueError, match=message):
        Spectrograms(rate, mels)


def saved(path, samples, rate=8000, channels=1):
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes((np.asarray(samples) * 32767).astype("<i2").tobytes())
    return SoundFile(str(path))


def test_a_recording_at_any_rate_and_with_any_channels_is_read(tmp_path):
    pytest.importorskip("soundfile", reason="soundfile is not installed")
    plain = saved(tmp_path / "a.wav", TONE).samples(8000)
    np.testing.assert_allclose(plain, TONE, atol=1e-3)
    stereo = np.stack([TONE, np.zeros_like(TONE)], -1).ravel()
    np.testing.assert_allclose(
        saved(tmp_path / "b.wav", stereo, channels=2).samples(8000), TONE / 2, atol=1e-3
    )
    high = np.sin(2 * np.pi * 440 * np.arange(22050) / 44100)
    found = saved(tmp_path / "c.wav", high, 44100).samples(8000)
    assert len(found) == 4000
    np.testing.assert_allclose(found[200:-200], TONE[200:-200], atol=0.01)
    assert saved(tmp_path / "a.wav", TONE).digest != saved(tmp_path / "b.wav", -TONE).digest


def test_the_length_of_a_recording_that_was_written_to_a_pipe_is_that_of_its_file(tmp_path):
    pytest.importorskip("soundfile", reason="soundfile is not installed")
    path = tmp_path / "a.wav"
    saved(path, TONE)
    content = path.read_bytes()
    for size in (b"\xff" * 4, b"\0" * 4, (len(content) - 7).to_bytes(4, "little")):
        path.write_bytes(content[:4] + size + content[8:])
        assert len(SoundFile(str(path)).samples(8000)) == len(TONE)


@pytest.mark.parametrize(
    "name", ["missing", "folder", "text", "empty", "cut off", "long", "no package"]
)
def test_what_is_no_recording_is_reported_in_one_line(name, tmp_path, monkeypatch):
    path = tmp_path / "a.wav"
    if name != "no package":
        pytest.importorskip("soundfile", reason="soundfile is not installed")
    else:
        monkeypatch.setitem(__import__("sys").modules, "soundfile", None)
    if name == "text":
        path.write_text("no sound", encoding="utf-8")
    elif name == "folder":
        path.mkdir()
    elif name == "empty":
        saved(path, [])
    elif name == "cut off":
        saved(path, TONE)
        path.write_bytes(path.read_bytes()[:-100])
    elif name == "long":
        monkeypatch.setattr(sounds, "LONGEST", 0.25)
        saved(path, TONE)
    message = {
        "missing": "there is no file",
        "folder": "is a folder; give files",
        "text": "no recording that can be read: Format not recognised; restore it, or leave it out",
        "cut off": "ends before its header says; restore it",
        "empty": "has no samples; restore it",
        "long": "takes 0 s, and at most 0 s are read",
        "no package": "pip install soundfile",
    }[name]
    with pytest.raises(ValueError, match=message) as error:
        SoundFile(str(path)).samples(8000)
    assert "\n" not in str(error.value)


def test_frames_are_computed_once_and_a_damaged_file_is_replaced(tmp_path):
    reader, calls = Spectrograms(8000, 8), []

    class Counted(Given):
        def samples(self, rate):
            calls.append(rate)
            return super().samples(rate)

    some = [Counted(RNG.normal(size=size), str(size)) for size in (900, 400)]
    first = cached_frames(reader, some, tmp_path)
    assert [one.shape for one in first] == [(12, 8), (5, 8)] and len(calls) == 2
    again = cached_frames(reader, [Given(None, "900"), Given(None, "400")], tmp_path)
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one, other)
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:-3])
    cached_frames(reader, [Counted(RNG.normal(size=900), "900"), some[1]], tmp_path)
    assert len(calls) > 2 and len(list(tmp_path.iterdir())) == 1
    cached_frames(Spectrograms(8000, 9), some, tmp_path)
    assert len(list(tmp_path.iterdir())) == 2


def test_long_recordings_are_left_out_and_the_others_padded_in_buckets(tmp_path):
    examples = rosetta_speech("train", 40, vocabulary=2)
    tokenizer = train("char", [example["target"] for example in examples], 60)
    codec = Codec(Spectrograms(8000, 8), tokenizer)
    rows = perceived(codec, examples, 60, tmp_path, longest=200)
    sizes = codec.source.sizes([example["source"] for example in examples])
    assert rows.left_out["more than 200 frames"] == (sizes > 200).sum() > 0
    assert rows.lengths[0].tolist() == [size for size in sizes if size <= 200]
    batch = Batches(rows, tokens=300, buckets=2)[0]
    kept = [e for e, size in zip(examples, sizes, strict=True) if size <= 200]
    texts = {e["target"]: e["source"] for e in kept}
    for values, valid, ids in zip(*batch["source"], batch["target"].values, strict=True):
        if text := tokenizer.decode(ids):
            (expected,) = codec.source.arrays([texts[text]])
            np.testing.assert_allclose(values[valid], expected, atol=5e-3)


def test_a_reader_of_sounds_is_saved(tmp_path):
    readers.save(Spectrograms(8000, 40), tmp_path / "r.json")
    assert readers.load(tmp_path / "r.json") == Spectrograms(8000, 40)
