"""Tuning: a learning rate for each arm, chosen on validation examples."""

import json

import pytest

from attention_lab.studies import checks, results, scheduler, sizes, summary
from attention_lab.studies.budgets import balanced
from attention_lab.studies.plan import plan
from attention_lab.studies.study import changed, study_of
from attention_lab.studies.tuning import score, trials, tuned
from tests.experiments import tiny_study
from tests.experiments.sentences import corpus
from tests.studies.made import BLEU

TUNING = {
    "field": "training.learning_rate",
    "candidates": [0.01, 0.1],
    "tokens": 500,
    "seeds": [9],
}
CONFIG = {**json.loads(tiny_study.get_config().to_json()), "tuning": TUNING}


def test_tuning_tries_every_value_in_every_arm_on_validation(tmp_path):
    tried = study_of(trials(CONFIG), tmp_path)
    assert len(tried.arms) == 6 and len(tried.groups) == 2  # a learning rate is traced
    config = tried.arms[1].config
    assert tried.arms[1].name == "no attention at 0.1"
    assert config["training"]["learning_rate"] == 0.1 and config["training"]["tokens"] == 500
    assert config["data"]["test"] == "validation" and tried.seeds == (9,)


def test_tuning_takes_the_value_that_validates_best(tmp_path, monkeypatch):
    best = {"no attention": 0.1, "additive": 0.01, "additive, no dropout": 0.1}
    curve = {True: [{"bleu": 3.0}, {"bleu": 1.0}], False: [{"bleu": 2.0}, {"bleu": 2.0}]}
    rows = [
        {"arm": f"{arm} at {value:g}", "curve": curve[value == best[arm]]}
        for arm in best
        for value in TUNING["candidates"]
    ]
    monkeypatch.setattr(scheduler, "run", lambda *_: None)
    monkeypatch.setattr(results, "rows_of", lambda _: rows)
    config = tuned(CONFIG, tmp_path)
    found = {name: fields["training.learning_rate"] for name, fields in config["arms"].items()}
    assert found == best
    assert config["arms"]["no attention"]["model.decoder.kind"] == "fixed"


def training_of(config, tmp_path):
    return {arm.name: arm.config["training"] for arm in study_of(config, tmp_path).arms}


@pytest.mark.parametrize("equal", ["updates", "flops"])
def test_a_trial_has_the_tuning_s_share_of_a_balanced_budget(tmp_path, equal):
    corpus(tmp_path)
    config = {**CONFIG, "budget": {"equal": equal}, "arms": {"small": {}, "large": {}}}
    config["arms"]["large"] = {"training.batch_tokens": 480, "model.decoder.layers": 2}
    config["base"] = json.loads(json.dumps(config["base"]))
    config["base"]["data"]["options"]["path"] = f"{tmp_path}/{{split}}.jsonl"
    config["tuning"] = {**TUNING, "tokens": 3_000}  # a quarter
    config = balanced(config)
    whole, tried = training_of(config, tmp_path), training_of(trials(config), tmp_path)
    assert whole["small"]["tokens"] == 12_000 != whole["large"]["tokens"]
    for name, training in whole.items():
        assert tried[f"{name} at 0.1"]["tokens"] == pytest.approx(training["tokens"] / 4, abs=1)
    small, large = (
        arm.config for arm in study_of(trials(config), tmp_path).arms if arm.name.endswith("0.1")
    )
    measure = {"updates": sizes.updates_of, "flops": sizes.flops_of}[equal]
    # Work comes in whole updates, of which there are few.
    assert measure(small) == pytest.approx(measure(large), rel=0.1)


def test_a_trial_has_the_same_share_of_the_warm_up(tmp_path):
    config = {**CONFIG, "tuning": {**TUNING, "tokens": 3_000}}
    arms = {
        "alike": {},
        "long": {"training.warmup": 40},
        "none": {"training.warmup": 0},
        "shortest": {"training.warmup": 1},
    }
    tried = training_of(trials({**config, "arms": arms}), tmp_path)
    found = [tried[f"{name} at 0.1"]["warmup"] for name in arms]
    assert found == [2, 10, 0, 1]  # of 10, 40, 0 and 1
    tuning = {**config["tuning"], "field": "training.warmup", "candidates": [8, 80]}
    tried = training_of(trials({**config, "tuning": tuning}), tmp_path)
    assert [tried[f"additive at {value}"]["warmup"] for value in (8, 80)] == [2, 20]


def test_a_budget_cannot_be_tuned_since_a_trial_has_its_own():
    with pytest.raises(ValueError, match=r"tuning.field is 'training.tokens'; it must be"):
        checks.study({**CONFIG, "tuning": {**TUNING, "field": "training.tokens"}})


def test_the_plan_says_what_a_trial_has(tmp_path):
    study = study_of(CONFIG, tmp_path)
    message = "2 values, 500 target tokens each, 4.17 % of the budget and of the warm-up (1 update)"
    assert message in plan(study, study.groups)


def test_the_report_says_that_arms_were_tuned_only_where_they_were(tmp_path):
    rows = [
        {
            "arm": arm,
            "seed": 0,
            "sentences": 9,
            "search": {"beam": 1},
            "scores": {"bleu": {"score": 1.0, "signature": "s"}},
        }
        for arm in CONFIG["arms"]
    ]
    arms = {"no attention": {**CONFIG["arms"]["no attention"], TUNING["field"]: 0.1}}
    config = {**CONFIG, "arms": {**CONFIG["arms"], **arms}}
    study = study_of(config, tmp_path)
    assert "chosen on validation" not in summary.subtitle(study, rows)
    for group in study_of(trials(config), tmp_path / "tuning").groups:
        assert "chosen on validation" not in summary.subtitle(study, rows)
        group.folder.mkdir(parents=True)
        group.results.write_text("", encoding="utf-8")
    message = summary.subtitle(study, rows)
    assert "learning_rate was chosen on validation from 0.01, 0.1" in message
    assert (
        "the chosen values are no attention: 0.1, additive: 0.02, additive, no dropout: 0.02."
        in message
    )


def test_the_trials_are_a_study_of_their_own():
    config = trials({**CONFIG, "also": ["more"], "axes": {"training.dropout": [0.0, 0.5]}})
    assert config["name"] == "tiny_tuning" and config["also"] == () and config["axes"] == {}
    assert config["seeds"] == [9] and len(config["arms"]) == 10
    # Of 12,000 tokens and 10 updates of warm-up, 500 and less than one.
    assert config["arms"]["additive, no dropout at 0.01"] == {
        "training.dropout": 0.0,
        "training.learning_rate": 0.01,
        "training.tokens": 500,
        "training.warmup": 1,
    }
    assert config["base"] == changed(CONFIG["base"], {"data.test": "validation"}, "a")


def test_a_score_is_the_mean_over_seeds_of_the_best_validation():
    curves = [[1.0, 9.0, 2.0], [5.0, 1.0, 4.0]]
    rows = [{"arm": "a", "curve": [{"bleu": b} for b in one]} for one in curves]
    rows.append({"arm": "b", "curve": [{"bleu": 99.0}]})
    assert score(rows, "a", BLEU) == 7.0


def test_without_candidates_nothing_is_tried(tmp_path, monkeypatch):
    monkeypatch.setattr(scheduler, "run", lambda *_: pytest.fail("something is trained"))
    config = {**CONFIG, "tuning": {**TUNING, "candidates": []}}
    assert tuned(config, tmp_path) is config


def test_of_equals_the_first_is_taken_and_the_choice_reported(tmp_path, monkeypatch, capsys):
    ran = []
    bleu = {0.1: 2.0, 0.01: 3.0, 0.5: 3.0}
    config = {**CONFIG, "arms": {"a": {}}, "tuning": {**TUNING, "candidates": list(bleu)}}
    rows = [{"arm": f"a at {v:g}", "curve": [{"bleu": b}]} for v, b in bleu.items()]
    monkeypatch.setattr(
        scheduler, "run", lambda study, groups, machine: ran.append((study, machine))
    )
    monkeypatch.setattr(results, "rows_of", lambda study: rows if study is ran[0][0] else [])
    machine = scheduler.Machine(devices=3)
    found = tuned({**config, "axes": {}}, tmp_path, machine)
    assert found["arms"] == {"a": {"training.learning_rate": 0.01}} and found["axes"] == {}
    assert ran[0][0].folder == tmp_path / "tuning" and ran[0][1] is machine
    assert found["base"] == config["base"]
    assert capsys.readouterr().out == (
        "tuned    a: training.learning_rate = 0.01 (validation BLEU of 0.1: 2.00, 0.01: 3.00, 0.5: 3.00)\n"
    )
