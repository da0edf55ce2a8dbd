"""Budgets: arms that do as much, or are as large, as the first."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from attention_lab.runs import setup
from attention_lab.studies import budgets, scheduler, sizes
from attention_lab.studies.budgets import balanced
from attention_lab.studies.plan import plan
from attention_lab.studies.study import study_of
from attention_lab.training.optimizer import adam
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


def words_seen(config):
    """Target words that a run sees: of the corpus of sentences.py, five in each."""
    corpus = setup.corpus_of(config)
    batches = setup.batches_of(config, corpus.rows)
    return 5 * len(corpus.rows) * setup.updates_of(config, batches) / batches.per_epoch


@pytest.mark.parametrize("equal", ["tokens", "parameters"])
def test_arms_with_other_tokenizers_see_as_many_words(folder, equal):
    fields = ("model.decoder.hidden", "model.encoder.features")
    characters = {"tokenizer.kind": "char", "training.batch_tokens": 800}
    arms = {
        "words": {},
        "characters": characters,
        "twice": {**characters, "training.tokens": 24_000},
    }
    config = config_of(folder, arms=arms, budget={"equal": equal, "fields": fields, "step": 2})
    before = [words_seen(run_of(config, arm)) for arm in ("words", "characters")]
    assert before[0] > 3 * before[1]  # what is to be mended: a word has many characters
    config = balanced(config)
    words, characters, twice = (run_of(config, arm) for arm in arms)
    assert words["training"]["tokens"] == 12_000
    assert words_seen(characters) == pytest.approx(words_seen(words), rel=0.02)
    assert words_seen(twice) == pytest.approx(2 * words_seen(words), rel=0.02)


def test_the_plan_says_which_budgets_are_not_those_of_the_config(folder):
    config = config_of(folder, arms={"words": {}, "characters": {"tokenizer.kind": "char"}})
    study = study_of(balanced(config), folder / "study")
    tokens = run_of(study.config, "characters")["training"]["tokens"]
    message = f"budget   12,000 to {tokens:,} target tokens each (the same number of target words"
    assert message in plan(study, study.groups)
    for equal, why in (
        ("updates", "the same number of updates"),
        ("flops", "the same number of FLOPs in"),
    ):
        config = balanced({**config, "budget": {"equal": equal}})
        assert f"({why}" in plan(study_of(config, folder / "study"), [])
    alike = study_of(balanced(config_of(folder)), folder / "study")
    assert "budget" not in plan(alike, alike.groups)
    assert budgets.describe(alike) == "12,000 target tokens each"


def test_a_warm_up_that_takes_the_whole_run_is_reported(folder):
    arms = {"short": {}, "long": {"training.warmup": 10_000}}
    study = study_of(config_of(folder, arms=arms), folder / "study")
    short, long = (plan(study, [group], scheduler.Machine()) for group in study.groups)
    assert "training.warmup is 10,000 updates, and the run has" in long and "warmup" not in short
    model = SimpleNamespace()
    with pytest.warns(
        UserWarning, match="training.warmup is 10,000 updates, and the run has 10,000"
    ):
        setup.step_of(run_of(study.config, "long"), model, adam(1.0), 10_000)
    setup.step_of(run_of(study.config, "long"), model, adam(1.0), 10_001)  # a warning is an error


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


def test_a_budget_that_is_none_is_reported(folder):
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


@pytest.fixture
def squares(monkeypatch):
    """Models that have as many parameters as their hidden size squared."""
    monkeypatch.setattr(
        sizes, "parameters_of", lambda config: config["model"]["decoder"]["hidden"] ** 2
    )


def width_of(hidden, step):
    """The width of an arm that is to have as many parameters as a first one of this hidden size."""
    fields = ["model.decoder.hidden", "model.encoder.features"]
    config = json.loads(tiny_study.get_config().to_json())
    arms = {"first": {"model.decoder.hidden": hidden}, "other": {"training.dropout": 0.5}}
    budget = {"equal": "parameters", "fields": fields, "step": step}
    other = balanced({**config, "arms": arms, "axes": {}, "budget": budget})["arms"]["other"]
    assert set(other) == {*fields, "training.dropout"} and len({other[f] for f in fields}) == 1
    return other["model.decoder.hidden"]


@pytest.mark.parametrize(
    ("hidden", "step", "width"),
    [
        (64, 16, 64),  # as many is not more
        (63, 16, 48),
        (79, 16, 64),
        (16, 16, 16),
        (1000, 7, 994),
        (4095, 16, 4080),
        (4096, 16, 4096),
        (99_999, 16, 4096),  # the widest
    ],
)
def test_a_width_is_the_greatest_multiple_of_the_step_that_is_not_more(
    squares, hidden, step, width
):
    assert width_of(hidden, step) == width


def test_a_step_that_is_too_wide_is_reported(squares):
    with pytest.raises(ValueError, match=r"features = 16, an arm has more than 225 parameters"):
        width_of(15, 16)


@pytest.mark.parametrize("equal", ["updates", "flops"])
def test_tokens_are_scaled_by_what_the_first_arm_needs(monkeypatch, equal):
    costs = {0.1: 30, 0.2: 60, 0.3: 40}
    measure = {equal: lambda config: costs[config["training"]["dropout"]]}
    monkeypatch.setattr(budgets, "BY_TOKENS", measure)
    config = json.loads(tiny_study.get_config().to_json())
    arms = {f"{d}": {"training.dropout": d} for d in costs}
    arms["0.3"]["training.tokens"] = 1001
    found = balanced({**config, "arms": arms, "axes": {}, "budget": {"equal": equal}})["arms"]
    assert [arm["training.tokens"] for arm in found.values()] == [
        12_000,
        6000,
        round(1001 * 30 / 40),
    ]
    assert found["0.2"]["training.dropout"] == 0.2


def test_the_arms_of_a_grid_are_balanced_too(squares):
    config = json.loads(tiny_study.get_config().to_json())
    budget = {"equal": "parameters", "fields": ["model.decoder.hidden"], "step": 16}
    axes = {"training.dropout": [0.1, 0.2]}
    found = balanced({**config, "arms": {}, "axes": axes, "budget": budget})
    assert found["axes"] == {} and list(found["arms"]) == ["0.1", "0.2"]
