"""What tasks from one text to another have in common: reading, tokenizers, encoding, and how attention is shown."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from attention_lab.data import sources
from attention_lab.data.encoded import cached_encode
from attention_lab.data.rows import Rows
from attention_lab.data.vocabularies import Codec, make_tokenizers
from attention_lab.evaluation.alignment import word_weights
from attention_lab.evaluation.records import Record
from attention_lab.tasks.contracts import Config, Example


def read(config: Config, split: str, cache: Path) -> list[Example]:
    """Reads the examples of a split: {"source", "target"}, with gold alignments also "source_words", "target_words", "links"."""
    source = sources.opened(config["data"]["name"], split, config["data"]["options"], cache)
    return [source[i] for i in range(len(source))]


def prepare(config: Config, examples: Sequence[Example], cache: Path) -> Codec:
    """Trains the tokenizers of both sides on training examples."""
    texts = ([example[side] for example in examples] for side in ("source", "target"))
    return make_tokenizers(*texts, **config["tokenizer"], cache_dir=cache)


def encode(config: Config, codec: Codec, examples: Sequence[Example], cache: Path) -> Rows:
    """Encodes training examples as ids; leaves out those that are longer than `data.max_length`."""
    return cached_encode(examples, *codec, config["data"]["max_length"], cache_dir=cache)


def evaluated(config: Config, codec: Codec, examples: Sequence[Example]) -> list[Example]:
    """Returns the examples: each is evaluated as a whole."""
    del config, codec
    return list(examples)


def show(record: Record, layer: str, head: int | None, source: Any) -> tuple[str, Any]:
    """Returns the attention of each target word to the source words, as a matrix in text and as a heatmap."""
    # A local import: matplotlib takes long to import, and is needed for drawing only.
    from attention_lab.views import heatmap, text

    weights = word_weights(record, layer, head)
    words = record.source_words, record.target_words
    return text.as_printed(weights, *words), heatmap.heatmap(weights, *words)
