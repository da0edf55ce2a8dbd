"""A mixture of tasks from text to text, which a prefix of the source tells apart (Raffel et al. 2020, §2.4).

    config["mixture"] = {
        "summarize": {"task": "summarization", "data": {"name": "rosetta_headlines", "options": {}, "stem": False}},
        "answer": {"task": "answering", "data": {"name": "rosetta_answers", "options": {}}},
    }

The source "Anna is here. .." of the first becomes "summarize: Anna is here. ..". Examples are mixed in proportion to
their numbers. Each member is judged by its own metrics, on its own examples: summarize_rougeL, answer_exact_match.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from attention_lab.data.words import words_of
from attention_lab.evaluation.metrics import Metric, Outcome, perplexity
from attention_lab.models.base import look_up
from attention_lab.tasks import text_to_text
from attention_lab.tasks.answering import ANSWERING
from attention_lab.tasks.contracts import Config, Example, Task
from attention_lab.tasks.summarization import SUMMARIZATION
from attention_lab.tasks.translation import TRANSLATION

MEMBERS: Mapping[str, Task] = {task.name: task for task in (TRANSLATION, SUMMARIZATION, ANSWERING)}
DATA = {"stem": False, "bleu_tokenize": "13a"}


def members(config: Config) -> dict[str, tuple[Task, Config]]:
    """Returns, by prefix, the task and the config of each member: `config`, with the member's fields of data.

    Fields of data that neither has are those of DATA. Raises ValueError if there is no member, or if one is not a task
    from text to text, or has no corpus.
    """
    if not config["mixture"]:
        raise ValueError("the task mixture needs members: set mixture to {prefix: {task, data}}")
    return {prefix: _member(config, prefix, fields) for prefix, fields in config["mixture"].items()}


def _member(config, prefix, fields):
    if (
        not isinstance(fields, Mapping)
        or "task" not in fields
        or "name" not in fields.get("data", {})
    ):
        raise ValueError(
            f"mixture[{prefix!r}] is {fields!r}; it must have a task and data, as {{'task': 'answering', 'data': "
            "{'name': 'rosetta_answers'}}"
        )
    task = look_up("task of a mixture", MEMBERS, fields["task"])
    data = {**DATA, **config["data"], "options": {}, **fields["data"]}
    return task, {**config, "task": fields["task"], "data": data}


def corpora(config: Config) -> tuple[Config, ...]:
    """Returns the "data" of each member."""
    return tuple(member["data"] for _, member in members(config).values())


def read(config: Config, split: str, cache: Path) -> list[Example]:
    """Reads the examples of all members, with their prefixes; "member" is the prefix of each."""
    return [
        prefixed(example, prefix)
        for prefix, (task, member) in members(config).items()
        for example in task.read(member, split, cache)
    ]


def prefixed(example: Example, prefix: str) -> Example:
    """Returns the example with a prefix before its source; its words, links and sentences still belong to its own words."""
    first = words_of(f"{prefix}:")
    result = {**example, "member": prefix, "source": f"{prefix}: {example['source']}"}
    words = example.get("source_words") or words_of(example["source"])
    if "source_words" in example or "sentence_of" in example:
        result["source_words"] = [*first, *words]
    if "links" in example:
        result["links"] = [(i + len(first), j) for i, j in example["links"]]
    if "sentence_of" in example:
        result["sentence_of"] = [*[-1] * len(first), *example["sentence_of"]]
    return result


def metrics(config: Config) -> tuple[Metric, ...]:
    """Returns the perplexity of all, and the metrics of each member on its own examples."""
    own = (
        of_member(metric, prefix)
        for prefix, (task, member) in members(config).items()
        for metric in task.metrics(member)
    )
    return perplexity(), *own


def of_member(metric: Metric, prefix: str) -> Metric:
    """Returns the metric of the examples with a prefix; the statistics of the others are zero."""

    def statistics(outcome: Outcome) -> np.ndarray | None:
        chosen = [i for i, one in enumerate(outcome.examples) if one["member"] == prefix]

        def part(values: Sequence[Any]) -> list[Any]:
            return [values[i] for i in chosen] if len(values) else []

        losses = None if outcome.losses is None else outcome.losses[chosen]
        own = outcome._replace(
            examples=part(outcome.examples),
            hypotheses=part(outcome.hypotheses),
            losses=losses,
            records=part(outcome.records),
        )
        counts = metric.statistics(own) if chosen else None
        if counts is None:
            return None
        rows = np.zeros((len(outcome.examples), *counts.shape[1:]))
        rows[chosen] = counts
        return rows

    return metric._replace(
        name=f"{prefix.replace(' ', '_')}_{metric.name}",
        title=f"{prefix}: {metric.title}",
        statistics=statistics,
        paired_p=None,  # a library's test would need the examples of the member only
    )


MIXTURE = Task(
    "mixture",
    read,
    text_to_text.prepare,
    text_to_text.encode,
    text_to_text.evaluated,
    metrics,
    rank=("perplexity",),
    compared=("perplexity",),
    show=text_to_text.show,
    corpora=corpora,
)
