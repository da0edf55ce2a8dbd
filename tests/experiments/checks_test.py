"""A number that a config cannot have is told before anything is read or written."""

import json

import pytest

from attention_lab.runs import checks
from attention_lab.studies import checks as study_checks
from attention_lab.studies.study import changed
from configs import defaults
from tests.experiments.commands import command

CONFIG = json.loads(defaults.translation().to_json())
STUDY = {**json.loads(defaults.study().to_json()), "arms": {"a": {}}}


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
def test_a_number_that_cannot_be_is_told_with_its_field(field, value):
    with pytest.raises(ValueError, match=f"{field} is .*; it must be") as told:
        checks.run(changed(CONFIG, {field: value}, "this"))
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("training.schedule", "cosin", "did you mean 'cosine'"),
        ("data.test", "tst", "did you mean 'test'"),
        ("data.name", "rosett", "did you mean 'rosetta'"),
        ("model.decoder.attention.score", "genral", "did you mean 'general'"),
        ("decoding.longest", [0, 0.0], "leaves no room for a token"),
        ("data.bleu_tokenize", "ja-mecap", "did you mean 'ja-mecab'"),
    ],
)
def test_a_name_that_is_none_is_told_with_the_nearest(field, value, said):
    with pytest.raises(ValueError, match=said):
        checks.run(changed(CONFIG, {field: value}, "this"))


def whole_numbers(config, place=""):
    for name, value in config.items():
        if isinstance(value, dict):
            yield from whole_numbers(value, f"{place}{name}.")
        elif value is None or type(value) is int:
            yield f"{place}{name}", value


@pytest.mark.parametrize("model", [defaults.recurrent(), defaults.transformer()])
def test_every_whole_number_has_bounds_and_none_is_said_where_it_means_something(model):
    config = {**CONFIG, "model": json.loads(model.to_json())}
    for field, value in whole_numbers(config):
        wrong = [-1, 2**70, *([None] if value is not None else [])]
        for one in wrong if field != "training.tokens" else [-1, None]:
            with pytest.raises(ValueError, match="it must be a whole number"):
                checks.run(changed(config, {field: one}, "this"))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("seeds", [0, -1]),
        ("seeds", [2**32]),
        ("seeds", [0.5]),
        ("seeds", 3),
        ("tuning", {**STUDY["tuning"], "seeds": [-5]}),
        ("tuning", {**STUDY["tuning"], "tokens": 0}),
        ("budget", {**STUDY["budget"], "step": 0}),
        ("base", {**CONFIG, "seed": -1}),
    ],
)
def test_a_study_has_its_own_numbers_checked_and_those_of_its_arms(field, value):
    study_checks.study(STUDY)
    with pytest.raises(ValueError, match="must be") as told:
        study_checks.study({**STUDY, field: value})
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("name", ["train", "ablate"])
def test_none_can_be_said_of_what_can_be_none(name):
    field = "--config.devices.data" if name == "train" else "--config.base.devices.data"
    told = command(name, f"{field}=2", f"{field}=None", "--print_config")
    assert told.returncode == 0, told.stderr
    config = json.loads(told.stdout)
    assert config.get("base", config)["devices"]["data"] is None


def test_every_config_that_is_shipped_passes():
    checks.run(CONFIG)
    checks.run({**CONFIG, "model": json.loads(defaults.transformer().to_json())})


@pytest.mark.parametrize(
    ("name", "words", "said"),
    [
        ("train", ["--config=configs/ablations/quickstart.py"], "no data and no model"),
        ("ablate", ["--config=configs/quickstart.py", "--list"], "no base and no arms"),
        ("claims", ["--config=configs/quickstart.py"], "no base and no arms"),
        ("train", ["--config=configs/defaults.py"], "defines no get_config"),
        ("train", ["--config=configs/quickstart.py:foo"], "nothing behind a colon"),
        ("train", ["--config=README.md"], "README.md"),
        ("train", ["--config=configs/quickstart.py", "--config.training.buckets=0"], "at least 1"),
        ("ablate", ["--config.base.model.decoder.attention.score=foo", "--list"], "'foo'"),
        ("ablate", ["--list", "--arm=nope"], "no arm 'nope'"),
        (
            "train",
            ["--config.seed=-1"],
            "seed is -1; it must be a whole number from 0 to 4294967295",
        ),
        ("train", ["--config.decoding.longest=(1j, 1)"], "decoding.longest is (1j, 1); it must be"),
        ("train", ["--config.showcase=({1},)"], "showcase is ({1},); it must be"),
        ("ablate", ["--config.base.decoding.longest=(b'x', 1)"], "base.decoding.longest is (b'x',"),
        ("ablate", ["--config.seeds=(0,-1)", "--list"], "seeds is [0, -1]; it must be"),
        ("claims", ["--config.seeds=(-1,)"], "seeds is [-1]; it must be"),
        ("benchmark", ["--config.seed=-1"], "config.seed: -1 should be a whole number"),
        ("benchmark", ["--config.heads=None"], "config.heads: None should be a whole number"),
    ],
)
def test_a_command_says_so_in_one_line(name, words, said, tmp_path):
    told = command(name, *words, f"--workdir={tmp_path / 'run'}")
    assert told.returncode == 2 and said in told.stderr, told.stderr
    assert len(told.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "run").exists()
