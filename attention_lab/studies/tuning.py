"""A learning rate for each arm, chosen on validation examples before the study: arms differ in what suits them.

    config.tuning = {"field": "training.learning_rate", "candidates": (1e-3, 3e-3, 1e-2), "tokens": 200_000, "seeds": (100,)}

It is a study of its own in the folder `tuning`: every arm with every value, whose seeds should not be
those of the study. A trial is a run of the study in small: of each arm's own budget and warm-up it has the share that
`tokens` are of the first arm's budget. With the whole warm-up a short trial would end before its learning rate has
reached its peak, and prefer one that is too large. What it costs the plan and the report say.
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from attention_lab.evaluation.metrics import HIGHER, Metric
from attention_lab.studies import findings, results, scheduler
from attention_lab.studies.study import Arm, changed, study_of

Config = Mapping[str, Any]


def tuned(config: Config, folder: Path, machine: scheduler.Machine = scheduler.Machine()) -> Config:
    """The config with the best value in each arm, by the mean over the tuning's seeds of the main metric on validation.

    Runs what the tuning lacks; of equals, the first is taken. Without candidates, the config as it is.
    """
    tuning = config["tuning"]
    if not tuning["candidates"]:
        return config
    study = study_of(trials(config), folder / "tuning")
    scheduler.run(study, study.groups, machine)
    rows = results.rows_of(study)
    arms, metric = {}, study.metrics[0]
    for arm in study_of(config, folder).arms:
        scores = {
            value: score(rows, trial(arm.name, value), metric) for value in tuning["candidates"]
        }
        best = best_of(metric)(scores, key=lambda value: scores[value])
        each = ", ".join(f"{value:g}: {score:.2f}" for value, score in scores.items())
        print(
            f"tuned    {arm.name}: {tuning['field']} = {best:g} (validation {metric.title} of {each})"
        )
        arms[arm.name] = {**arm.changes, tuning["field"]: best}
    return {**config, "arms": arms, "axes": {}}


def trials(config: Config) -> Config:
    """The study that tries every value in every arm; it is tested on validation examples."""
    tuning, arms = config["tuning"], {}
    for arm in study_of(config, Path()).arms:
        for value in tuning["candidates"]:
            fields = {**arm.changes, tuning["field"]: value}
            training = changed(config["base"], fields, arm.name)["training"]
            small = {
                f"training.{name}": max(1, round(share_of(config) * training[name]))
                for name in ("tokens", "warmup")
                if training[name]
            }
            arms[trial(arm.name, value)] = {**fields, **small}
    return {
        **config,
        "name": f"{config['name']}_tuning",
        "base": changed(config["base"], {"data.test": "validation"}, "tuning"),
        "arms": arms,
        "axes": {},
        "seeds": tuning["seeds"],
        "also": (),
    }


def is_done(config: Config, folder: Path) -> bool:
    """Whether every trial has its results in the study's folder."""
    trial_study = study_of(trials(config), folder / "tuning")
    return all(group.results.is_file() for group in trial_study.groups)


def value_of(arm: Arm, field: str) -> Any:
    """What an arm has in a field such as "training.learning_rate"."""
    return functools.reduce(lambda node, name: node[name], field.split("."), arm.config)


def share_of(config: Config) -> float:
    """The part of an arm's budget, and of its warm-up, that a trial has."""
    first = study_of(config, Path()).arms[0]
    return float(config["tuning"]["tokens"] / first.config["training"]["tokens"])


def in_words(config: Config) -> str:
    """What a trial has, such as "200,000 target tokens each, 13.3 % of the budget and of the warm-up (13 updates)"."""
    training = [arm.config["training"] for arm in study_of(trials(config), Path()).arms]
    tokens, warmup = (span([one[name] for one in training]) for name in ("tokens", "warmup"))
    share = 100 * share_of(config)
    updates = f"{warmup} update{'s' * (warmup != '1')}"
    return (
        f"{tokens} target tokens each, {share:.3g} % of the budget and of the warm-up ({updates})"
    )


def span(numbers: Sequence[int]) -> str:
    """The numbers from the least to the greatest, or the one that all are."""
    return " to ".join(f"{number:,}" for number in sorted({min(numbers), max(numbers)}))


def trial(arm: str, value: float) -> str:
    """The name of an arm with a value."""
    return f"{arm} at {value:g}"


def score(rows: Any, arm: str, metric: Metric) -> float:
    """The mean over seeds of the best validation score of an arm while it was trained."""
    curves = [row["curve"] for row in findings.of_arm(rows, arm)]
    best = best_of(metric)
    return float(np.mean([best(line[metric.name] for line in curve) for curve in curves]))


def best_of(metric: Metric) -> Callable[..., Any]:
    """`max` where more is better, `min` where less is."""
    return max if metric.better == HIGHER else min
