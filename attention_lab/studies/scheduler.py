"""Runs the groups of a study, in one process or in several that share its folder; each group is run by one of them."""

import json
import time
from collections.abc import Sequence
from typing import NamedTuple

from attention_lab import runs
from attention_lab.runs import initialization, leases, setup
from attention_lab.studies import replica_group, results, sizes
from attention_lab.studies.study import ReplicaGroup, Study
from attention_lab.training import replicas
from attention_lab.training.interrupt import Interrupt
from attention_lab.training.replicas import Layout

WAIT = 10.0  # seconds between checks of the groups that other processes run


class Machine(NamedTuple):
    """The resources of a study. devices, at_once: None to choose them for each group. interrupt: may stop the study."""

    devices: int | None = None
    at_once: int | None = None
    interrupt: Interrupt = Interrupt()


def run(study: Study, wanted: Sequence[ReplicaGroup], machine: Machine = Machine()) -> None:
    """Runs the wanted groups that are not finished, and waits for those that other processes run.

    Raises ValueError, before anything is written, if the folder contains another study or was started on other data.
    Raises Stopped if the interrupt requests it; the same call then resumes the study. If a group cannot be trained, the
    others are trained nevertheless, and then a ValueError gives the reason.
    """
    write_study(study)
    failed: dict[str, ValueError] = {}
    while left := [group for group in unfinished(wanted) if group.name not in failed]:
        idle = True
        for group in left:
            with (
                leases.take(group.folder / "lease") as lease,
                machine.interrupt.guarded(lease.check),
            ):
                if lease and not group.results.is_file():
                    chosen = layout(group, machine)
                    names = ", ".join(arm.name for arm in group.arms)
                    print(f"\n== {names}: {len(group.replicas)} replicas, {chosen}")
                    try:
                        check_data(study)
                        replica_group.run(group, chosen, machine.interrupt)
                    except ValueError as error:
                        failed[group.name] = error
                    idle = False
            machine.interrupt.check()
        if idle:
            time.sleep(WAIT)
    for name, reason in failed.items():
        raise ValueError(f"{name}: {reason}") from reason


def unfinished(groups: Sequence[ReplicaGroup]) -> list[ReplicaGroup]:
    """Returns the groups that have no results yet."""
    return [group for group in groups if not group.results.is_file()]


def layout(group: ReplicaGroup, machine: Machine = Machine()) -> Layout:
    """Returns the layout of the group's replicas on the machine, whose fields override the chosen ones."""
    working = sizes.working_of(group.arms[0].config, group.folder)
    chosen = replicas.choose(len(group.replicas), working)
    return chosen._replace(
        devices=machine.devices or chosen.devices, at_once=machine.at_once or chosen.at_once
    )


def shard(groups: Sequence[ReplicaGroup], text: str) -> Sequence[ReplicaGroup]:
    """Returns part i of n of the groups, for the text "i/n". Raises ValueError if the text is invalid."""
    index, _, count = text.partition("/")
    if not (index.isdigit() and count.isdigit() and 1 <= int(index) <= int(count)):
        raise ValueError(f"--shard={text}: expected i/n with 1 <= i <= n")
    return groups[int(index) - 1 :: int(count)]


def write_study(study: Study) -> None:
    """Writes study.json.

    Raises ValueError, before anything is written, if the folder contains another study, other data or unreadable rows,
    or if a new study cannot be trained (`check_possible`).
    """
    path = study.folder / "study.json"
    config = json.loads(json.dumps(study.config))
    differing = runs.differences(runs.read_json(path), config) if path.exists() else []
    # If the data differ, so do the budgets; the message below would list these instead of the cause.
    if not any("data." in difference for difference in differing):
        check_data(study)
    if differing:
        raise ValueError(
            f"{study.folder} contains another study ({', '.join(differing[:5])}); resume that study, or "
            "choose another folder: --workdir"
        )
    results.rows_of(study)
    if not path.exists():
        check_possible(study)
    study.folder.mkdir(parents=True, exist_ok=True)
    runs.write_json(path, config)


def check_possible(study: Study) -> None:
    """Raises ValueError if a group could not be trained and evaluated on the present data."""
    checked = set()
    for group in study.groups:
        config = group.arms[0].config
        if (name := _corpora(config)) not in checked:
            setup.data_of(config, group.also)
            checked.add(name)
        sizes.updates_of(config, group.folder)
        if config["initialize_from"]:
            model = runs.model_of(config, setup.corpus_of(config, group.folder).codec)
            initialization.check(model, [replica.config for replica in group.replicas])


def check_data(study: Study) -> None:
    """Raises ValueError if the data changed after a group started, or if arms have different test sets."""
    names = [_corpora(group.arms[0].config) for group in study.groups]
    digests: dict[str, dict[str, str]] = {}  # fields of the data -> digests of its splits
    tests: dict[str, str] = {}  # digest of a test set -> the first arm that has it
    for group, name in zip(study.groups, names, strict=True):
        origin, config = runs.origin_of(group.folder), group.arms[0].config
        if origin is None and len(set(names)) == 1:
            continue  # nothing to compare
        digests[name] = digests.get(name) or setup.data_of(config, group.also)
        if origin:
            expected = f"those on which the study in {study.folder} started"
            runs.compare(origin.data, digests[name], expected)
        tests.setdefault(digests[name][config["data"]["test"]], group.name)
    if len(tests) > 1:
        raise ValueError(
            f"the arms {' and '.join(tests.values())} have different test sets, so their scores cannot be compared; "
            "give them the same test set, or define one study for each"
        )


def _corpora(config):
    """Returns the fields on which the examples of a config depend."""
    return json.dumps([config[name] for name in ("task", "mixture", "data")])
