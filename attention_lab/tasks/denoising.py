"""Denoising: documents are the only data, and an objective makes a source and a target from each (`config["objective"]`).

This is how T5, BART and PEGASUS are pre-trained; a run of another task is then initialized from the run of this one.
"""

import functools
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from attention_lab.data.documents import Document, make_document
from attention_lab.data.objectives import Objective, longest, make_objective
from attention_lab.data.rows import Noised, Rows, inputs_of
from attention_lab.data.tokenizer import Tokenizer
from attention_lab.data.vocabularies import Codec, make_tokenizers
from attention_lab.evaluation.metrics import Metric, cross_entropy, perplexity
from attention_lab.tasks import text_to_text
from attention_lab.tasks.contracts import Config, Example, Task

SOME = 1000  # reserved tokens, more than an objective needs
EVALUATED = 0  # the seed and the epoch of the noise with which examples are evaluated


def prepare(config: Config, examples: Sequence[Example], cache: Path) -> Codec:
    """Trains one tokenizer on all texts of training examples, so that runs that start from this one can write targets."""
    documents = [_text(example) for example in examples]
    targets = [example["target"] for example in examples if "target" in example]
    options = {**config["tokenizer"], "joint": True, "restrict": False}
    return make_tokenizers(documents, targets, **options, cache_dir=cache)


def encode(config: Config, codec: Codec, examples: Sequence[Example], cache: Path) -> Rows:
    """Encodes training documents; longer ones are split where the model's source or target would exceed `data.max_length`."""
    del cache
    objective = objective_of(config, codec.source)
    return _rows(config, codec.source, objective, examples)


def evaluated(config: Config, codec: Codec, examples: Sequence[Example]) -> list[Example]:
    """Returns the pairs that the objective makes from the documents, with the same noise each time.

    {"source", "target": text, "source_ids", "ids", "inputs": ids}.
    """
    rows = _rows(config, codec.source, objective_of(config, codec.source), examples)
    row = rows.epoch(EVALUATED, EVALUATED)
    return [_example(codec.source, row(i)) for i in range(len(rows.documents))]


def objective_of(config: Config, tokenizer: Tokenizer) -> Objective:
    """Returns the objective of a config.

    Raises ValueError if there is none of that name, or if the tokenizer has too few reserved tokens.
    """
    reserved = [tokenizer.reserved(number) for number in range(tokenizer.extra)]
    objective = make_objective(config["objective"], reserved)
    needed = objective.reserved(_longest(config, objective))
    if needed > tokenizer.extra:
        raise ValueError(
            f"{objective.name} needs {needed} reserved tokens for documents of {_longest(config, objective)} tokens, and "
            f"the tokenizer has {tokenizer.extra}; raise tokenizer.extra, or lower data.max_length"
        )
    return objective


def check(config: Config) -> None:
    """Raises ValueError if the objective, or one of its options, does not exist."""
    make_objective(config["objective"], range(SOME))


def metrics(config: Config) -> tuple[Metric, ...]:
    """Returns the cross-entropy in nats and perplexity."""
    del config
    return cross_entropy(), perplexity()


def _longest(config, objective):
    return longest(objective, *[config["data"]["max_length"]] * 2)


def _rows(config, tokenizer, objective, examples) -> Noised:
    size = _longest(config, objective)
    documents = _documents(tokenizer, tuple(map(_text, examples)))
    parts = [part for document in documents for part in _parts(document, size)]
    blank = sum(not len(document.ids) for document in documents)
    return Noised(parts, objective, {"no text": blank})


@functools.lru_cache(
    maxsize=4
)  # the arms of a study differ in their objectives, and not in their documents
def _documents(tokenizer, texts):
    return [make_document(tokenizer, text) for text in texts]


def _parts(document: Document, size: int) -> list[Document]:
    cuts = range(0, len(document.ids), size)
    return [document.take(np.arange(i, min(i + size, len(document.ids)))) for i in cuts]


def _text(example: Example) -> str:
    return example["text"] if "text" in example else example["source"]


def _example(tokenizer, row) -> Example:
    return {
        "source": tokenizer.decode(row.source),
        "target": tokenizer.decode(row.target),
        "source_ids": row.source,
        "ids": row.target,
        "inputs": inputs_of(row.target),
    }


DENOISING = Task(
    "denoising",
    text_to_text.read,
    prepare,
    encode,
    evaluated,
    metrics,
    rank=("cross_entropy",),
    compared=("cross_entropy",),
    show=text_to_text.show,
    check=check,
)
