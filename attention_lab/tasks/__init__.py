"""Tasks: what is read, written, judged and shown. A config names one in its field `task`."""

from collections.abc import Mapping
from typing import Any

from attention_lab.models.base import look_up
from attention_lab.tasks.contracts import Task
from attention_lab.tasks.translation import TRANSLATION

__all__ = ["TASKS", "Task", "task_of"]

TASKS = {task.name: task for task in (TRANSLATION,)}


def task_of(config: Mapping[str, Any]) -> Task:
    """The task of a config. Raises ValueError where there is none of that name."""
    return look_up("task", TASKS, config["task"])
