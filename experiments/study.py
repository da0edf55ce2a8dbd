"""A study: which arms are compared, with what held equal, and where everything stands. It computes nothing.

    study = study_of(config)
    for crew in study.crews: ...

An arm is the base config with some fields changed. Arms that differ in traced numbers alone (dropout,
learning rate, ..) and all seeds of an arm are one crew: one compiled program trains it, side by side.
"""

import itertools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from attention_lab.models.base import look_up
from experiments.translation import TRACED

Config = Mapping[str, Any]

ONE_DEVICE = {"data": None, "heads": 1, "shard_state": False}


class Arm(NamedTuple):
    """One thing that is compared. changes: the fields in which it differs from the base config."""

    name: str
    changes: dict[str, Any]
    config: dict[str, Any]


class Replica(NamedTuple):
    """One run of an arm."""

    arm: Arm
    seed: int

    @property
    def config(self) -> dict[str, Any]:
        """The config of `experiments.train` that gives the same run alone."""
        return {**self.arm.config, "seed": self.seed}


class Crew(NamedTuple):
    """Arms with one structure, and their seeds: what is trained together, in a folder of its own."""

    name: str
    arms: tuple[Arm, ...]
    seeds: tuple[int, ...]
    also: tuple[str, ...]  # splits to translate beside the test set
    folder: Path

    @property
    def replicas(self) -> list[Replica]:
        """All runs, arm by arm."""
        return [Replica(arm, seed) for arm in self.arms for seed in self.seeds]

    @property
    def results(self) -> Path:
        """The JSON lines, one per replica, that stand here once the crew has finished."""
        return self.folder / "results.jsonl"

    def replica_folder(self, replica: Replica) -> Path:
        """Where the run of a replica stands: `attention_lab.load` reads it."""
        return self.folder / f"{file_name(replica.arm.name)}_seed_{replica.seed}"


class Study(NamedTuple):
    """What a study config says."""

    name: str
    config: Config
    arms: tuple[Arm, ...]
    seeds: tuple[int, ...]
    folder: Path
    crews: tuple[Crew, ...]


def study_of(config: Config, folder: Path) -> Study:
    """The study that a config describes.

    config: {"name", "base": a config of experiments.train, "arms": {name: {field: value}}, "axes":
    {field: [values]}, "seeds", "also": splits to translate too}. Arms are those listed, then the full grid of the axes. Raises ValueError
    where it describes none.
    """
    changes = dict(config["arms"])
    axes = config["axes"]
    for values in itertools.product(*axes.values()) if axes else ():
        changes[", ".join(map(str, values))] = dict(zip(axes, values, strict=True))
    seeds = tuple(config["seeds"])
    if not changes:
        raise ValueError("the study has no arms: give config.arms or config.axes")
    if len(set(seeds)) != len(seeds) or not seeds:
        raise ValueError(f"seeds must be different numbers, at least one, and are {list(seeds)}")
    arms = tuple(
        Arm(name, dict(fields), changed(config["base"], fields, name))
        for name, fields in changes.items()
    )
    for arm in arms:
        if arm.config["devices"] != ONE_DEVICE:
            raise ValueError(
                f"arm {arm.name}: devices split one run of experiments.train; a study spreads its seeds over devices "
                "by itself, or over as many as --devices says"
            )
    crews: dict[str, list[Arm]] = {}
    for arm in arms:
        crews.setdefault(json.dumps(structure(arm.config), sort_keys=True), []).append(arm)
    return Study(
        config["name"],
        config,
        arms,
        seeds,
        folder,
        tuple(
            Crew(
                group[0].name,
                tuple(group),
                seeds,
                tuple(config["also"]),
                folder / "crews" / file_name(group[0].name),
            )
            for group in crews.values()
        ),
    )


def changed(base: Config, fields: Config, arm: str) -> dict[str, Any]:
    """The config with some fields, "model.attention.score", set. Raises ValueError where one is not there."""
    config = json.loads(json.dumps(base))
    for place, value in fields.items():
        *path, last = place.split(".")
        node = config
        for step in path:
            node = _enter(node, step, place, arm)
        _enter(node, last, place, arm)
        node[last] = value
    return config


def structure(config: Config) -> dict[str, Any]:
    """The config without what is traced, and without its names."""
    training = {k: v for k, v in config["training"].items() if k not in TRACED}
    return {k: v for k, v in config.items() if k not in ("name", "seed")} | {"training": training}


def file_name(name: str) -> str:
    """The arm's name as that of a folder."""
    return "".join(c if c.isalnum() or c in "-+." else "_" for c in name)


def _enter(node, step, place, arm):
    if not isinstance(node, dict):
        raise ValueError(f"arm {arm!r} sets {place!r}, but there is nothing inside {step!r}")
    look_up(f"field for arm {arm!r} ({place})", tuple(node), step)
    return node[step]
