"""Studies: arms times seeds, trained side by side, and what their results allow one to conclude.

study = attention_lab.studies.run(config, "runs/studies/mine")
print(studies.reporting.write(study))
"""

import json
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from attention_lab.runs import setup
from attention_lab.studies import budgets, checks, scheduler, tuning
from attention_lab.studies.study import ReplicaGroup, Study, study_of
from attention_lab.training import replicas
from attention_lab.training.interrupt import Interrupt

__all__ = ["ReplicaGroup", "Study", "checked", "run", "study_of"]


def checked(config: Mapping[str, Any], folder: Path | str) -> Study:
    """The study that a config describes, with the budgets of its arms. Raises ValueError where it describes none."""
    config = json.loads(json.dumps(config))  # tuples become lists, as in study.json
    checks.study(config)
    return study_of(budgets.balanced(config), Path(folder))


def run(
    config: Mapping[str, Any],
    folder: Path | str,
    *,
    wanted: Callable[[ReplicaGroup], bool] = lambda group: True,
    devices: int | None = None,
    at_once: int | None = None,
    max_minutes: float | None = None,
) -> Study:
    """Trains and evaluates each replica of a study that has no results yet; returns the study.

    wanted: which groups to train, by default all. devices, at_once: how replicas share the machine, by default chosen.
    Raises ValueError where the config is none, or the folder holds another study, and Stopped where the time was
    up; the same call then resumes.
    """
    study = checked(config, folder)
    with suppress(
        RuntimeError
    ):  # JAX has computed already, as in a notebook: then it has the devices that it has
        replicas.cores_as_devices(os.cpu_count() or 1)
    setup.enable_compilation_cache()
    with Interrupt(max_minutes) as interrupt:
        machine = scheduler.Machine(devices, at_once, interrupt)
        study = study_of(tuning.tuned(study.config, study.folder, machine), study.folder)
        scheduler.run(study, [one for one in study.groups if wanted(one)], machine)
    return study
