"""The plan of a study as text: its arms, their differences, and estimates of time and memory."""

import functools
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from attention_lab.runs import setup
from attention_lab.studies import budgets, scheduler, sizes, tuning
from attention_lab.studies.study import ReplicaGroup, Study, study_of

EFFICIENCY = 0.4  # an estimate of the fraction of the matrix rate that training reaches
OVERHEAD = 70  # seconds for compiling and evaluating a group of small models, on two cores


def plan(
    study: Study, wanted: Sequence[ReplicaGroup], machine: scheduler.Machine | None = None
) -> str:
    """Returns the plan of the wanted groups; with a machine, also their sizes and the estimated time and memory."""
    flops, groups = 0, list(wanted)
    seeds = ", ".join(map(str, study.seeds))
    lines = [f"study    {study.name}: {len(study.arms)} arms, each with seeds {seeds}"]
    for group in wanted:
        for arm in group.arms:
            changes = ", ".join(f"{field}={brief(value)}" for field, value in arm.changes.items())
            lines.append(f"  {arm.name:20} {changes or 'as the base config'}")
        if machine is not None:
            size = sizes.size_of(group, scheduler.layout(group, machine))
            flops += size.flops
            lines.append(
                f"    {len(group.replicas)} replicas of {size.parameters:,} parameters, {size.updates:,} updates; "
                f"about {training(size.flops) / 60:,.1f} min, {size.memory / 2**20:,.0f} MiB"
            )
            if message := setup.unfinished_warmup(group.arms[0].config, size.updates):
                lines.append(f"    {message}")
    if len(budgets.tokens_of(study)) > 1:
        lines.append(f"budget   {budgets.describe(study)}")
    values = study.config["tuning"]["candidates"]
    if values:
        field = study.config["tuning"]["field"]
        trial = tuning.describe(study.config)
        lines.append(f"tuned    {field} of each arm, {len(values)} values, {trial}")
    if values and machine is not None:
        trials = study_of(tuning.trials(study.config), study.folder).groups
        flops += sum(sizes.flops_of(group.arms[0].config) * len(group.replicas) for group in trials)
        groups += trials
    if machine is not None:
        lines.append(
            f"total    about {(training(flops) + OVERHEAD * len(groups)) / 60:,.0f} min on this machine, in one "
            f"process: {training(flops) / 60:,.1f} for training, the rest for compilation and evaluation"
        )
    return "\n".join(lines)


def brief(value: Any) -> str:
    """Returns a value on one line; for a dict of options its kind and the options, for one of dicts the kinds in it."""
    if not isinstance(value, dict):
        return str(value)
    if "kind" in value and not any(isinstance(part, dict) for part in value.values()):
        options = [f"{name}={part}" for name, part in value.items() if name != "kind"]
        return f"{{{', '.join([value['kind'], *options])}}}"
    kinds = [
        node["kind"]
        for node in (value, *value.values())
        if isinstance(node, dict) and "kind" in node
    ]
    return f"{{{', '.join(kinds) or '..'}}}"


def training(flops: int) -> float:
    """Returns the estimated seconds of training, from the rate at which this machine multiplies matrices."""
    return flops / (EFFICIENCY * matrix_rate())


@functools.cache
def matrix_rate() -> float:
    """Returns the floating-point operations per second of NumPy's matrix product, which needs no compilation."""
    side = 1024
    a = np.ones((side, side), np.float32)
    seconds = []
    for _ in range(5):
        started = time.perf_counter()
        a @ a
        seconds.append(time.perf_counter() - started)
    return 2 * side**3 / min(seconds)
