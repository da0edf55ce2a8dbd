"""A study: which arms are compared, with what held equal, and where everything stands. It computes nothing.

    study = study_of(config)
    for group in study.groups: ...

An arm is the base config with some fields changed. Arms that differ in traced numbers alone (dropout,
learning rate, ..) and all seeds of an arm are one group: one compiled program trains it, side by side.
"""

import itertools
import json
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from attention_lab.evaluation.metrics import Metric
from attention_lab.models.base import look_up
from attention_lab.runs.setup import TRACED
from attention_lab.tasks import task_of

Config = Mapping[str, Any]

LONGEST = 180  # bytes of an arm's name in that of a folder, which may have 255
ONE_DEVICE = {"data": None, "heads": 1, "shard_state": False}


class Arm(NamedTuple):
    """One thing that is compared. changes: the fields in which it differs from the base config."""

    name: str
    changes: dict[str, Any]
    config: dict[str, Any]
    file_name: str  # in folders; no other arm of the study has it


class Replica(NamedTuple):
    """One run of an arm."""

    arm: Arm
    seed: int

    @property
    def config(self) -> dict[str, Any]:
        """The config of `experiments.train` that gives the same run alone."""
        return {**self.arm.config, "seed": self.seed}


class ReplicaGroup(NamedTuple):
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
        """The JSON lines, one per replica, that stand here once the group has finished."""
        return self.folder / "results.jsonl"

    def replica_folder(self, replica: Replica) -> Path:
        """Where the run of a replica stands: `attention_lab.load` reads it."""
        return self.folder / f"{replica.arm.file_name}_seed_{replica.seed}"


class Study(NamedTuple):
    """What a study config describes."""

    name: str
    config: Config
    arms: tuple[Arm, ...]
    seeds: tuple[int, ...]
    folder: Path
    groups: tuple[ReplicaGroup, ...]

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """The metrics of its task, the main one first."""
        return task_of(self.config["base"]).metrics(self.config["base"])

    @property
    def compared(self) -> tuple[Metric, ...]:
        """The metrics by which arms are compared, one family of tests."""
        task = task_of(self.config["base"])
        return tuple(one for one in self.metrics if one.name in task.compared)


def study_of(config: Config, folder: Path) -> Study:
    """The study that a config describes.

    config: {"name", "base": a config of experiments.train, "arms": {name: {field: value}}, "axes":
    {field: [values]}, "seeds", "also": splits to translate too}. Arms are those listed, then the full grid of the axes. Raises ValueError
    where it describes none.
    """
    changes = dict(config["arms"])
    axes = config["axes"]
    for values in itertools.product(*axes.values()) if axes else ():
        name = ", ".join(map(str, values))
        if name in changes:
            raise ValueError(
                f"two arms are called {name!r}; give config.axes values with unlike names"
            )
        changes[name] = dict(zip(axes, values, strict=True))
    seeds = tuple(config["seeds"])
    if not changes:
        raise ValueError("the study has no arms: give config.arms or config.axes")
    if len(set(seeds)) != len(seeds) or not seeds:
        raise ValueError(f"seeds must be different numbers, at least one, and are {list(seeds)}")
    files = file_names(changes)
    arms = tuple(
        Arm(name, dict(fields), changed(config["base"], fields, name), files[name])
        for name, fields in changes.items()
    )
    for arm in arms:
        if arm.config["devices"] != ONE_DEVICE:
            raise ValueError(
                f"arm {arm.name}: devices split one run of experiments.train; a study spreads its seeds over devices "
                "by itself, or over as many as --devices says"
            )
    groups: dict[str, list[Arm]] = {}
    for arm in arms:
        groups.setdefault(json.dumps(structure(arm.config), sort_keys=True), []).append(arm)
    return Study(
        config["name"],
        config,
        arms,
        seeds,
        folder,
        tuple(
            ReplicaGroup(
                group[0].name,
                tuple(group),
                seeds,
                tuple(config["also"]),
                folder / "groups" / group[0].file_name,
            )
            for group in groups.values()
        ),
    )


def changed(base: Config, fields: Config, arm: str) -> dict[str, Any]:
    """The config with some fields, "model.decoder.attention.score", set. Raises ValueError where one is not there."""
    config = json.loads(json.dumps(base))
    for field, value in fields.items():
        *path, last = field.split(".")
        node = config
        for step in path:
            node = _enter(node, step, field, arm)
        _enter(node, last, field, arm)
        node[last] = value
    return config


def structure(config: Config) -> dict[str, Any]:
    """The config without what is traced, and without its names."""
    training = {k: v for k, v in config["training"].items() if k not in TRACED}
    return {k: v for k, v in config.items() if k not in ("name", "seed")} | {"training": training}


def file_names(names: Iterable[str]) -> dict[str, str]:
    """Each arm's name as part of a folder's: unlike for unlike names, also where case does not count.

    What is no letter, digit, "-", "+" or "." is "_". Where two names then are alike, or one is no name of a
    folder or too long, it is followed by ~ and the start of the name's sha256.
    """
    plain = {name: "".join(c if c.isalnum() or c in "-+." else "_" for c in name) for name in names}
    times = Counter(map(_alike, plain.values()))
    unique = {}
    for name, file in plain.items():
        short = file.encode()[:LONGEST].decode(errors="ignore")
        if not file or file.endswith(".") or short != file or times[_alike(file)] > 1:
            file = f"{short}~{sha256(name.encode(errors='surrogatepass')).hexdigest()[:12]}"
        unique[name] = file
    return unique


def _alike(file):
    """What a file system that knows neither case nor ways to write an accent sees."""
    return unicodedata.normalize("NFKC", file.casefold())


def _enter(node, step, field, arm):
    if not isinstance(node, dict):
        raise ValueError(f"arm {arm!r} sets {field!r}, but there is nothing inside {step!r}")
    look_up(f"field for arm {arm!r} ({field})", tuple(node), step)
    return node[step]
