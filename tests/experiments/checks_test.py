"""A number that a config cannot have is told before anything is read or written."""

import json

import pytest

from configs import defaults
from experiments import checks
from experiments.study import changed
from tests.experiments.commands import command

CONFIG = json.loads(defaults.translation().to_json())


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("training.tokens", 0),
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
        ("model.hidden", 0),
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
        ("model.attention.score", "genral", "did you mean 'general'"),
        ("data.bleu_tokenize", "ja-mecap", "did you mean 'ja-mecab'"),
    ],
)
def test_a_name_that_is_none_is_told_with_the_nearest(field, value, said):
    with pytest.raises(ValueError, match=said):
        checks.run(changed(CONFIG, {field: value}, "this"))


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
        ("ablate", ["--config.base.model.attention.score=foo", "--list"], "'foo'"),
        ("ablate", ["--list", "--arm=nope"], "no arm 'nope'"),
    ],
)
def test_a_command_says_so_in_one_line(name, words, said, tmp_path):
    told = command(name, *words, f"--workdir={tmp_path / 'run'}")
    assert told.returncode == 2 and said in told.stderr, told.stderr
    assert len(told.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "run").exists()
