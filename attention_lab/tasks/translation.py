"""Translation: a sentence is read, and one in another language is written."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from attention_lab.data import sources
from attention_lab.data.encoded import cached_encode
from attention_lab.data.pipeline import Pairs
from attention_lab.data.vocabularies import Codec, make_tokenizers
from attention_lab.evaluation.alignment import word_weights
from attention_lab.evaluation.metrics import Metric, alignment_error, bleu, chrf, perplexity
from attention_lab.evaluation.records import Record
from attention_lab.tasks.contracts import Config, Example, Task


def read(config: Config, split: str, cache: Path) -> list[Example]:
    """The examples of a split: {"source", "target"}, and with gold alignments "source_words", "target_words", "links"."""
    source = sources.opened(config["data"]["name"], split, config["data"]["options"], cache)
    return [source[i] for i in range(len(source))]


def prepare(config: Config, examples: Sequence[Example], cache: Path) -> Codec:
    """The tokenizers of both sides, made from training examples."""
    texts = ([example[side] for example in examples] for side in ("source", "target"))
    return make_tokenizers(*texts, **config["tokenizer"], cache_dir=cache)


def encode(config: Config, codec: Codec, examples: Sequence[Example], cache: Path) -> Pairs:
    """The ids of training examples, without those that are longer than `data.max_length`."""
    return cached_encode(examples, *codec, config["data"]["max_length"], cache_dir=cache)


def metrics(config: Config) -> tuple[Metric, ...]:
    """BLEU with the config's tokenizer, alignment error, chrF and perplexity."""
    return bleu(config["data"]["bleu_tokenize"]), alignment_error(), chrf(), perplexity()


def show(record: Record, layer: str, head: int | None) -> tuple[str, Any]:
    """Which source words each target word attends to: a matrix as text, and a heatmap."""
    # matplotlib is imported where something is drawn.
    from attention_lab.views import heatmap, text

    weights = word_weights(record, layer, head)
    words = record.source_words, record.target_words
    return text.as_printed(weights, *words), heatmap.heatmap(weights, *words)


TRANSLATION = Task(
    "translation",
    read,
    prepare,
    encode,
    metrics,
    # BLEU alone would not rank: that of very short sentences, and early in training, is 0.
    rank=("bleu", "perplexity"),
    # chrF and perplexity measure what BLEU does: more tests would only weaken each of them.
    compared=("bleu", "aer"),
    show=show,
)
