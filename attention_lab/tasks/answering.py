"""Answering: the source is a text and a question, and the target the answer, which is right or wrong as a whole.

Commands that are translated to sequences of actions, such as those of SCAN, are judged in the same way.
"""

from attention_lab.evaluation.metrics import (
    Metric,
    alignment_error,
    exact_match,
    perplexity,
    pointing,
)
from attention_lab.tasks import text_to_text
from attention_lab.tasks.contracts import Config, Task


def metrics(config: Config) -> tuple[Metric, ...]:
    """Returns exact match, how often attention points to a supporting sentence, alignment error and perplexity."""
    del config
    return exact_match(), pointing(), alignment_error(), perplexity()


ANSWERING = Task(
    "answering",
    text_to_text.read,
    text_to_text.prepare,
    text_to_text.encode,
    text_to_text.evaluated,
    metrics,
    rank=("exact_match", "perplexity"),
    compared=("exact_match", "pointing"),
    show=text_to_text.show,
)
