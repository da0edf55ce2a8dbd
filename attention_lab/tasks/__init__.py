"""Tasks: each defines its examples, their encoding, its metrics and how attention is shown (`config["task"]`)."""

from collections.abc import Mapping
from typing import Any

from attention_lab.models.base import look_up
from attention_lab.tasks.contracts import Task
from attention_lab.tasks.language import LANGUAGE
from attention_lab.tasks.translation import TRANSLATION

__all__ = ["TASKS", "Task", "task_of"]

TASKS = {task.name: task for task in (TRANSLATION, LANGUAGE)}


def task_of(config: Mapping[str, Any]) -> Task:
    """Returns the task of a config. Raises ValueError if there is none of that name."""
    return look_up("task", TASKS, config["task"])
