"""Images and recordings of one's own: lines of JSON, the files that they name, and what is reported."""

import functools
import json
import shutil

import numpy as np
import pytest
from PIL import Image

from attention_lab.data import sources
from attention_lab.data.images import ImageFile
from attention_lab.data.sounds import SoundFile

BOX = {"label": "cat", "box": [0, 1, 2, 3]}


def written(folder, name, *rows):
    text = "".join(row if isinstance(row, str) else json.dumps(row) + "\n" for row in rows)
    (folder / name).write_text(text, encoding="utf-8")
    return str(folder / "{split}.jsonl")


@pytest.fixture
def photo(tmp_path):
    (tmp_path / "cats").mkdir()
    Image.fromarray(np.zeros((4, 6, 3), np.uint8)).save(tmp_path / "cats/1.png")
    (tmp_path / "a.wav").touch()
    return tmp_path


def test_images_have_one_or_several_captions_and_perhaps_regions(photo):
    path = written(
        photo,
        "dev.jsonl",
        {"image": "cats/1.png", "caption": "a cat"},
        "\n",
        {"image": "cats/1.png", "captions": ["a cat", "one"], "regions": [BOX], "links": [[0, 1]]},
    )
    first, second = sources.load("image_files", "validation", path=path)
    assert first == {
        "source": ImageFile(str(photo / "cats/1.png")),
        "target": "a cat",
        "target_words": ["a", "cat"],
    }
    assert first["source"].pixels().shape == (4, 6, 3)
    assert second["targets"] == ["a cat", "one"] and second["links"] == [(0, 1)]
    assert second["regions"] == [{"label": "cat", "box": (0, 1, 2, 3)}]


def test_recordings_have_a_transcript(photo):
    region = {"label": "so", "box": [0.25, 0.5]}
    row = {"audio": "a.wav", "text": "so it is", "regions": [region], "links": [[0, 0]]}
    (one,) = sources.load("sound_files", "test", path=written(photo, "test.jsonl", row))
    assert one["source"] == SoundFile(str(photo / "a.wav"))
    assert one["target"] == "so it is" and one["regions"][0]["box"] == (0.25, 0.5)


def test_the_digest_is_that_of_the_files_content(photo):
    path = written(photo, "test.jsonl", {"image": "cats/1.png", "caption": "a cat"})
    before = sources.digest_of(sources.load("image_files", "test", path=path))
    Image.fromarray(np.ones((4, 6, 3), np.uint8)).save(photo / "cats/1.png")
    assert sources.digest_of(sources.load("image_files", "test", path=path)) != before


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"image": "2.png", "caption": "a"}, r"jsonl:1: there is no file .*2\.png"),
        ({"caption": "a"}, "there is no 'image'"),
        ({"image": "cats/1.png"}, "there is no 'captions' or 'caption'"),
        ({"image": "cats/1.png", "captions": []}, "'captions' must be one or more texts"),
        ({"image": "cats/1.png", "captions": ["a", 3]}, "'captions' must be one or more texts"),
        ({"image": "cats/1.png", "captions": 3}, "must be a list, not 3"),
        ({"image": "cats/1.png", "caption": "a", "regions": [3]}, "a region must be an object"),
        ({"image": "cats/1.png", "caption": "a", "regions": [{"label": "x"}]}, "no 'box'"),
        (
            {"image": "cats/1.png", "caption": "a", "regions": [{"label": "x", "box": [1, 2]}]},
            "must be 4 numbers",
        ),
        (
            {"image": "cats/1.png", "caption": "a", "regions": [BOX], "links": [[0, 1]]},
            "of 1 regions and 1 words",
        ),
        *(
            (
                {"image": "cats/1.png", "caption": "a", "regions": [BOX], "links": [link]},
                r"a link must be \[region, word\]",
            )
            for link in (3, [0], [0, 0, 0], [0, "a"], [0, -1], [-1, 0], [1, 0])
        ),
        ("{]\n", "jsonl:1: invalid JSON"),
    ],
)
def test_what_is_wrong_is_reported_with_its_line(row, message, photo):
    path = written(photo, "train.jsonl", row)
    with pytest.raises(ValueError, match=message):
        sources.load("image_files", "train", path=path)


def test_every_file_is_decoded_once_before_it_is_used(photo, monkeypatch):
    for number in range(3):
        shutil.copy(photo / "cats/1.png", photo / f"{number}.png")
    rows = [{"image": f"{number}.png", "caption": "a"} for number in (0, 1, 2, 0)]
    path = written(photo, "train.jsonl", *rows)
    read = []
    pixels = ImageFile.pixels
    monkeypatch.setattr(ImageFile, "pixels", lambda one: read.append(one.path[-5]) or pixels(one))
    load = functools.partial(sources.load, "image_files", "train", path=path)
    assert len(load(cache_dir=photo / "cache")) == 4 and sorted(read) == ["0", "1", "2"]
    assert len(load(cache_dir=photo / "cache")) == 4 and len(read) == 3
    assert len(load()) == 4 and len(read) == 3
    assert len(load(cache_dir=photo / "a.wav")) == 4  # no folder: it is not noted
    assert len(read) == 6
    (photo / "1.png").write_bytes((photo / "1.png").read_bytes()[:45])
    with pytest.raises(
        ValueError, match=r"/1\.png is no image that can be read: [^()]*; restore it"
    ):
        load(cache_dir=photo / "cache")
    (photo / "2.png").write_bytes(b"")
    for _ in range(2):
        with pytest.raises(
            ValueError, match=r"/1\.png is no image .* leave it out \(one of 2 such files\)$"
        ):
            load(cache_dir=photo / "cache")


def test_recordings_are_decoded_before_they_are_used(photo):
    pytest.importorskip("soundfile", reason="soundfile is not installed")
    path = written(photo, "train.jsonl", {"audio": "a.wav", "text": "so"})
    with pytest.raises(ValueError, match=r"/a\.wav is no recording that can be read"):
        sources.load("sound_files", "train", path=path, cache_dir=photo / "cache")


def test_a_path_for_all_splits_is_refused(photo):
    with pytest.raises(ValueError, match=r"put \{split\} into the name"):
        sources.load("sound_files", "train", path=str(photo / "all.jsonl"))
