"""All crews of a study, run by one process or by many that share its folder, each crew by one of them."""

import json
import os
import time
from collections.abc import Sequence
from typing import NamedTuple

from attention_lab import runs
from attention_lab.training import replicas
from attention_lab.training.interrupt import Interrupt
from attention_lab.training.replicas import Layout
from experiments import command, crew, leases, sizes
from experiments.study import Crew, Study

WAIT = 10.0  # seconds between looks at what others do


class Machine(NamedTuple):
    """What crews run on, where it is not to be chosen for each, and what may stop them."""

    devices: int | None = None
    at_once: int | None = None
    interrupt: Interrupt = Interrupt()


def run(wanted: Sequence[Crew], machine: Machine = Machine()) -> None:
    """Runs every crew that has not finished, and waits for those that other processes run.

    Raises Stopped where the interrupt asks for that; the same call then goes on. Where a crew cannot be
    trained the others are all the same, and then ValueError says why it could not.
    """
    failed: dict[str, ValueError] = {}
    while left := [one for one in wanted if not (one.results.is_file() or one.name in failed)]:
        idle = True
        for one in left:
            with leases.take(one.folder / "lease") as mine:
                if mine and not one.results.is_file():
                    how = layout(one, machine)
                    told = ", ".join(arm.name for arm in one.arms)
                    print(f"\n== {told}: {len(one.replicas)} replicas, {how}")
                    try:
                        crew.run(one, how, machine.interrupt)
                    except ValueError as error:
                        failed[one.name] = error
                    idle = False
            machine.interrupt.check()
        if idle:
            time.sleep(WAIT)
    for name, why in failed.items():
        raise ValueError(f"{name}: {why}") from why


def unfinished(study: Study) -> list[Crew]:
    """The crews that have no results yet."""
    return [one for one in study.crews if not one.results.is_file()]


def layout(one: Crew, machine: Machine = Machine()) -> Layout:
    """How the crew's replicas share the machine; what is given overrides what is chosen."""
    found = replicas.choose(len(one.replicas), sizes.working_of(one.arms[0].config))
    return found._replace(
        devices=machine.devices or found.devices, at_once=machine.at_once or found.at_once
    )


def shard(crews: Sequence[Crew], words: str) -> Sequence[Crew]:
    """Part i of n of the crews, from "i/n". Raises Refusal where that is none."""
    part, _, whole = words.partition("/")
    if not (part.isdigit() and whole.isdigit() and 1 <= int(part) <= int(whole)):
        raise command.Refusal(f"--shard={words}: expected i/n with 1 <= i <= n")
    return crews[int(part) - 1 :: int(whole)]


def remember(study: Study) -> None:
    """Writes study.json. Raises ValueError where the folder holds another study."""
    path = study.folder / "study.json"
    config = json.loads(json.dumps(study.config))
    if path.exists():
        differing = runs.differences(json.loads(path.read_text(encoding="utf-8")), config)
        if differing:
            raise ValueError(
                f"{study.folder} holds another study ({', '.join(differing[:5])}); go on with that, or "
                "choose another folder: --workdir"
            )
        return
    study.folder.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(f".{os.getpid()}")
    temporary.write_text(
        json.dumps(config, indent=2, ensure_ascii=False) + "\n",
        encoding="utf-8",
        errors="backslashreplace",
    )
    temporary.replace(path)
