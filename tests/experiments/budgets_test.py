"""Budgets: arms that do as much, or are as large, as the first."""

import json
from pathlib import Path

import pytest

from attention_lab.studies import sizes
from attention_lab.studies.budgets import balanced
from attention_lab.studies.study import study_of
from tests.experiments import tiny_study
from tests.experiments.sentences import corpus


def config_of(folder, **fields):
    config = json.loads(tiny_study.get_config().to_json())
    config["base"]["data"]["options"]["path"] = f"{folder}/{{split}}.jsonl"
    return {**config, **fields}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    corpus(folder)
    return folder


def run_of(config, arm):
    return next(one for one in study_of(config, Path()).arms if one.name == arm).config


def test_equal_tokens_change_nothing(folder):
    config = config_of(folder)
    assert balanced(config) is config


def test_equal_updates_are_equally_many(folder):
    arms = {"small": {}, "large": {"training.batch_tokens": 480}}
    before = config_of(folder, arms=arms)
    after = balanced({**before, "budget": {"equal": "updates"}})
    small, large = (run_of(after, arm) for arm in arms)
    assert sizes.updates_of(run_of(before, "large")) < sizes.updates_of(small)
    assert sizes.updates_of(large) == pytest.approx(sizes.updates_of(small), abs=1)
    assert small["training"]["tokens"] == 12_000 < large["training"]["tokens"]


def test_equal_flops_are_equal_work(folder):
    config = balanced(config_of(folder, budget={"equal": "flops"}))
    first, other = (run_of(config, arm) for arm in ("no attention", "additive"))
    assert other["training"]["tokens"] < first["training"]["tokens"] == 12_000
    # Work comes in whole updates.
    assert sizes.flops_of(other) == pytest.approx(sizes.flops_of(first), rel=0.03)


def test_equal_parameters_are_the_most_that_are_not_more(folder):
    fields = ("model.decoder.hidden", "model.encoder.features")
    config = config_of(folder, budget={"equal": "parameters", "fields": fields, "step": 2})
    config = balanced(
        {
            **config,
            "arms": {
                "wide": {"model.decoder.hidden": 64, "model.encoder.features": 64},
                "none": {"model.decoder.kind": "fixed"},
            },
        }
    )
    wide, none = (run_of(config, arm) for arm in ("wide", "none"))
    assert wide["model"]["decoder"]["hidden"] == 64 and none["model"]["decoder"]["hidden"] > 64
    wider = json.loads(json.dumps(none))
    wider_by_a_step = none["model"]["decoder"]["hidden"] + 2
    wider["model"]["decoder"]["hidden"] = wider["model"]["encoder"]["features"] = wider_by_a_step
    wanted = sizes.parameters_of(wide)
    assert sizes.parameters_of(none) <= wanted < sizes.parameters_of(wider)


def test_a_budget_that_is_none_is_told(folder):
    with pytest.raises(ValueError, match="did you mean 'flops'"):
        balanced(config_of(folder, budget={"equal": "flop"}))
    large = {"model.encoder.embedding": 512, "model.decoder.embedding": 512}
    budget = {
        "equal": "parameters",
        "fields": ("model.decoder.hidden", "model.encoder.features"),
        "step": 2,
    }
    arms = {"small": {}, "large": large}
    with pytest.raises(ValueError, match="an arm has more than"):
        balanced(config_of(folder, arms=arms, budget=budget))
