"""Captioning: the codec, the metrics, and how attention over a picture is shown."""

import numpy as np
import pytest

from attention_lab.data.images import Images
from attention_lab.data.rosetta.pictures import rosetta_pictures
from attention_lab.evaluation.metrics import Outcome
from attention_lab.evaluation.records import make_record
from attention_lab.evaluation.regions import word_maps
from attention_lab.runs import checks, defaults
from attention_lab.tasks import TASKS
from attention_lab.tasks.captioning import CAPTIONING

CONFIG = defaults.captioning()


def record_of(example, weights):
    words = example["target"].split()
    return make_record(
        [f"{y},{x}" for y in range(2) for x in range(2)],
        [*words, "</s>"],
        {"cross/0": weights},
        source_words=[region["label"] for region in example["regions"]],
        source_word_of=[-1] * 4,
        target_words=words,
        target_word_of=[*range(len(words)), -1],
        states=(2, 2),
        boxes=[np.array(region["box"]) / 32 for region in example["regions"]],
        links=example["links"],
    )


def test_the_tokenizer_knows_the_words_of_all_captions_and_the_reader_the_size(tmp_path):
    examples = rosetta_pictures("train", 40)
    codec = CAPTIONING.prepare(CONFIG, examples, tmp_path)
    assert codec.source == Images(64)
    for example in examples:
        for text in example["targets"]:
            assert codec.target.decode(codec.target.encode(text).ids) == text


def test_a_caption_is_compared_with_all_captions_of_its_image():
    examples = [e for e in rosetta_pictures("test", 60) if len(e["targets"]) == 2]
    metrics = {metric.name: metric for metric in CAPTIONING.metrics(CONFIG)}
    assert list(metrics)[:3] == ["bleu", "cider", "rougeL"]
    other = Outcome(examples, [e["targets"][1] for e in examples])
    assert metrics["bleu"].score_of(other) == pytest.approx(100)
    assert metrics["rougeL"].score_of(other) == pytest.approx(100)
    assert "nrefs:var" in metrics["bleu"].signature
    first = [{**e, "targets": e["targets"][:1]} for e in examples]
    assert metrics["bleu"].score_of(other._replace(examples=first)) < 70


def test_a_word_s_map_is_the_mean_of_its_tokens_and_heads():
    weights = np.random.default_rng(0).random((2, 3, 4)).astype(np.float32)
    record = make_record(
        list("abcd"), ["un", "der", "</s>"], {"cross/0": weights},
        source_words=[], source_word_of=[-1] * 4,
        target_words=["under", "it"], target_word_of=[0, 0, -1], states=(2, 2),
    )  # fmt: skip
    found = word_maps(record, "cross/0", None)
    np.testing.assert_allclose(found[0], weights[:, :2].mean((0, 1)).reshape(2, 2), rtol=1e-6)
    assert (found[1] == 0).all()
    own = word_maps(record, "cross/0", 1)
    np.testing.assert_allclose(own[0], weights[1, :2].mean(0).reshape(2, 2), rtol=1e-6)


def test_attention_is_shown_word_by_word_over_the_picture():
    (example,) = rosetta_pictures("test", 1)
    count = len(example["target"].split())
    weights = np.zeros((1, count + 1, 4))
    weights[0, :, 3] = 1
    printed, figure = CAPTIONING.show(
        record_of(example, weights), "cross/0", None, example["source"]
    )
    names = [axes.get_title() for axes in figure.axes]
    assert names == ["picture", *example["target"].split()]
    picture = np.asarray(figure.axes[0].images[0].get_array())
    np.testing.assert_array_equal(picture, example["source"].pixels())
    shown = np.asarray(figure.axes[1].images[0].get_array())
    np.testing.assert_array_equal(shown[32:, 32:], picture[32:, 32:])
    assert shown[:32].mean() < picture[:32].mean() / 3
    assert "##" in printed.replace("█", "#").replace("@", "#")


@pytest.mark.parametrize(
    ("task", "encoder", "message"),
    [
        (
            "captioning",
            {"kind": "recurrent"},
            "captioning reads image, but the encoder recurrent reads tokens; choose another: convolutional or patches",
        ),
        (
            "translation",
            {"kind": "patches"},
            "translation reads tokens, but the encoder patches reads image",
        ),
        ("captioning", {"kind": "pyramidal"}, "the encoder pyramidal reads frames"),
    ],
)
def test_an_encoder_that_reads_something_else_is_refused(task, encoder, message):
    base = {"captioning": defaults.captioning, "translation": defaults.translation}[task]()
    base["model"] = {**base["model"], "encoder": encoder, "tie": "output"}
    with pytest.raises(ValueError, match=message):
        checks.run(base)


def test_the_size_of_images_is_checked_before_anything_is_read():
    config = defaults.captioning()
    config["data"]["size"] = 50
    with pytest.raises(ValueError, match="images of 50 pixels: the size must be a multiple of 16"):
        checks.run(config)
    assert TASKS["captioning"].reads == "image"
