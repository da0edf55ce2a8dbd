"""A learning rate for each arm, chosen on validation examples before the study: arms differ in what suits them.

    config.tuning = {"field": "training.learning_rate", "candidates": (1e-3, 3e-3, 1e-2), "tokens": 200_000, "seeds": (100,)}

It is a study of its own in the folder `tuning`: every arm with every value, whose seeds should not be
those of the study. What it costs is those tokens for each of them, and the report says so.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from attention_lab.studies import findings, fleet, results
from attention_lab.studies.study import changed, study_of

Config = Mapping[str, Any]


def tuned(config: Config, folder: Path, machine: fleet.Machine = fleet.Machine()) -> Config:
    """The config with the best value in each arm, by mean validation BLEU over the tuning's seeds.

    Runs what the tuning lacks; of equals, the first is taken. Without candidates, the config as it is.
    """
    tuning = config["tuning"]
    if not tuning["candidates"]:
        return config
    study = study_of(trials(config), folder / "tuning")
    fleet.run(study, study.crews, machine)
    rows = results.rows_of(study)
    arms = {}
    for arm in study_of(config, folder).arms:
        scores = {value: score(rows, trial(arm.name, value)) for value in tuning["candidates"]}
        best = max(scores, key=lambda value: scores[value])
        told = ", ".join(f"{value:g}: {found:.2f}" for value, found in scores.items())
        print(f"tuned    {arm.name}: {tuning['field']} = {best:g} (validation BLEU of {told})")
        arms[arm.name] = {**arm.changes, tuning["field"]: best}
    return {**config, "arms": arms, "axes": {}}


def trials(config: Config) -> Config:
    """The study that tries every value in every arm; it is tested on validation examples."""
    tuning = config["tuning"]
    arms = {
        trial(arm.name, value): {**arm.changes, tuning["field"]: value}
        for arm in study_of(config, Path()).arms
        for value in tuning["candidates"]
    }
    fields = {"training.tokens": tuning["tokens"], "data.test": "validation"}
    return {
        **config,
        "name": f"{config['name']}_tuning",
        "base": changed(config["base"], fields, "tuning"),
        "arms": arms,
        "axes": {},
        "seeds": tuning["seeds"],
        "also": (),
    }


def trial(arm: str, value: float) -> str:
    """The name of an arm with a value."""
    return f"{arm} at {value:g}"


def score(rows: Any, arm: str) -> float:
    """The best mean validation BLEU of an arm while it was trained."""
    curves = [row["curve"] for row in findings.of_arm(rows, arm)]
    return float(np.mean([max(line["bleu"] for line in curve) for curve in curves]))
