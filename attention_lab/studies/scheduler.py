"""All groups of a study, run by one process or by many that share its folder, each group by one of them."""

import json
import time
from collections.abc import Sequence
from typing import NamedTuple

from attention_lab import runs
from attention_lab.runs import leases, setup
from attention_lab.studies import replica_group, results, sizes
from attention_lab.studies.study import ReplicaGroup, Study
from attention_lab.training import replicas
from attention_lab.training.interrupt import Interrupt
from attention_lab.training.replicas import Layout

WAIT = 10.0  # seconds between looks at what others do


class Machine(NamedTuple):
    """What groups run on, where it is not to be chosen for each, and what may stop them."""

    devices: int | None = None
    at_once: int | None = None
    interrupt: Interrupt = Interrupt()


def run(study: Study, wanted: Sequence[ReplicaGroup], machine: Machine = Machine()) -> None:
    """Runs each group of the study that is wanted and has not finished, and waits for those that other processes run.

    Raises ValueError, and writes nothing, where the folder holds another study or was begun on other data.
    Raises Stopped where the interrupt asks for that; the same call then goes on. Where a group cannot be
    trained the others are all the same, and then ValueError says why it could not.
    """
    write_study(study)
    failed: dict[str, ValueError] = {}
    while left := [one for one in wanted if not (one.results.is_file() or one.name in failed)]:
        idle = True
        for one in left:
            with (
                leases.take(one.folder / "lease") as lease,
                machine.interrupt.guarded(lease.check),
            ):
                if lease and not one.results.is_file():
                    how = layout(one, machine)
                    names = ", ".join(arm.name for arm in one.arms)
                    print(f"\n== {names}: {len(one.replicas)} replicas, {how}")
                    try:
                        unchanged(study)
                        replica_group.run(one, how, machine.interrupt)
                    except ValueError as error:
                        failed[one.name] = error
                    idle = False
            machine.interrupt.check()
        if idle:
            time.sleep(WAIT)
    for name, why in failed.items():
        raise ValueError(f"{name}: {why}") from why


def unfinished(study: Study) -> list[ReplicaGroup]:
    """The groups that have no results yet."""
    return [one for one in study.groups if not one.results.is_file()]


def layout(one: ReplicaGroup, machine: Machine = Machine()) -> Layout:
    """How the group's replicas share the machine; what is given overrides what is chosen."""
    working = sizes.working_of(one.arms[0].config, one.folder)
    chosen = replicas.choose(len(one.replicas), working)
    return chosen._replace(
        devices=machine.devices or chosen.devices, at_once=machine.at_once or chosen.at_once
    )


def shard(groups: Sequence[ReplicaGroup], words: str) -> Sequence[ReplicaGroup]:
    """Part i of n of the groups, from "i/n". Raises ValueError where that is none."""
    part, _, whole = words.partition("/")
    if not (part.isdigit() and whole.isdigit() and 1 <= int(part) <= int(whole)):
        raise ValueError(f"--shard={words}: expected i/n with 1 <= i <= n")
    return groups[int(part) - 1 :: int(whole)]


def write_study(study: Study) -> None:
    """Writes study.json. Raises ValueError, and writes nothing, where the folder holds another study, other data or
    unreadable rows, and as `possible` where it is new."""
    path = study.folder / "study.json"
    config = json.loads(json.dumps(study.config))
    differing = runs.differences(runs.read_json(path), config) if path.exists() else []
    # Budgets follow the data, and would be named in their place.
    if not any("data." in difference for difference in differing):
        unchanged(study)
    if differing:
        raise ValueError(
            f"{study.folder} holds another study ({', '.join(differing[:5])}); go on with that, or "
            "choose another folder: --workdir"
        )
    results.rows_of(study)
    if not path.exists():
        possible(study)
    study.folder.mkdir(parents=True, exist_ok=True)
    runs.write_json(path, config)


def possible(study: Study) -> None:
    """Raises ValueError where a group could not be trained and judged on the data that there are now."""
    read = set()
    for one in study.groups:
        config = one.arms[0].config
        if (name := json.dumps(config["data"])) not in read:
            setup.data_of(config, one.also)
            read.add(name)
        sizes.updates_of(config, one.folder)


def unchanged(study: Study) -> None:
    """Raises ValueError where a group started on other data than there are now, or arms have different test sets."""
    names = [json.dumps(one.arms[0].config["data"]) for one in study.groups]
    now: dict[str, dict[str, str]] = {}  # what was read, by the config of the data
    tests: dict[str, str] = {}  # by digest, an arm that has that test set
    for one, name in zip(study.groups, names, strict=True):
        origin, config = runs.origin_of(one.folder), one.arms[0].config
        if origin is None and len(set(names)) == 1:
            continue  # nothing to compare
        now[name] = now.get(name) or setup.data_of(config, one.also)
        if origin:
            whose = f"those on which the study in {study.folder} started"
            runs.compare(origin.data, now[name], whose)
        tests.setdefault(now[name][config["data"]["test"]], one.name)
    if len(tests) > 1:
        raise ValueError(
            f"the arms {' and '.join(tests.values())} have different test sets, so that their scores cannot be "
            "compared; give them the same, or make a study of each"
        )
