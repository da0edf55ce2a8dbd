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

from pathlib import Path

from absl import flags
from ml_collections import config_flags

from attention_lab import studies
from attention_lab.studies import fleet, reporting
from attention_lab.studies.plan import plan
from attention_lab.studies.study import Crew, Study
from experiments import command

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


def main(words: list[str]) -> None:
    """Runs what is left of the study, and reports on it."""
    config = command.config_of(words, CONFIG.value, PRINT_CONFIG.value, ("base", "arms"))
    if config is None:
        return
    folder = Path(WORKDIR.value or f"runs/studies/{config['name']}")
    study = studies.checked(config, folder)
    wanted = chosen(study)  # refuses what is not there before anything runs
    if LIST.value or DRY_RUN.value:
        machine = fleet.Machine(DEVICES.value, AT_ONCE.value)
        print(plan(study, wanted, machine if DRY_RUN.value else None))
        return
    names = {one.name for one in wanted}
    study = studies.run(
        config,
        folder,
        wanted=lambda one: one.name in names,
        devices=DEVICES.value,
        at_once=AT_ONCE.value,
        max_minutes=MAX_MINUTES.value,
    )
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


if __name__ == "__main__":
    command.run(main, DEFAULT)
