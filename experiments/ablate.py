"""Runs a study: trains several arms with several seeds, and reports tables with confidence intervals.

    python -m experiments.ablate --config=configs/ablations/quickstart.py
    python -m experiments.ablate --config=configs/ablations/quickstart.py --dry_run
    python -m experiments.ablate --config=configs/ablations/quickstart.py --arm=additive
    python -m experiments.ablate --config=configs/ablations/quickstart.py --shard=2/4

The same command resumes a study that was stopped, and does not repeat finished runs. Several processes may work on
one study in the same folder: each trains arms that no other process is training. With --shard=i/n, as in a job array,
process i of n trains its part of the arms. The command writes study.json, groups/, results.jsonl, report.md,
report.html and figures/ to --workdir. The exit status is 0 on success, and also if SIGTERM, Ctrl-C or --max_minutes
stopped the study after it had saved its state; it is 2 for an invalid command.
"""

from pathlib import Path

from absl import flags
from ml_collections import config_flags

from attention_lab import studies
from attention_lab.studies import reporting, scheduler
from attention_lab.studies.plan import plan
from attention_lab.studies.study import ReplicaGroup, Study
from experiments import command

DEFAULT = "configs/ablations/quickstart.py"
CONFIG = config_flags.DEFINE_config_file(
    "config", None, f"The config file of the study, by default {DEFAULT}."
)
WORKDIR = flags.DEFINE_string(
    "workdir", None, "The folder of the study, by default runs/studies/NAME of the config."
)
LIST = flags.DEFINE_bool("list", False, "Print the arms and their differences without training.")
DRY_RUN = flags.DEFINE_bool(
    "dry_run",
    False,
    "Print the arms, their numbers of parameters, and estimates of time and memory without training.",
)
ARM = flags.DEFINE_string(
    "arm", None, "Train this arm only, with the arms that are in the same group of replicas."
)
SHARD = flags.DEFINE_string("shard", None, "i/n: train the i-th of n parts, with 1 <= i <= n.")
DEVICES = flags.DEFINE_integer(
    "devices", None, "The number of devices over which replicas are distributed.", lower_bound=1
)
AT_ONCE = flags.DEFINE_integer(
    "at_once",
    None,
    "The number of replicas that a device computes at the same time.",
    lower_bound=1,
)
MAX_MINUTES = flags.DEFINE_float(
    "max_minutes",
    None,
    "Save and stop after this many minutes; the same command resumes.",
    lower_bound=0,
)
PRINT_CONFIG = flags.DEFINE_bool("print_config", False, "Print the config without training.")


def main(words: list[str]) -> None:
    """Trains the unfinished arms of the study, and writes its report."""
    config = command.config_of(words, CONFIG.value, PRINT_CONFIG.value, ("base", "arms"))
    if config is None:
        return
    folder = Path(WORKDIR.value or f"runs/studies/{config['name']}")
    study = studies.checked(config, folder)
    wanted = chosen(study)  # raises for an unknown arm before training starts
    if LIST.value or DRY_RUN.value:
        machine = scheduler.Machine(DEVICES.value, AT_ONCE.value)
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
    unfinished = [group.name for group in scheduler.unfinished(study.groups)]
    if unfinished:
        arms = ", ".join(unfinished)
        print(
            f"\nnot finished yet: {arms}; the process that finishes the last one writes the report"
        )
    else:
        print(reporting.write(study, print))


def chosen(study: Study) -> list[ReplicaGroup]:
    """Returns the groups of replicas that this process trains. Raises Refusal if --arm or --shard matches none."""
    groups = list(study.groups)
    if ARM.value is not None:
        groups = [one for one in groups if any(arm.name == ARM.value for arm in one.arms)]
        if not groups:
            names = ", ".join(arm.name for arm in study.arms)
            raise command.Refusal(f"--arm: there is no arm {ARM.value!r}; there are {names}")
    if SHARD.value is not None:
        groups = list(scheduler.shard(groups, SHARD.value))
    return groups


if __name__ == "__main__":
    command.run(main, DEFAULT)
