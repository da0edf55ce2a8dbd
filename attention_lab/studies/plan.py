"""What a study is about to do, in words: its arms, what differs in them, and a guess of time and memory."""

import functools
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from attention_lab.runs import setup
from attention_lab.studies import budgets, scheduler, sizes, tuning
from attention_lab.studies.study import ReplicaGroup, Study, study_of

EFFICIENCY = 0.4  # a guess of the part of the matrix rate that training reaches
OVERHEAD = (
    70  # seconds that a group of small models takes to compile and to be judged, on two cores
)


def plan(
    study: Study, wanted: Sequence[ReplicaGroup], machine: scheduler.Machine | None = None
) -> str:
    """The arms that are to be run; on a machine, what each has to learn and how much that takes."""
    flops, groups = 0, list(wanted)
    seeds = ", ".join(map(str, study.seeds))
    lines = [f"study    {study.name}: {len(study.arms)} arms, each with seeds {seeds}"]
    for one in wanted:
        for arm in one.arms:
            changes = ", ".join(f"{field}={brief(value)}" for field, value in arm.changes.items())
            lines.append(f"  {arm.name:20} {changes or 'as the base config'}")
        if machine is not None:
            size = sizes.size_of(one, scheduler.layout(one, machine))
            flops += size.flops
            lines.append(
                f"    {len(one.replicas)} replicas of {size.parameters:,} parameters, {size.updates:,} updates; "
                f"about {training(size.flops) / 60:,.1f} min, {size.memory / 2**20:,.0f} MiB"
            )
            if message := setup.unfinished_warmup(one.arms[0].config, size.updates):
                lines.append(f"    {message}")
    if len(budgets.tokens_of(study)) > 1:
        lines.append(f"budget   {budgets.in_words(study)}")
    values = study.config["tuning"]["candidates"]
    if values:
        what = study.config["tuning"]["field"]
        message = tuning.in_words(study.config)
        lines.append(f"tuned    {what} of each arm, {len(values)} values, {message}")
    if values and machine is not None:
        trials = study_of(tuning.trials(study.config), study.folder).groups
        flops += sum(sizes.flops_of(one.arms[0].config) * len(one.replicas) for one in trials)
        groups += trials
    if machine is not None:
        lines.append(
            f"in all   about {(training(flops) + OVERHEAD * len(groups)) / 60:,.0f} min on this machine, as one "
            f"process: {training(flops) / 60:,.1f} of training, the rest to compile and to judge"
        )
    return "\n".join(lines)


def brief(value: Any) -> str:
    """A value as one word; of a table, the kinds in it."""
    if not isinstance(value, dict):
        return str(value)
    kinds = [
        one["kind"] for one in (value, *value.values()) if isinstance(one, dict) and "kind" in one
    ]
    return f"{{{', '.join(kinds) or '..'}}}"


def training(flops: int) -> float:
    """The seconds that training takes, guessed from how fast this machine multiplies matrices."""
    return flops / (EFFICIENCY * matrix_rate())


@functools.cache
def matrix_rate() -> float:
    """Floating-point operations a second, in NumPy's matrix product: nothing is compiled for it."""
    side = 1024
    a = np.ones((side, side), np.float32)
    seconds = []
    for _ in range(5):
        started = time.perf_counter()
        a @ a
        seconds.append(time.perf_counter() - started)
    return 2 * side**3 / min(seconds)
