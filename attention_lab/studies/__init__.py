"""Studies: several arms, each trained with several seeds, and the statistical analysis of their results.

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
    """Returns the study that a config describes, with the budgets of its arms. Raises ValueError if the config is invalid."""
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
    """Trains and evaluates each replica of a study that has no results yet. Returns the study.

    wanted: selects the groups to train; by default all are trained. devices, at_once: the number of devices, and of
    replicas that each of them trains at a time; by default they are chosen for each group. Raises ValueError if the
    config is invalid or the folder contains another study, and Stopped after max_minutes; the same call then resumes
    the study.
    """
    study = checked(config, folder)
    with suppress(
        RuntimeError
    ):  # JAX is initialized already, as in a notebook; its devices are fixed
        replicas.cores_as_devices(os.cpu_count() or 1)
    setup.enable_compilation_cache()
    with Interrupt(max_minutes) as interrupt:
        machine = scheduler.Machine(devices, at_once, interrupt)
        study = study_of(tuning.tuned(study.config, study.folder, machine), study.folder)
        scheduler.run(study, [group for group in study.groups if wanted(group)], machine)
    return study
