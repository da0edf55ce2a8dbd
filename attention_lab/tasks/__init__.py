"""Tasks: each defines its examples, their encoding, its metrics and how attention is shown (`config["task"]`)."""

from collections.abc import Mapping
from typing import Any

from attention_lab.models.base import look_up
from attention_lab.tasks.answering import ANSWERING
from attention_lab.tasks.captioning import CAPTIONING
from attention_lab.tasks.contracts import Example, Task
from attention_lab.tasks.denoising import DENOISING
from attention_lab.tasks.language import LANGUAGE
from attention_lab.tasks.mixture import MIXTURE
from attention_lab.tasks.speech import SPEECH
from attention_lab.tasks.summarization import SUMMARIZATION
from attention_lab.tasks.translation import TRANSLATION

__all__ = ["TASKS", "Task", "target_text", "task_of"]

TASKS = {
    task.name: task
    for task in (
        TRANSLATION,
        LANGUAGE,
        DENOISING,
        SUMMARIZATION,
        ANSWERING,
        MIXTURE,
        CAPTIONING,
        SPEECH,
    )
}


def task_of(config: Mapping[str, Any]) -> Task:
    """Returns the task of a config. Raises ValueError if there is none of that name."""
    return look_up("task", TASKS, config["task"])


def target_text(example: Example) -> str:
    """Returns the text of an example that a model learns to write: its target, or the document if there is none."""
    return next(example[name] for name in ("target", "text", "source") if name in example)
