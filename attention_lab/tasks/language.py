"""Language modelling: the target is a text, and there is no source."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from attention_lab.data import sources
from attention_lab.data.kinds import SPECIAL_TOKENS
from attention_lab.data.rows import Rows, Windows, consecutive
from attention_lab.data.tokenizer import Tokenizer
from attention_lab.data.vocabularies import Codec, target_tokenizer
from attention_lab.evaluation.metrics import Metric, bits_per_character, cross_entropy, perplexity
from attention_lab.evaluation.records import Record
from attention_lab.special_tokens import END, START
from attention_lab.tasks.contracts import Config, Example, Task

CONTEXT = 4  # ids before a window; one character of UTF-8 has at most as many bytes


def read(config: Config, split: str, cache: Path) -> list[Example]:
    """Reads the documents of a split, {"text"}; of a corpus of pairs, these are the targets."""
    source = sources.opened(config["data"]["name"], split, config["data"]["options"], cache)
    examples = (source[i] for i in range(len(source)))
    return [one if "text" in one else {"text": one["target"]} for one in examples]


def prepare(config: Config, examples: Sequence[Example], cache: Path) -> Codec:
    """Trains the tokenizer on the lines of the training documents."""
    lines = [line for example in examples for line in example["text"].splitlines(keepends=True)]
    tokenizer = target_tokenizer(lines, config["tokenizer"], cache)
    return Codec(tokenizer, tokenizer)


def encode(config: Config, codec: Codec, examples: Sequence[Example], cache: Path) -> Rows:
    """Encodes training documents, for windows of `data.max_length` tokens; blank documents are left out."""
    del cache
    documents = encode_documents(codec.target, examples)
    kept = [ids for ids in documents if len(ids) > 1]
    blank = {"no text": len(documents) - len(kept)}
    return Windows(kept, config["data"]["max_length"], blank)


def encode_documents(tokenizer: Tokenizer, examples: Sequence[Example]) -> list[np.ndarray]:
    """Returns the ids of each document, with END: int32 [T]."""
    ids = tokenizer.encode_ids(example["text"] for example in examples)
    return [np.concatenate([one, np.array([END], np.int32)]) for one in ids]


def evaluated(config: Config, codec: Codec, examples: Sequence[Example]) -> list[Example]:
    """Returns consecutive windows of the documents: {"source": "", "target": text, "ids", "inputs"}, the latter [T]."""
    result = []
    for document in encode_documents(codec.target, examples):
        start = 0
        for row in consecutive(document, config["data"]["max_length"]):
            before = document[max(start - CONTEXT, 0) : start]
            text = continuation(codec.target, before, row.target)
            result.append({"source": "", "target": text, "ids": row.target, "inputs": row.inputs})
            start += len(row.target)
    return result


def continuation(tokenizer: Tokenizer, before: np.ndarray, ids: np.ndarray) -> str:
    """Returns the text that ids add to that of the ids before them, so that no space between two windows is lost."""
    return tokenizer.decode([*before, *ids])[len(tokenizer.decode(before)) :]


def metrics(config: Config) -> tuple[Metric, ...]:
    """Returns the cross-entropy in nats, bits per character and perplexity."""
    del config
    return cross_entropy(), bits_per_character(), perplexity()


def show(record: Record, layer: str, head: int | None, source: Any) -> tuple[str, Any]:
    """Returns the attention of each token to the tokens before it, as a matrix in text and as a heatmap."""
    # A local import: matplotlib takes long to import, and is needed for drawing only.
    from attention_lab.views import heatmap, text

    weights = record.weights[layer]
    matrix = weights.mean(0) if head is None else weights[head]
    # Position k has read the token before target token k.
    read_tokens = SPECIAL_TOKENS[START], *record.target[:-1]
    sides = read_tokens, record.target
    return text.as_printed(matrix, *sides), heatmap.heatmap(matrix, *sides)


LANGUAGE = Task(
    "language",
    read,
    prepare,
    encode,
    evaluated,
    metrics,
    rank=("cross_entropy",),
    compared=("cross_entropy",),
    show=show,
    reads="nothing",
)
