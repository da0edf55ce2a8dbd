"""Images and recordings of TFDS: prepared without its code, and read without TensorFlow as far as TFDS can."""

import shutil
import types

import numpy as np
import pytest
from PIL import Image

from attention_lab.data.sources import load
from attention_lab.data.tfds_features import Roles, roles_of
from attention_lab.data.tfds_sources import FORMAT, Prepared, StoredSound, kind_of, load_library
from tests.data.sources_test import message_of

PIXELS = (np.arange(60).reshape(4, 5, 3) * 4).astype(np.uint8)


@pytest.fixture(scope="module")
def coco(tmp_path_factory):
    """A directory with a dataset of the name, the config and the features of coco_captions."""
    library, folder = load_library(), tmp_path_factory.mktemp("tfds")
    features, core = library.features, library.core
    Image.fromarray(PIXELS).save(folder / "a.png")
    Image.fromarray(PIXELS[..., 0]).save(folder / "gray.png")
    captions = features.Sequence({"text": features.Text(), "id": features.Scalar(np.int64)})
    kinds = {"image": features.Image(shape=(None, None, 3)), "captions": captions}
    two = [{"text": "a cat", "id": 1}, {"text": "it sits", "id": 2}]
    rows = [{"image": str(folder / "a.png"), "captions": two[: n + 1]} for n in range(2)]

    def info(self):
        return core.DatasetInfo(
            builder=self, features=features.FeaturesDict(kinds), disable_shuffling=True
        )

    body = {
        "name": "coco_captions",
        "VERSION": core.Version("1.1.0"),
        "_info": info,
        "_split_generators": lambda self, manager: {"train": iter(enumerate(rows))},
        "_generate_examples": None,
    }
    made = types.new_class(
        "coco_captions",
        (core.GeneratorBasedBuilder,),
        {"skip_registration": True},
        lambda space: space.update(body),
    )
    made(data_dir=folder, file_format=FORMAT).download_and_prepare()
    (folder / "coco_captions" / "2014").mkdir()
    shutil.move(folder / "coco_captions" / "1.1.0", folder / "coco_captions" / "2014" / "1.1.0")
    return folder


def test_images_have_their_captions_and_are_read_when_they_are_needed(coco):
    train = load("tfds:coco_captions", "train", data_dir=coco)
    first, second = (train[n] for n in range(2))
    assert (first["target"], first["targets"]) == ("a cat", ["a cat"])
    assert second["targets"] == ["a cat", "it sits"]
    np.testing.assert_array_equal(first["source"].pixels(), PIXELS)
    assert first["source"].digest == second["source"].digest
    assert str(second["source"]) == "image 1"


def test_a_gray_image_has_three_equal_channels():
    rows = [{"image": np.full((2, 3, 1), 7, np.uint8), "text": b"gray"}]
    features = {"image": types.SimpleNamespace(), "text": types.SimpleNamespace()}
    one = Prepared(rows, Roles(("image",), "text"), features, "Image")[0]
    assert one["target"] == "gray"
    np.testing.assert_array_equal(one["source"].pixels(), np.full((2, 3, 3), 7))


def feature(name, **more):
    return type(name, (), more)()


SPEECH = {
    "audio": feature("Audio", sample_rate=16000),
    "label": feature("ClassLabel", int2str=lambda self, n: ["yes", "no"][n]),
}


def test_a_recording_has_its_own_rate_and_the_name_of_its_class():
    roles = roles_of(
        "speech_commands", types.SimpleNamespace(features=SPEECH, supervised_keys=None)
    )
    assert roles == Roles(("audio",), "label") and kind_of(SPEECH, roles) == "Audio"
    rows = [{"audio": np.full(400, 16384), "label": 1}]
    one = Prepared(rows, roles, SPEECH, "Audio")[0]
    assert one["target"] == "no"
    samples = one["source"].samples(8000)
    assert samples.shape == (200,) and samples[100] == pytest.approx(0.5, abs=0.01)
    stereo = StoredSound([{"audio": np.array([[0, 32768]] * 4)}], 0, "audio", 8000)
    np.testing.assert_allclose(stereo.samples(8000), 0.5)
    with pytest.raises(ValueError, match="audio 0 has no known number of samples a second"):
        StoredSound(rows, 0, "audio", 0).samples(8000)


def test_texts_are_no_images():
    assert kind_of(SPEECH, Roles(("label",), "text")) == ""
    assert kind_of({}, Roles(text="text")) == ""


def test_what_only_tensorflow_can_read_or_prepare_is_said(coco):
    message = message_of("tfds:librispeech", "train", data_dir=coco)
    assert message == (
        f"tfds:librispeech has not been prepared in {coco}, which needs TensorFlow; pip install tensorflow-cpu "
        "importlib_resources (the extra tfds-prepare)"
    )
