"""Corpora of images and recordings in files: small ones made here, and the real ones where they are."""

import gzip
import importlib.util
import json
import pathlib

import numpy as np
import pytest

from attention_lab.data import sources
from attention_lab.data.sounds import Spectrograms

DATA = pathlib.Path(__file__).parents[2].parent / "shared/data"
real = pytest.mark.skipif(not DATA.is_dir(), reason="the real corpora are not here")


def lines(path, rows):
    path.write_bytes(gzip.compress("".join(json.dumps(row) + "\n" for row in rows).encode()))


@pytest.fixture
def scenes(tmp_path):
    rgba = np.zeros((2, 40, 40, 4), np.uint8)
    rgba[0] = (100, 0, 0, 255)
    rgba[1, :20] = (0, 60, 0, 128)  # its lower half is transparent
    np.savez(
        tmp_path / "emoji_sprites.npz", rgba=rgba, noun=["ball", "leaf"], colour=["red", "green"]
    )
    row = {
        "split": "valid",
        "bg": 5,
        "objs": [[0, 4, 50, 20], [1, 60, 10, 20]],
        "caps": ["a ball left of a leaf", "a leaf right of a ball"],
        "align": [[0, 0, -1, -1, 1, 1], [1, 1, -1, -1, 0, 0]],
    }
    lines(
        tmp_path / "emoji_scenes.jsonl.gz",
        [row, {**row, "split": "train", "objs": [[0, 0, 0, 10]]}],
    )
    return tmp_path


def test_a_scene_is_drawn_and_its_words_are_linked_to_boxes(scenes):
    (example,) = sources.load("emoji_scenes", "validation", path=scenes)
    assert example["target"] == "a ball left of a leaf" and len(example["targets"]) == 2
    assert [r["label"] for r in example["regions"]] == ["ball", "leaf"]
    assert [r["box"] for r in example["regions"]] == [(50, 4, 70, 24), (10, 60, 30, 80)]
    assert example["links"] == [(0, 0), (0, 1), (1, 4), (1, 5)]
    pixels = example["source"].pixels()
    assert pixels.shape == (96, 96, 3)
    assert (pixels[50:70, 4:24] == (100, 0, 0)).all() and (pixels[20:40, 30:50] == 214).all()
    half = np.rint(214 * (1 - 128 / 255))
    np.testing.assert_array_equal(pixels[12, 70], (half, np.rint(60 + 214 * (1 - 128 / 255)), half))
    assert (pixels[25, 70] == 214).all()


def test_the_digest_of_a_scene_is_of_its_sprites_too(scenes):
    (one,) = sources.load("emoji_scenes", "train", path=scenes)
    (other,) = sources.load("emoji_scenes", "validation", path=scenes)
    assert one["source"].digest != other["source"].digest
    assert str(one["source"]) == "scene of 1 objects"
    assert sources.load("emoji_scenes", "comp", path=scenes) == []


@pytest.fixture
def digits(tmp_path):
    recordings = [np.full(10, 1000), np.full(20, -2000), np.full(5, 3000)]
    audio = np.concatenate(recordings).astype(np.int16)
    steps = np.diff(audio, prepend=0).astype(np.int16).view(np.uint16)
    np.savez(
        tmp_path / "fsdd.npz", lo=(steps & 255).astype(np.uint8), hi=(steps >> 8).astype(np.uint8),
        offsets=[0, 10, 30, 35], rate=8000,
    )  # fmt: skip
    row = {
        "scheme": "take", "split": "test", "spk": "ann", "recs": [1, 0], "gaps": [7, 3, 4], "len": 44,
        "words": [[3, 7, 27], [0, 30, 40]],
    }  # fmt: skip
    lines(
        tmp_path / "fsdd_strings.jsonl.gz",
        [row, {**row, "scheme": "speaker", "recs": [2], "gaps": [1, 1], "words": [[5, 1, 6]]}],
    )
    return tmp_path


def test_recordings_are_joined_with_faint_noise_between(digits):
    (example,) = sources.load("fsdd_strings", "test", path=digits)
    assert example["target"] == "three zero" and example["links"] == [(0, 0), (1, 1)]
    assert [r["box"] for r in example["regions"]] == [(7 / 8000, 27 / 8000), (30 / 8000, 40 / 8000)]
    samples = example["source"].samples(8000)
    assert len(samples) == 44 and samples.dtype == np.float32
    np.testing.assert_allclose(samples[7:27], -2000 / 32768)
    np.testing.assert_allclose(samples[30:40], 1000 / 32768)
    assert np.abs(np.delete(samples, [*range(7, 27), *range(30, 40)])).max() < 40 / 32768
    (other,) = sources.load("fsdd_strings", "test", path=digits, scheme="speaker")
    assert len(other["source"].samples(8000)) == 7
    assert other["source"].digest != example["source"].digest
    assert str(example["source"]) == "2 spoken digits"
    with pytest.raises(ValueError, match="no scheme of fsdd_strings 'takes'; did you mean 'take'"):
        sources.load("fsdd_strings", "test", path=digits, scheme="takes")


def test_long_strings_are_joined_from_the_recordings_of_the_test_split(digits):
    found = sources.load("fsdd_strings", "test_long", path=digits)
    assert [len(one["target_words"]) for one in found] == [
        n for n in range(6, 21) for _ in range(20)
    ]
    assert {word for one in found for word in one["target_words"]} == {"three", "zero"}
    level = {"three": -2000 / 32768, "zero": 1000 / 32768}
    for one in found[::50]:
        samples = one["source"].samples(8000)
        for word, region in zip(one["target_words"], one["regions"], strict=True):
            first, last = (round(8000 * second) for second in region["box"])
            assert (last - first) == {"three": 20, "zero": 10}[word]
            np.testing.assert_allclose(samples[first:last], level[word])
    again = sources.load("fsdd_strings", "test_long", path=digits)
    assert sources.digest_of(again) == sources.digest_of(found)
    (other, *_) = sources.load("fsdd_strings", "test_long", path=digits, scheme="speaker")
    assert set(other["target_words"]) == {"five"}


def test_longer_strings_are_left_out_where_they_are_not_wanted(digits):
    assert sources.load("fsdd_strings", "test", path=digits, longest=1) == []
    assert len(sources.load("fsdd_strings", "test", path=digits, longest=2)) == 1
    with pytest.raises(ValueError, match="longest=0: a string has 1 digit or more"):
        sources.load("fsdd_strings", "test", path=digits, longest=0)


def test_given_frames_are_normalized_and_their_number_of_features_is_checked(tmp_path):
    mfcc = np.random.default_rng(0).normal(3, 2, (30, 13)).astype(np.float16)
    np.savez(
        tmp_path / "an4_mfcc.npz", mfcc=mfcc, offsets=[0, 10, 30], text=["YES", "GO  HOME"],
        split=["train", "valid"], speaker=["a", "b"], id=["1", "2"], frame_rate=100,
    )  # fmt: skip
    (example,) = sources.load("an4", "validation", path=tmp_path)
    assert example["target"] == "go home" and example["target_words"] == ["go", "home"]
    np.testing.assert_array_equal(example["source"].frames(), mfcc[10:].astype(np.float32))
    (found,) = Spectrograms(8000, 13).arrays([example["source"]])
    np.testing.assert_allclose(found.mean(0), 0, atol=1e-5)
    assert found.shape == (20, 13)
    with pytest.raises(ValueError, match=r"frames of 13 features; set data.mels to 13"):
        Spectrograms(8000, 40).arrays([example["source"]])


@pytest.mark.parametrize("name", ["emoji_scenes", "fsdd_strings", "an4"])
def test_a_folder_without_the_files_is_reported(name, tmp_path):
    with pytest.raises((ValueError, OSError), match=r"npz|folder"):
        sources.load(name, "train", path=tmp_path)
    with pytest.raises(ValueError, match="there is no folder"):
        sources.load(name, "train", path=tmp_path / "none")


def module(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


def read(path):
    return [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]


@real
def test_real_scenes_are_drawn_as_their_makers_draw_them():
    folder = DATA / "captioning"
    render, rgba = (
        module(folder / "render_emoji.py").render,
        np.load(folder / "emoji_sprites.npz")["rgba"],
    )
    rows = read(folder / "emoji_scenes.jsonl.gz")
    rows = [row for row in rows if row["split"] == "test"]
    examples = sources.load("emoji_scenes", "test", path=folder)
    assert len(examples) == len(rows) == 1000
    for row, example in list(zip(rows, examples, strict=True))[::20]:
        np.testing.assert_array_equal(example["source"].pixels(), render(row, rgba))
        assert len(example["target_words"]) == len(row["align"][0])
    assert len(sources.load("emoji_scenes", "comp", path=folder)) == 1000


@real
def test_real_digits_are_joined_as_their_makers_join_them():
    folder = DATA / "speech"
    made = module(folder / "render_fsdd.py")
    audio, offsets, _ = made.load(folder / "fsdd.npz")
    rows = read(folder / "fsdd_strings.jsonl.gz")
    rows = [r for r in rows if r["scheme"] == "speaker" and r["split"] == "test"]
    examples = sources.load("fsdd_strings", "test", path=folder, scheme="speaker")
    for row, example in list(zip(rows, examples, strict=True))[::50]:
        theirs = made.string(row, audio, offsets, noise=0.0) / 32768
        ours = example["source"].samples(8000)
        quiet = theirs == 0
        np.testing.assert_allclose(ours[~quiet], theirs[~quiet], atol=1e-6)
        assert np.abs(ours[quiet]).max() < 60 / 32768
    counts = [len(sources.load("an4", split, path=folder)) for split in sources.SPLITS]
    assert counts == [846, 102, 130]
