"""Answering: the source is a text and a question, and the target the answer, which is right or wrong as a whole.

Commands that are translated to sequences of actions, such as those of SCAN, are judged in the same way.
"""

from typing import Any

from attention_lab.data.documents import joined, sentence_indices
from attention_lab.evaluation.metrics import (
    Metric,
    alignment_error,
    exact_match,
    perplexity,
    pointing,
)
from attention_lab.evaluation.pointing import Pointer, sentence_weights
from attention_lab.evaluation.records import Record
from attention_lab.tasks import text_to_text
from attention_lab.tasks.contracts import Config, Task


def metrics(config: Config) -> tuple[Metric, ...]:
    """Returns exact match, how often attention points to a supporting sentence, alignment error and perplexity."""
    del config
    return exact_match(), pointing(), alignment_error(), perplexity()


def show(record: Record, layer: str, head: int | None, source: Any) -> tuple[str, Any]:
    """Returns the attention of the answer to the sentences of the source, as bars in text and as a figure.

    A source of a single sentence, such as a command, is shown by words instead.
    """
    sentence_of = sentence_indices(record.source_words)
    if len(set(sentence_of)) < 2:
        return text_to_text.show(record, layer, head, source)
    # A local import: matplotlib takes long to import, and is needed for drawing only.
    from attention_lab.views import heatmap, text

    sentences = joined(record.source_words, sentence_of)
    weights = sentence_weights(record, sentence_of, Pointer(layer, head))
    title = " ".join(record.target_words)
    printed = text.passage(weights, sentences, **text.terminal())
    return printed, heatmap.passage(weights, sentences, title=title)


ANSWERING = Task(
    "answering",
    text_to_text.read,
    text_to_text.prepare,
    text_to_text.encode,
    text_to_text.evaluated,
    metrics,
    rank=("exact_match", "perplexity"),
    compared=("exact_match", "pointing"),
    show=show,
)
