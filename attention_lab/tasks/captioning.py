"""Captioning: the source is an image, and the target one of its captions (Xu et al. 2015)."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from attention_lab.data.augmentation import Shifts
from attention_lab.data.images import Images
from attention_lab.data.perceived import Perceived, perceived
from attention_lab.data.vocabularies import Codec, target_tokenizer
from attention_lab.evaluation.metrics import Metric, bleu, perplexity, rouge
from attention_lab.evaluation.perception import area, cider_d, correctness, region_pointing
from attention_lab.evaluation.records import Record
from attention_lab.evaluation.regions import word_maps
from attention_lab.tasks import text_to_text
from attention_lab.tasks.contracts import Config, Example, Task


def prepare(config: Config, examples: Sequence[Example], cache: Path) -> Codec:
    """Trains the tokenizer of captions on all captions of training examples."""
    texts = [text for example in examples for text in example.get("targets", [example["target"]])]
    tokenizer = target_tokenizer(texts, config["tokenizer"], cache)
    return Codec(Images(config["data"]["size"]), tokenizer)


def encode(config: Config, codec: Codec, examples: Sequence[Example], cache: Path) -> Perceived:
    """Encodes captions; leaves out those with more than `data.max_length` tokens. Images are read when they are needed."""
    data = config["data"]
    return perceived(
        codec, examples, data["max_length"], cache, augment=Shifts(**data["augment"]) or None
    )


def check(config: Config) -> None:
    """Raises ValueError if images cannot have the size, or cannot be augmented so."""
    Images(config["data"]["size"])
    Shifts(**config["data"]["augment"])


def metrics(config: Config) -> tuple[Metric, ...]:
    """Returns BLEU, CIDEr-D and ROUGE-L of all captions, pointing, the weight inside regions, and perplexity."""
    scores = bleu(config["data"]["bleu_tokenize"], True), cider_d(), rouge("rougeL", False)
    return *scores, region_pointing(), correctness(), area(), perplexity()


def show(record: Record, layer: str, head: int | None, source: Any) -> tuple[str, Any]:
    """Returns where each word of a caption looked, as maps in text and as a figure over the picture."""
    # A local import: matplotlib takes long to import, and is needed for drawing only.
    from attention_lab.views import maps, text

    weights = word_maps(record, layer, head)
    words = list(record.target_words)
    return maps.printed(weights, words, **text.terminal()), maps.over_picture(
        source.pixels(), weights, words
    )


CAPTIONING = Task(
    "captioning",
    text_to_text.read,
    prepare,
    encode,
    text_to_text.evaluated,
    metrics,
    rank=("bleu", "perplexity"),
    compared=("bleu", "pointing"),
    show=show,
    check=check,
    reads="image",
)
