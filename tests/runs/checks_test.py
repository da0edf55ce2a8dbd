"""A number that a config cannot have is told before anything is read or written."""

import json

import pytest

from attention_lab.runs import checks
from attention_lab.studies.study import changed
from attention_lab.tasks import TASKS
from configs import defaults
from tests.tasks.tiny import config_of

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
        ("initialize_from", None),
        ("initialize_from", 3),
        ("objective", 3),
        ("objective", ["prefix"]),
        ("mixture", ["translation"]),
        ("tokenizer.extra", -1),
        ("tokenizer.extra", None),
        ("training.b1", 1.0),
        ("training.b2", -0.1),
        ("training.final", 1.5),
        ("training.final", None),
        ("training.z_loss", -1e-4),
        ("training.z_loss", float("inf")),
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
        ("task", "translatoin", "did you mean 'translation'"),
        ("training.schedule", "cosin", "did you mean 'cosine'"),
        ("training.optimizer", "adafacto", "did you mean 'adafactor'"),
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


@pytest.mark.parametrize(
    ("objective", "message"),
    [
        ("spans", "there is no objective 'spans'; known are"),
        ({"kind": "span_corruption", "rat": 0.1}, "did you mean 'rate'"),
        ({"kind": "span_corruption", "rate": 3}, "a rate of 3 is not a fraction"),
        ({"kind": "denoising", "noise": ["maskng"]}, "did you mean 'masking'"),
    ],
)
def test_an_objective_that_is_none_is_reported_before_a_corpus_is_read(objective, message):
    config = {**CONFIGS["denoising"], "objective": objective}
    config["data"] = {**config["data"], "options": {"path": "there is none"}}
    with pytest.raises(ValueError, match=message):
        checks.run(config)
    checks.run({**config, "objective": "prefix"})


def whole_numbers(config, field=""):
    for name, value in config.items():
        if isinstance(value, dict):
            yield from whole_numbers(value, f"{field}{name}.")
        elif value is None or type(value) is int:
            yield f"{field}{name}", value


CONFIGS = {
    "recurrent": CONFIG,
    "transformer": {**CONFIG, "model": json.loads(defaults.transformer().to_json())},
    **{name: config_of(name) for name in TASKS},
}
# Whole numbers of other rules: what they mean depends on the objective, the sampling and the corpus.
ELSEWHERE = ("objective.", "sampling.", "mixture.", "data.options.", "decoding.longest")


@pytest.mark.parametrize("name", CONFIGS)
def test_every_whole_number_has_bounds_and_none_is_printed_where_it_means_something(name):
    config = json.loads(json.dumps(CONFIGS[name]))
    for field, value in whole_numbers(config):
        if field.startswith(ELSEWHERE):
            continue
        wrong = [-1, 2**70, *([None] if value is not None else [])]
        for one in wrong if field != "training.tokens" else [-1, None]:
            with pytest.raises(ValueError, match="it must be a whole number"):
                checks.run(changed(config, {field: one}, "this"))


@pytest.mark.parametrize("name", CONFIGS)
def test_every_config_passes(name):
    checks.run(CONFIGS[name])


@pytest.mark.parametrize("name", TASKS)
def test_a_model_of_every_task_must_read_the_longest_examples(name):
    learned = {f"model__{side}__encoding": "learned" for side in ("encoder", "decoder")}
    if name == "language":
        del learned["model__encoder__encoding"]
    checks.run(config_of(name, **learned, data__max_length=64))
    with pytest.raises(ValueError, match="max_length is 65, but this model reads at most 64"):
        checks.run(config_of(name, **learned, data__max_length=65))
