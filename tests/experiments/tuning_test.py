"""Tuning: a learning rate for each arm, chosen on validation examples."""

import json

from attention_lab.studies import fleet, results
from attention_lab.studies.study import study_of
from attention_lab.studies.tuning import trials, tuned
from tests.experiments import tiny_study

TUNING = {
    "field": "training.learning_rate",
    "candidates": [0.01, 0.1],
    "tokens": 500,
    "seeds": [9],
}
CONFIG = {**json.loads(tiny_study.get_config().to_json()), "tuning": TUNING}


def test_tuning_tries_every_value_in_every_arm_on_validation(tmp_path):
    tried = study_of(trials(CONFIG), tmp_path)
    assert len(tried.arms) == 6 and len(tried.crews) == 2  # a learning rate is traced
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
    monkeypatch.setattr(fleet, "run", lambda *_: None)
    monkeypatch.setattr(results, "rows_of", lambda _: rows)
    config = tuned(CONFIG, tmp_path)
    found = {name: fields["training.learning_rate"] for name, fields in config["arms"].items()}
    assert found == best
    assert config["arms"]["no attention"]["model.decoder.kind"] == "fixed"
