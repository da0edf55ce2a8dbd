"""Tuning of one hyperparameter, such as the learning rate, for each arm, on validation examples before the study.

    config.tuning = {"field": "training.learning_rate", "candidates": (1e-3, 3e-3, 1e-2), "tokens": 200_000, "seeds": (100,)}

The tuning is a study in the folder `tuning`, of every arm with every candidate; its seeds should differ from those of
the main study. A trial has the same fraction of the budget and of the warm-up of its arm, which is the ratio of
`tokens` to the budget of the first arm. With the whole warm-up, a short trial would end before the learning rate
reaches its peak, and prefer one that is too large. The plan and the report state the cost of the trials.
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
    """Returns the config with the best candidate in each arm, by the main metric on validation, averaged over seeds.

    Runs the trials that are not finished. If candidates are equally good, the first is chosen. Without candidates, the
    config is returned unchanged.
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
        listed = ", ".join(f"{value:g}: {score:.2f}" for value, score in scores.items())
        print(
            f"tuned    {arm.name}: {tuning['field']} = {best:g} (validation {metric.title} of {listed})"
        )
        arms[arm.name] = {**arm.changes, tuning["field"]: best}
    return {**config, "arms": arms, "axes": {}}


def trials(config: Config) -> Config:
    """Returns the config of the study of trials: every candidate in every arm, tested on validation examples."""
    tuning, arms = config["tuning"], {}
    for arm in study_of(config, Path()).arms:
        for value in tuning["candidates"]:
            fields = {**arm.changes, tuning["field"]: value}
            training = changed(config["base"], fields, arm.name)["training"]
            small = {
                f"training.{name}": max(1, round(fraction_of(config) * training[name]))
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
    """Returns whether every trial has results in the study's folder."""
    trial_study = study_of(trials(config), folder / "tuning")
    return all(group.results.is_file() for group in trial_study.groups)


def value_of(arm: Arm, field: str) -> Any:
    """Returns the value of a field of an arm, such as "training.learning_rate"."""
    return functools.reduce(lambda node, name: node[name], field.split("."), arm.config)


def fraction_of(config: Config) -> float:
    """Returns the fraction of an arm's budget, and of its warm-up, that a trial has."""
    first = study_of(config, Path()).arms[0]
    return float(config["tuning"]["tokens"] / first.config["training"]["tokens"])


def describe(config: Config) -> str:
    """Returns a description of the trials, such as "200,000 target tokens each, 13.3 % of the budget and of the warm-up (13 updates)"."""
    training = [arm.config["training"] for arm in study_of(trials(config), Path()).arms]
    tokens, warmup = (span([one[name] for one in training]) for name in ("tokens", "warmup"))
    percent = 100 * fraction_of(config)
    updates = f"{warmup} update{'s' * (warmup != '1')}"
    return (
        f"{tokens} target tokens each, {percent:.3g} % of the budget and of the warm-up ({updates})"
    )


def span(numbers: Sequence[int]) -> str:
    """Returns the least and the greatest number as text, or one number if all are equal."""
    return " to ".join(f"{number:,}" for number in sorted({min(numbers), max(numbers)}))


def trial(arm: str, value: float) -> str:
    """Returns the name of the trial of an arm with a candidate."""
    return f"{arm} at {value:g}"


def score(rows: Any, arm: str, metric: Metric) -> float:
    """Returns the best validation score of an arm during training, averaged over seeds."""
    curves = [row["curve"] for row in findings.of_arm(rows, arm)]
    best = best_of(metric)
    return float(np.mean([best(line[metric.name] for line in curve) for curve in curves]))


def best_of(metric: Metric) -> Callable[..., Any]:
    """Returns `max` if higher values of the metric are better, else `min`."""
    return max if metric.better == HIGHER else min
