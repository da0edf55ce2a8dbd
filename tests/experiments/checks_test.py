"""A command says in one line which number a config cannot have, and writes nothing."""

import json

import pytest

from tests.experiments.commands import command


@pytest.mark.parametrize("name", ["train", "ablate"])
def test_none_can_be_said_of_what_can_be_none(name):
    field = "--config.devices.data" if name == "train" else "--config.base.devices.data"
    result = command(name, f"{field}=2", f"{field}=None", "--print_config")
    assert result.returncode == 0, result.stderr
    config = json.loads(result.stdout)
    assert config.get("base", config)["devices"]["data"] is None


@pytest.mark.parametrize(
    ("name", "words", "message"),
    [
        ("train", ["--config=configs/ablations/quickstart.py"], "no data and no model"),
        ("ablate", ["--config=configs/quickstart.py", "--list"], "no base and no arms"),
        ("claims", ["--config=configs/quickstart.py"], "no base and no arms"),
        ("train", ["--config=configs/defaults.py"], "defines no get_config"),
        ("train", ["--config=configs/quickstart.py:foo"], "no argument after a colon"),
        (
            "train",
            ["--config=configs/shakespeare.py:foo"],
            "train: there is no setting 'foo'; known",
        ),
        ("train", ["--config=README.md"], "README.md"),
        (
            "train",
            ["--config=notebooks/attention_by_hand.ipynb"],
            "is not valid Python: name 'null'",
        ),
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
def test_a_command_says_so_in_one_line(name, words, message, tmp_path):
    result = command(name, *words, f"--workdir={tmp_path / 'run'}")
    assert result.returncode == 2 and message in result.stderr, result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "run").exists()
