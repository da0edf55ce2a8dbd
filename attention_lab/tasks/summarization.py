"""Summarization: the source is a document, and the target its summary, of which there may be several."""

from attention_lab.evaluation.metrics import Metric, alignment_error, perplexity, rouge
from attention_lab.tasks import text_to_text
from attention_lab.tasks.contracts import Config, Task


def metrics(config: Config) -> tuple[Metric, ...]:
    """Returns ROUGE-L, ROUGE-1 and ROUGE-2, alignment error and perplexity."""
    stem = config["data"]["stem"]
    longest, unigrams, bigrams = (rouge(kind, stem) for kind in ("rougeL", "rouge1", "rouge2"))
    return longest, unigrams, bigrams, alignment_error(), perplexity()


SUMMARIZATION = Task(
    "summarization",
    text_to_text.read,
    text_to_text.prepare,
    text_to_text.encode,
    text_to_text.evaluated,
    metrics,
    rank=("rougeL", "perplexity"),
    compared=("rougeL", "aer"),
    show=text_to_text.show,
)
