"""Images: files of every kind become pixels or one clear line; pixels become what a model reads."""

import io

import numpy as np
import pytest
from PIL import Image as pillow

from attention_lab.data import images, readers
from attention_lab.data.images import ImageFile, Images
from attention_lab.data.perceived import Perceived, perceived
from attention_lab.data.pipeline import Batches
from attention_lab.data.rosetta.pictures import rosetta_pictures
from attention_lab.data.tokenizer import train
from attention_lab.data.vocabularies import Codec

RAMP = np.arange(6 * 4, dtype=np.uint8).reshape(6, 4)
COLOR = np.random.default_rng(0).integers(0, 256, (6, 4, 3), np.uint8)


def saved(path, array, **options):
    pillow.fromarray(array).save(path, **options)
    return ImageFile(str(path))


def test_a_picture_of_any_kind_has_three_channels_of_eight_bits(tmp_path):
    np.testing.assert_array_equal(saved(tmp_path / "a.png", COLOR).pixels(), COLOR)
    gray = saved(tmp_path / "b.png", RAMP).pixels()
    np.testing.assert_array_equal(gray, np.stack([RAMP] * 3, -1))
    deep = saved(tmp_path / "c.png", RAMP.astype(np.uint16) * 2570).pixels()
    np.testing.assert_array_equal(deep[..., 0], RAMP * 10)
    seen = np.concatenate([COLOR, np.full((6, 4, 1), 255, np.uint8)], -1)
    seen[2:] = 0
    found = saved(tmp_path / "d.png", seen).pixels()
    np.testing.assert_array_equal(found[:2], COLOR[:2])
    assert (found[2:] == 255).all()


def test_the_first_frame_of_an_animation_is_read(tmp_path):
    frames = [pillow.fromarray(np.full((4, 4), shade, np.uint8)) for shade in (40, 200)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    assert (ImageFile(str(tmp_path / "a.gif")).pixels() == 40).all()


def test_a_photo_is_turned_as_the_camera_was_held(tmp_path):
    exif = pillow.Exif()
    exif[0x0112] = 6  # rotated by 90 degrees
    image = saved(tmp_path / "a.png", COLOR, exif=exif)
    np.testing.assert_array_equal(image.pixels(), np.rot90(COLOR, -1))


@pytest.mark.parametrize("name", ["missing", "text", "cut off", "folder", "huge"])
def test_what_is_no_image_is_reported_in_one_line(name, tmp_path, monkeypatch):
    path = tmp_path / "a.jpg"
    if name == "text":
        path.write_text("no image", encoding="utf-8")
    elif name == "cut off":
        whole = io.BytesIO()
        pillow.fromarray(COLOR.repeat(20, 0).repeat(20, 1)).save(whole, "JPEG")
        path.write_bytes(whole.getvalue()[:-500])
    elif name == "folder":
        path.mkdir()
    elif name == "huge":
        monkeypatch.setattr(images, "LARGEST", 23)
        monkeypatch.setattr(pillow, "MAX_IMAGE_PIXELS", 20)  # Pillow would warn
        saved(path, COLOR)
    message = {
        "missing": "there is no file",
        "huge": "4 x 6 pixels, and at most 23 are read",
        "folder": "is a folder; give files",
        "text": "no image that can be read: its format is not known; restore it, or leave it out",
        "cut off": "no image that can be read: .*truncated.*; restore it",
    }[name]
    with pytest.raises(ValueError, match=message) as error:
        ImageFile(str(path)).pixels()
    assert "\n" not in str(error.value) and str(path) in str(error.value)


def test_the_digest_of_a_file_is_that_of_its_bytes(tmp_path):
    one, other = saved(tmp_path / "a.png", COLOR), saved(tmp_path / "b.png", COLOR[::-1])
    assert one.digest != other.digest and len(one.digest) == 64
    (tmp_path / "b.png").write_bytes((tmp_path / "a.png").read_bytes())
    assert one.digest == other.digest
    with pytest.raises(ValueError, match=r"c.png cannot be read: No such file"):
        _ = ImageFile(str(tmp_path / "c.png")).digest


class Given:
    """An image of given pixels."""

    digest = ""

    def __init__(self, pixels):
        self._pixels = pixels

    def pixels(self):
        return self._pixels


def test_the_longer_side_has_the_size_of_the_reader_and_values_are_from_minus_one_to_one():
    reader = Images(32)
    (same,) = reader.arrays([Given(np.full((32, 20, 3), 255, np.uint8))])
    assert same.shape == (32, 20, 3) and same.dtype == np.float32 and (same == 1).all()
    tall, wide = reader.arrays(
        [Given(np.zeros(shape, np.uint8)) for shape in ((100, 50, 3), (3, 300, 3))]
    )
    assert tall.shape == (32, 16, 3) and wide.shape == (1, 32, 3) and (tall == -1).all()
    half = np.zeros((64, 64, 3), np.uint8)
    half[:, 32:] = 255
    (small,) = reader.arrays([Given(half)])
    assert (small[:, :15] == -1).all() and (small[:, 17:] == 1).all()
    assert reader.scale(Given(half)) == 0.5 and reader.sizes([1, 2]).tolist() == [32, 32]
    assert reader.labels((2, 3), 8) == ["0,0", "0,1", "0,2", "1,0", "1,1", "1,2"]
    assert (len(reader), reader.reads, reader.described()) == (
        3,
        "image",
        "images of 32 x 32 pixels",
    )


@pytest.mark.parametrize("size", [0, 20, 8, 32.0, "32", None])
def test_a_size_that_batches_would_not_share_is_refused(size):
    with pytest.raises(ValueError, match="the size must be a multiple of 16"):
        Images(size)


def test_a_reader_is_saved_and_known_by_its_digest(tmp_path):
    readers.save(Images(32), tmp_path / "r.json")
    assert readers.load(tmp_path / "r.json") == Images(32)
    assert readers.digest_of(Images(32)) == readers.digest_of(readers.load(tmp_path / "r.json"))
    assert readers.digest_of(Images(32)) != readers.digest_of(Images(48))
    for content, message in (
        ("{", "is damaged"),
        ('{"version": 1, "reader": "smells"}', "is damaged"),
        ('{"version": 1, "reader": "images", "size": 7}', "is damaged"),
        (
            '{"version": 9, "reader": "images", "size": 32}',
            "has version 9, and this program reads 1",
        ),
    ):
        (tmp_path / "r.json").write_text(content, encoding="utf-8")
        with pytest.raises(ValueError, match=message):
            readers.load(tmp_path / "r.json")
    with pytest.raises(ValueError, match=r"no reader can be read from .*No such file"):
        readers.load(tmp_path / "none.json")


def test_batches_have_squares_of_one_size_and_the_captions_that_fit(tmp_path):
    examples = rosetta_pictures("train", 30)
    examples[3] = {**examples[3], "target": " "}
    tokenizer = train("word", [example["target"] for example in examples], 200)
    codec = Codec(Images(64), tokenizer)
    rows = perceived(codec, examples, 14, tmp_path)
    assert isinstance(rows, Perceived)
    kept = [e for e in examples if 1 < len(tokenizer.encode(e["target"]).ids) + 1 <= 14]
    assert rows.left_out == {"a blank target": 1, "more than 14 tokens": 29 - len(kept)}
    assert len(rows.target) == len(kept) and 0 < len(kept) < 29
    batches = Batches(rows, tokens=70, buckets=2, seed=1)
    number = batches.first_of_lengths()[0]
    batch = batches[number]
    count, length = batch["target"].valid.shape
    assert batch["source"].values.shape == (count, 64, 64, 3) and batch["source"].valid.all()
    assert count * length <= 70
    texts = {e["target"]: e["source"] for e in kept}
    for values, ids in zip(batch["source"].values, batch["target"].values, strict=True):
        (expected,) = Images(64).arrays([texts[tokenizer.decode(ids)]])
        np.testing.assert_array_equal(values, expected)
