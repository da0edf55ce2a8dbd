"""Speech recognition: the source is a recording, and the target what is said (Chan et al. 2016)."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from attention_lab.data.augmentation import Masks
from attention_lab.data.perceived import Perceived, perceived
from attention_lab.data.sounds import HOP, Spectrograms
from attention_lab.data.vocabularies import Codec, target_tokenizer
from attention_lab.evaluation.metrics import Metric, perplexity
from attention_lab.evaluation.perception import area, correctness, distance, region_pointing
from attention_lab.evaluation.recognition import character_errors, word_errors
from attention_lab.evaluation.records import Record
from attention_lab.evaluation.regions import word_maps
from attention_lab.tasks import text_to_text
from attention_lab.tasks.contracts import Config, Example, Task

MARGIN = 0.05  # seconds by which the time of a word is widened: a state is that long, or a sound known so early


def prepare(config: Config, examples: Sequence[Example], cache: Path) -> Codec:
    """Trains the tokenizer on the transcripts of training examples."""
    texts = [example["target"] for example in examples]
    return Codec(_reader(config), target_tokenizer(texts, config["tokenizer"], cache))


def check(config: Config) -> None:
    """Raises ValueError if there are no such frames, or they cannot be augmented so."""
    _reader(config)
    Masks(**config["data"]["augment"])


def encode(config: Config, codec: Codec, examples: Sequence[Example], cache: Path) -> Perceived:
    """Encodes transcripts, and computes frames once; leaves out what is longer than `max_length` or `max_seconds`."""
    data = config["data"]
    longest, augment = round(data["max_seconds"] / HOP), Masks(**data["augment"]) or None
    return perceived(codec, examples, data["max_length"], cache, longest, augment)


def metrics(config: Config) -> tuple[Metric, ...]:
    """Returns word and character error rates, where attention lies relative to the time of each word, and perplexity."""
    del config
    looks = region_pointing(MARGIN), correctness(MARGIN), area(MARGIN), distance()
    return word_errors(), character_errors(), *looks, perplexity()


def show(record: Record, layer: str, head: int | None, source: Any) -> tuple[str, Any]:
    """Returns when each word listened, as a timeline in text, and as a figure under the spectrogram."""
    # A local import: matplotlib takes long to import, and is needed for drawing only.
    from attention_lab.views import maps, spectrogram, text

    weights, words = word_maps(record, layer, head), list(record.target_words)
    printed = maps.timeline(weights, words, record.scale, **text.terminal())
    return printed, spectrogram.under(source, weights, words, record.scale)


def _reader(config):
    return Spectrograms(config["data"]["rate"], config["data"]["mels"])


SPEECH = Task(
    "speech",
    text_to_text.read,
    prepare,
    encode,
    text_to_text.evaluated,
    metrics,
    rank=("wer", "perplexity"),
    compared=("wer", "correctness"),
    show=show,
    check=check,
    reads="frames",
)
