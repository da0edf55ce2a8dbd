"""The description of a study: its arms, seeds, groups and folders. Nothing is computed here.

    study = study_of(config)
    for group in study.groups: ...

An arm is the base config with some fields changed. Arms that differ only in traced numbers (dropout, learning rate,
..) form one group of replicas with all their seeds, which one compiled program trains together.
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

LONGEST = 180  # the bytes of an arm's name in the name of a folder, which may have 255
ONE_DEVICE = {"data": None, "heads": 1, "shard_state": False}


class Arm(NamedTuple):
    """One of the compared configurations.

    changes: the fields in which it differs from the base config. config: with the first seed.
    """

    name: str
    changes: dict[str, Any]
    config: dict[str, Any]
    file_name: str  # its unique name in the names of folders


class Replica(NamedTuple):
    """One run of an arm, with one seed."""

    arm: Arm
    seed: int

    @property
    def config(self) -> dict[str, Any]:
        """The config with which `experiments.train` gives the same run."""
        return {**self.arm.config, "seed": self.seed}


class ReplicaGroup(NamedTuple):
    """Arms with the same structure and all their seeds, which are trained together in one folder."""

    name: str
    arms: tuple[Arm, ...]
    seeds: tuple[int, ...]
    also: tuple[str, ...]  # splits to translate in addition to the test set
    folder: Path

    @property
    def replicas(self) -> list[Replica]:
        """All replicas, sorted by arm and seed."""
        return [Replica(arm, seed) for arm in self.arms for seed in self.seeds]

    @property
    def results(self) -> Path:
        """The path of the results, a JSON line per replica; the file exists if the group is finished."""
        return self.folder / "results.jsonl"

    def replica_folder(self, replica: Replica) -> Path:
        """Returns the folder of a replica's run, which `attention_lab.load` reads."""
        return self.folder / f"{replica.arm.file_name}_seed_{replica.seed}"


class Study(NamedTuple):
    """A study, as its config describes it."""

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
        """The metrics by which arms are compared; the tests of all of them are one family."""
        task = task_of(self.config["base"])
        return tuple(one for one in self.metrics if one.name in task.compared)


def study_of(config: Config, folder: Path) -> Study:
    """Returns the study that a config describes.

    config: {"name", "base": a config of experiments.train, "arms": {name: {field: value}}, "axes": {field: [values]},
    "seeds", "also": further splits to translate, "lengths": the least of each class}. The arms are those listed, followed by the full grid of the axes.
    Raises ValueError if the config is invalid.
    """
    changes = dict(config["arms"])
    axes = config["axes"]
    for values in itertools.product(*axes.values()) if axes else ():
        name = ", ".join(map(str, values))
        if name in changes:
            raise ValueError(
                f"two arms are called {name!r}; give config.axes values with different names"
            )
        changes[name] = dict(zip(axes, values, strict=True))
    seeds = tuple(config["seeds"])
    if not changes:
        raise ValueError("the study has no arms: give config.arms or config.axes")
    if len(set(seeds)) != len(seeds) or not seeds:
        raise ValueError(f"seeds must be different numbers, at least one, but are {list(seeds)}")
    lengths = list(config.get("lengths", ()))
    if lengths != sorted(set(lengths)) or not all(type(n) is int and n > 0 for n in lengths):
        raise ValueError(
            f"lengths must be whole numbers that increase, as (1, 11, 21), not {lengths}"
        )
    files = file_names(changes)
    arms = tuple(
        Arm(
            name,
            dict(fields),
            {**changed(config["base"], fields, name), "seed": seeds[0]},
            files[name],
        )
        for name, fields in changes.items()
    )
    for arm in arms:
        if arm.config["devices"] != ONE_DEVICE:
            raise ValueError(
                f"arm {arm.name}: devices split one run of experiments.train; a study distributes its replicas over "
                "all devices, or over the number that --devices gives"
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
    """Returns the config with some fields, such as "model.decoder.attention.score", changed.

    Raises ValueError if a field does not exist.
    """
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
    """Returns the config without traced numbers, name and seed; replicas with equal structures form a group."""
    training = {k: v for k, v in config["training"].items() if k not in TRACED}
    return {k: v for k, v in config.items() if k not in ("name", "seed")} | {"training": training}


def file_names(names: Iterable[str]) -> dict[str, str]:
    """Returns, for each arm, a name for folders; different arms have different names, even if case is ignored.

    Characters other than letters, digits, "-", "+" and "." are replaced by "_". If two names are then equal, or a name
    is too long or not allowed for a folder, ~ and the first digits of the name's sha256 are appended.
    """
    plain = {name: "".join(c if c.isalnum() or c in "-+." else "_" for c in name) for name in names}
    times = Counter(map(_folded, plain.values()))
    unique = {}
    for name, file in plain.items():
        short = file.encode()[:LONGEST].decode(errors="ignore")
        if not file or file.endswith(".") or short != file or times[_folded(file)] > 1:
            file = f"{short}~{sha256(name.encode(errors='surrogatepass')).hexdigest()[:12]}"
        unique[name] = file
    return unique


def _folded(file):
    """Returns the name as it is seen by a file system that ignores case and Unicode's forms of accents."""
    return unicodedata.normalize("NFKC", file.casefold())


def _enter(node, step, field, arm):
    if not isinstance(node, dict):
        raise ValueError(
            f"arm {arm!r} sets {field!r}, but the value that should contain {step!r} has no fields"
        )
    look_up(f"field for arm {arm!r} ({field})", tuple(node), step)
    return node[step]
