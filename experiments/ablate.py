"""Runs a study: several arms, many seeds, one table with honest intervals.

    python -m experiments.ablate --config=configs/ablations/quickstart.py
    python -m experiments.ablate --config=configs/ablations/quickstart.py --dry_run
    python -m experiments.ablate --config=configs/ablations/quickstart.py --arm=additive
    python -m experiments.ablate --config=configs/ablations/quickstart.py --shard=2/4

The same command goes on with a study that was stopped, and never runs twice what has finished. Several
processes may run it at once in one folder: each takes arms that no other has; with --shard=i/n, for job
arrays, process i of n takes its own part. --workdir, by default runs/studies/NAME of the config, gets
study.json, crews/, results.jsonl, report.md, report.html and figures/. Exit status: 0, also where SIGTERM, Ctrl-C
or --max_minutes stopped it in order; 2 where the command cannot be obeyed.
"""

import functools
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
from absl import flags
from ml_collections import config_flags

from attention_lab.training import replicas
from attention_lab.training.interrupt import Interrupt
from experiments import budgets, checks, command, fleet, reporting, sizes, translation, tuning
from experiments.study import Crew, Study, study_of

DEFAULT = "configs/ablations/quickstart.py"
CONFIG = config_flags.DEFINE_config_file("config", None, f"The study, by default {DEFAULT}.")
WORKDIR = flags.DEFINE_string(
    "workdir", None, "Where everything goes, by default runs/studies/NAME."
)
LIST = flags.DEFINE_bool("list", False, "Print the arms and what differs in them, and run nothing.")
DRY_RUN = flags.DEFINE_bool(
    "dry_run", False, "Print arms, their sizes, and a guess of time and memory; run nothing."
)
ARM = flags.DEFINE_string("arm", None, "Run this arm alone (and those trained together with it).")
SHARD = flags.DEFINE_string("shard", None, "i/n: run the i-th of n parts, 1 <= i <= n.")
DEVICES = flags.DEFINE_integer(
    "devices", None, "Over how many devices to spread replicas.", lower_bound=1
)
AT_ONCE = flags.DEFINE_integer(
    "at_once", None, "How many replicas a device computes side by side.", lower_bound=1
)
MAX_MINUTES = flags.DEFINE_float(
    "max_minutes", None, "Stop then, in order; the same command goes on.", lower_bound=0
)
PRINT_CONFIG = flags.DEFINE_bool("print_config", False, "Print the config, and run nothing.")
EFFICIENCY = 0.4  # a guess of the part of the matrix rate that training reaches
AROUND = 70  # seconds that a crew of small models takes to compile and to be judged, on two cores


def main(words: list[str]) -> None:
    """Runs what is left of the study, and reports on it."""
    config = command.config_of(words, CONFIG.value, PRINT_CONFIG.value, ("base", "arms"))
    if config is None:
        return
    folder = Path(WORKDIR.value or f"runs/studies/{config['name']}")
    checks.study(config)
    study = study_of(budgets.balanced(config), folder)
    wanted = chosen(study)  # refuses what is not there before anything runs
    if LIST.value or DRY_RUN.value:
        print(plan(study, wanted, sized=DRY_RUN.value))
        return
    replicas.cores_as_devices(os.cpu_count() or 1)
    translation.prepare()
    with Interrupt(MAX_MINUTES.value) as interrupt:
        machine = fleet.Machine(DEVICES.value, AT_ONCE.value, interrupt)
        study = study_of(tuning.tuned(study.config, folder, machine), folder)
        wanted = chosen(study)
        fleet.run(study, wanted, machine)
    left = [one.name for one in fleet.unfinished(study)]
    if left:
        print(f"\nnot finished yet: {', '.join(left)}; who finishes the last of them reports")
    else:
        print(reporting.write(study, print))


def chosen(study: Study) -> list[Crew]:
    """The crews that this process is to run. Raises Refusal where the flags name none."""
    crews = list(study.crews)
    if ARM.value is not None:
        crews = [one for one in crews if any(arm.name == ARM.value for arm in one.arms)]
        if not crews:
            names = ", ".join(arm.name for arm in study.arms)
            raise command.Refusal(f"--arm: there is no arm {ARM.value!r}; there are {names}")
    if SHARD.value is not None:
        crews = list(fleet.shard(crews, SHARD.value))
    return crews


def plan(study: Study, wanted: list[Crew], sized: bool) -> str:
    """The arms that are to be run; if sized, what each has to learn and how much that takes."""
    flops, crews = 0, list(wanted)
    seeds = ", ".join(map(str, study.seeds))
    lines = [f"study    {study.name}: {len(study.arms)} arms, each with seeds {seeds}"]
    for one in wanted:
        for arm in one.arms:
            changes = ", ".join(f"{field}={brief(value)}" for field, value in arm.changes.items())
            lines.append(f"  {arm.name:20} {changes or 'as the base config'}")
        if sized:
            size = sizes.size_of(
                one, fleet.layout(one, fleet.Machine(DEVICES.value, AT_ONCE.value))
            )
            flops += size.flops
            lines.append(
                f"    {len(one.replicas)} replicas of {size.parameters:,} parameters, {size.updates:,} updates; "
                f"about {training(size.flops) / 60:,.1f} min, {size.memory / 2**20:,.0f} MiB"
            )
    values = study.config["tuning"]["candidates"]
    if values:
        tokens = study.config["tuning"]["tokens"]
        what = study.config["tuning"]["field"]
        lines.append(f"tuned    {what} of each arm, {len(values)} values, {tokens:,} tokens each")
    if values and sized:
        trials = study_of(tuning.trials(study.config), study.folder).crews
        flops += sum(sizes.flops_of(one.arms[0].config) * len(one.replicas) for one in trials)
        crews += trials
    if sized:
        lines.append(
            f"in all   about {(training(flops) + AROUND * len(crews)) / 60:,.0f} min on this machine, as one "
            f"process: {training(flops) / 60:,.1f} of training, the rest to compile and to judge"
        )
    return "\n".join(lines)


def brief(value: Any) -> str:
    """A value as one word; of a whole table, its kind."""
    return f"{{{value.get('kind', '..')}}}" if isinstance(value, dict) else str(value)


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


if __name__ == "__main__":
    command.run(main, DEFAULT)
