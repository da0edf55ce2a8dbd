"""A number that a config cannot have is told before anything is read or written."""

import json

import pytest

from attention_lab.runs import checks
from attention_lab.studies.study import changed
from configs import defaults

CONFIG = json.loads(defaults.translation().to_json())


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("seed", -1),
        ("seed", None),
        ("seed", 2**32),  # the key of 0
        ("seed", True),
        ("showcase", "a sentence"),
        ("showcase", [1]),
        ("training.tokens", 0),
        ("training.warmup", 2**31),
        ("tokenizer.size", 2**70),
        ("training.batch_tokens", -5),
        ("training.buckets", 0),
        ("training.validations", 0),
        ("training.validations", 2.5),
        ("training.dropout", 1.5),
        ("training.learning_rate", float("nan")),
        ("training.clip", "much"),
        ("training.buckets", True),
        ("data.max_length", 0),
        ("decoding.beam", 0),
        ("decoding.longest", 3),
        ("decoding.longest", [1]),
        ("model.decoder.hidden", 0),
        ("model.decoder.positions", None),
    ],
)
def test_a_number_that_cannot_be_is_reported_with_its_field(field, value):
    with pytest.raises(ValueError, match=f"{field} is .*; it must be") as raised:
        checks.run(changed(CONFIG, {field: value}, "this"))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("training.schedule", "cosin", "did you mean 'cosine'"),
        ("data.test", "tst", "did you mean 'test'"),
        ("data.name", "rosett", "did you mean 'rosetta'"),
        ("model.decoder.attention.score", "genral", "did you mean 'general'"),
        ("decoding.longest", [0, 0.0], "allows no token for an empty sentence"),
        ("data.bleu_tokenize", "ja-mecap", "did you mean 'ja-mecab'"),
    ],
)
def test_a_name_that_is_none_is_reported_with_the_nearest(field, value, message):
    with pytest.raises(ValueError, match=message):
        checks.run(changed(CONFIG, {field: value}, "this"))


def whole_numbers(config, field=""):
    for name, value in config.items():
        if isinstance(value, dict):
            yield from whole_numbers(value, f"{field}{name}.")
        elif value is None or type(value) is int:
            yield f"{field}{name}", value


@pytest.mark.parametrize("model", [defaults.recurrent(), defaults.transformer()])
def test_every_whole_number_has_bounds_and_none_is_printed_where_it_means_something(model):
    config = {**CONFIG, "model": json.loads(model.to_json())}
    for field, value in whole_numbers(config):
        wrong = [-1, 2**70, *([None] if value is not None else [])]
        for one in wrong if field != "training.tokens" else [-1, None]:
            with pytest.raises(ValueError, match="it must be a whole number"):
                checks.run(changed(config, {field: one}, "this"))


def test_every_config_that_is_shipped_passes():
    checks.run(CONFIG)
    checks.run({**CONFIG, "model": json.loads(defaults.transformer().to_json())})
