"""Speech: the codec, error rates, when attention listens, and how that is shown."""

import numpy as np
import pytest

from attention_lab.data.rosetta.speech import rosetta_speech
from attention_lab.data.sounds import Spectrograms
from attention_lab.evaluation.metrics import Outcome
from attention_lab.evaluation.records import make_record
from attention_lab.runs import checks, defaults
from attention_lab.tasks.speech import SPEECH
from attention_lab.views import spectrogram

CONFIG = defaults.speech()


def record_of(example, weights, scale):
    words = example["target_words"]
    return make_record(
        [f"{k / scale:.2f}" for k in range(weights.shape[1])],
        words,
        {"cross/0": weights[None]},
        source_words=words,
        source_word_of=[-1] * weights.shape[1],
        target_words=words,
        target_word_of=range(len(words)),
        links=example["links"],
        states=weights.shape[1:],
        boxes=[np.array(region["box"]) * scale for region in example["regions"]],
        scale=scale,
    )


def test_the_codec_hears_frames_and_spells_characters(tmp_path):
    examples = rosetta_speech("train", 30, vocabulary=2)
    codec = SPEECH.prepare(CONFIG, examples, tmp_path)
    assert codec.source == Spectrograms(8000, 40)
    for example in examples:
        encoded = codec.target.encode(example["target"], example["target_words"])
        assert codec.target.decode(encoded.ids) == example["target"]
        assert len(encoded.ids) == len(example["target"])


@pytest.mark.parametrize(
    ("hypothesis", "words", "characters"),
    [
        ("the cat sat", 0, 0),
        ("the hat sat", 1, 1),
        ("the cat", 1, 4),
        ("the the cat sat", 1, 4),
        ("", 3, 11),
    ],
)
def test_errors_are_counted_in_words_and_characters(hypothesis, words, characters):
    metrics = {metric.name: metric for metric in SPEECH.metrics(CONFIG)}
    outcome = Outcome([{"target": "the cat sat"}, {"target": "a b"}], [hypothesis, "a b"])
    assert metrics["wer"].score_of(outcome) == pytest.approx(100 * words / 5)
    assert metrics["cer"].score_of(outcome) == pytest.approx(100 * characters / 14)
    assert metrics["wer"].better == metrics["cer"].better == metrics["distance"].better == "lower"


def test_listening_is_judged_by_the_times_of_words_with_a_margin():
    (example,) = rosetta_speech("test", 1, vocabulary=2)
    scale = 50.0  # states of 20 ms
    states = int(scale * (example["regions"][-1]["box"][1] + 0.2))
    exact = np.zeros((len(example["links"]), states))
    for row, region in zip(exact, example["regions"], strict=True):
        start, end = region["box"]
        row[round((start + end) / 2 * scale)] = 1
    metrics = {metric.name: metric for metric in SPEECH.metrics(CONFIG)}

    def scores(weights):
        outcome = Outcome([example], [""], None, [record_of(example, weights, scale)])
        return {
            name: metrics[name].score_of(outcome)
            for name in ("pointing", "correctness", "area", "distance")
        }

    found = scores(exact)
    assert found["pointing"] == found["correctness"] == 100 and found["distance"] < 0.02
    shift = np.zeros_like(exact)
    for row, region in zip(shift, example["regions"], strict=True):
        row[int((region["box"][1] + 0.03) * scale)] = 1  # 30 ms late: within the margin
    assert scores(shift)["correctness"] > 60
    late = np.roll(exact, round(0.6 * scale), axis=1)
    assert scores(late)["pointing"] < 60 and 0.4 < scores(late)["distance"] < 1.5
    even = scores(np.full_like(exact, 1 / states))
    assert even["correctness"] == pytest.approx(even["area"]) and 5 < even["area"] < 60


def test_when_words_listened_is_shown_under_the_spectrogram():
    (example,) = rosetta_speech("test", 1, vocabulary=2)
    weights = np.zeros((len(example["links"]), 20))
    weights[:, 3] = 1
    printed, figure = SPEECH.show(
        record_of(example, weights, 12.5), "cross/0", None, example["source"]
    )
    assert example["target_words"][0] in printed and "0.5 1.0" in " ".join(printed.split())
    upper, lower = figure.axes
    np.testing.assert_array_equal(lower.images[0].get_array(), weights)
    assert [text.get_text() for text in lower.get_yticklabels()] == example["target_words"]
    assert upper.images[0].get_array().shape[0] == spectrogram.MELS


def test_gold_times_are_outlined_and_rows_must_fit_the_words():
    (example,) = rosetta_speech("test", 1, vocabulary=2)
    words, boxes = example["target_words"], [[region["box"]] for region in example["regions"]]
    weights = np.ones((len(words), 10)) / 10
    figure = spectrogram.under(example["source"], weights, words, 5.0, boxes)
    for patch, ((start, end),), row in zip(figure.axes[1].patches, boxes, range(9), strict=False):
        assert (*patch.get_xy(), patch.get_width()) == pytest.approx((start, row, end - start))
    assert len(figure.axes[1].patches) == len(words)
    for wrong in (weights[:-1], weights[0]):
        with pytest.raises(ValueError, match=r"expected \[words, states\]"):
            spectrogram.under(example["source"], wrong, words, 5.0)


def test_frames_are_checked_before_anything_is_read():
    for field, value, message in (
        ("mels", 1, "1 mel bands"),
        ("rate", 10, "a rate of 10"),
        ("max_seconds", 0, "greater than 0"),
    ):
        config = defaults.speech()
        config["data"][field] = value
        with pytest.raises(ValueError, match=message):
            checks.run(config)
