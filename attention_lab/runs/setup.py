"""A config made into a corpus, batches, a model and a training step."""

import contextlib
import functools
import json
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import optax

from attention_lab.data import sources
from attention_lab.data.pipeline import Batches, Pairs
from attention_lab.data.vocabularies import Codec
from attention_lab.models import Model
from attention_lab.models.base import at_precision, computed_in
from attention_lab.runs.origin import codec_of
from attention_lab.tasks import task_of
from attention_lab.training.nonfinite import skip_nonfinite
from attention_lab.training.optimizer import SCHEDULES
from attention_lab.training.processes import is_first
from attention_lab.training.step import Batch, Metrics, TrainState, make_train_step

CACHE = Path("runs/cache")  # generated corpora, tokenizers, encoded pairs and compiled programs
# What is traced: runs that differ in these fields of `training` alone share their compiled programs.
TRACED = ("learning_rate", "weight_decay", "dropout", "label_smoothing")
COMPUTE = ("float32", "bfloat16")
PATIENCE = 2.0  # seconds after which a line says what is being done
PRECISIONS = ("highest", "high", "default")  # of `jax.default_matmul_precision`


def prepare() -> None:
    """Keeps compiled programs on disk, so that the next start is a warm one; where that cannot be, does without."""
    warnings.filterwarnings(
        "ignore", message="Error (reading|writing) persistent compilation cache"
    )
    jax.config.update("jax_compilation_cache_dir", str((CACHE / "programs").absolute()))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)


@contextlib.contextmanager
def said(line: str) -> Iterator[None]:
    """Prints the line to stderr, on the first process, where what is done inside takes more than PATIENCE."""

    def say() -> None:
        print(line, file=sys.stderr, flush=True)

    timer = threading.Timer(PATIENCE, say)
    if is_first():
        timer.start()
    try:
        yield
    finally:
        timer.cancel()


class Corpus(NamedTuple):
    """What a model is trained and validated on."""

    pairs: Pairs
    validation: list[dict[str, Any]]
    codec: Codec
    data: dict[str, str]  # the digest of each split


def split_of(config: Any, split: str) -> list[dict[str, Any]]:
    """A split of the config's dataset. Raises ValueError where it is empty."""
    examples = task_of(config).read(config, split, CACHE)
    if not examples:
        options = ", ".join(f"{name}={value}" for name, value in config["data"]["options"].items())
        raise ValueError(
            f"the split {split} of {config['data']['name']} has no example ({options})"
        )
    return examples


def data_of(config: Any, also: Sequence[str] = ()) -> dict[str, str]:
    """The digest of each split on which a run of the config is trained and judged, as it is now."""
    splits = dict.fromkeys(("train", "validation", config["data"]["test"], *also))
    return {split: sources.digest_of(split_of(config, split)) for split in splits}


def corpus_of(config: Any, folder: Path | None = None) -> Corpus:
    """The config's corpus, encoded: with the tokenizers of the training in a folder, where one has started there.

    Raises ValueError where it cannot be read.
    """
    own = None if folder is None else codec_of(folder)
    # The last ones are kept: all arms of a study ask for them, again and again.
    return _corpus(json.dumps({name: config[name] for name in ("task", "data", "tokenizer")}), own)


@functools.lru_cache(maxsize=2)
def _corpus(fields: str, own: Codec | None) -> Corpus:
    config = json.loads(fields)
    task, name = task_of(config), config["data"]["name"]
    with said(f"preparing the corpus {name}"):
        examples, validation = (split_of(config, split) for split in ("train", "validation"))
    with said(f"training the tokenizers of {name}"):
        codec = own or task.prepare(config, examples, CACHE)
    with said(f"encoding {len(examples):,} pairs of {name}"):
        pairs = task.encode(config, codec, examples, CACHE)
    digests = {"train": examples, "validation": validation}
    data = {split: sources.digest_of(those) for split, those in digests.items()}
    return Corpus(pairs, validation, codec, data)


def batches_of(config: Any, pairs: Pairs) -> Batches:
    """The batches of the config's seed."""
    training = config["training"]
    return Batches(
        pairs, tokens=training["batch_tokens"], buckets=training["buckets"], seed=config["seed"]
    )


def updates_of(config: Any, batches: Batches) -> int:
    """How many updates show the model as many target tokens as the budget allows.

    Raises ValueError where they are more than an int32 counts.
    """
    epoch = sum(map(len, batches.pairs.target))
    updates = max(1, config["training"]["tokens"] * batches.per_epoch // epoch)
    if updates >= 2**31:
        raise ValueError(
            f"training.tokens is {config['training']['tokens']:,}, which takes {updates:,} updates; fewer than "
            f"{2**31:,} can be counted"
        )
    return updates


def unfinished_warmup(config: Any, updates: int) -> str:
    """A line that says that the warm-up is not over before the end of the run; "" where it is."""
    warmup = config["training"]["warmup"]
    if warmup < updates:
        return ""
    return (
        f"training.warmup is {warmup:,} updates, and the run has {updates:,}: its learning rate never gets past the "
        "warm-up; lower training.warmup, or raise training.tokens"
    )


def hyper_of(config: Any) -> dict[str, float]:
    """The numbers that are traced."""
    return {name: config["training"][name] for name in TRACED}


def step_of(
    config: Any, model: Model, optimizer: optax.GradientTransformation, updates: int
) -> Callable[[TrainState, Batch], tuple[TrainState, Metrics]]:
    """One update, as the config wants it; what is not finite is skipped. Warns where the warm-up takes all updates."""
    training = config["training"]
    if (message := unfinished_warmup(config, updates)) and is_first():
        warnings.warn(message, stacklevel=2)
    schedule = SCHEDULES[training["schedule"]](training["warmup"], updates)
    if training["compute"] != "float32":
        model = computed_in(model, training["compute"])
    step = make_train_step(model, optimizer, schedule, training["microbatches"])
    return skip_nonfinite(at_precision(step, training["matmul_precision"]))
