"""Construction of the corpus, the batches and the training step that a config describes."""

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
from attention_lab.data.pipeline import Batches
from attention_lab.data.rows import Rows
from attention_lab.data.vocabularies import Codec
from attention_lab.models import Model
from attention_lab.models.base import at_precision, computed_in
from attention_lab.runs.initialization import codec_from
from attention_lab.runs.origin import codec_of
from attention_lab.tasks import task_of
from attention_lab.training.nonfinite import skip_nonfinite
from attention_lab.training.optimizer import FROM_PEAK, OPTIMIZERS, SCHEDULES
from attention_lab.training.processes import is_first
from attention_lab.training.step import Batch, Metrics, TrainState, make_train_step

CACHE = Path("runs/cache")  # generated corpora, tokenizers, encoded pairs and compiled programs
# Traced hyperparameters: runs that differ only in these fields of `training` share their compiled programs.
TRACED = ("learning_rate", "weight_decay", "dropout", "label_smoothing")
COMPUTE = ("float32", "bfloat16")
PATIENCE = 2.0  # seconds after which an unfinished operation is announced
PRECISIONS = ("highest", "high", "default")  # of `jax.default_matmul_precision`


def enable_compilation_cache() -> None:
    """Enables JAX's persistent compilation cache, so that later runs need not compile; an unwritable cache is ignored."""
    warnings.filterwarnings(
        "ignore", message="Error (reading|writing) persistent compilation cache"
    )
    jax.config.update("jax_compilation_cache_dir", str((CACHE / "programs").absolute()))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)


@contextlib.contextmanager
def announce_if_slow(line: str) -> Iterator[None]:
    """Prints the line to stderr, on the first process, if the body of the context takes longer than PATIENCE seconds."""

    def announce() -> None:
        print(line, file=sys.stderr, flush=True)

    timer = threading.Timer(PATIENCE, announce)
    if is_first():
        timer.start()
    try:
        yield
    finally:
        timer.cancel()


class Corpus(NamedTuple):
    """The data for training and validation.

    rows: the encoded training examples. validation: the validation examples. data: the digest of each split.
    """

    rows: Rows
    validation: list[dict[str, Any]]
    codec: Codec
    data: dict[str, str]


def split_of(config: Any, split: str) -> list[dict[str, Any]]:
    """Returns the examples of a split of the config's dataset. Raises ValueError if it is empty."""
    examples = task_of(config).read(config, split, CACHE)
    if not examples:
        options = ", ".join(f"{name}={value}" for name, value in config["data"]["options"].items())
        raise ValueError(
            f"the split {split} of {config['data']['name']} has no example ({options})"
        )
    return examples


def names_of(config: Any) -> str:
    """Returns the names of the corpora that a config reads."""
    return " and ".join(dict.fromkeys(one["name"] for one in task_of(config).corpora(config)))


def data_of(config: Any, also: Sequence[str] = ()) -> dict[str, str]:
    """Returns the current digest of each split on which a run of the config is trained or evaluated.

    also: the names of further splits.
    """
    splits = dict.fromkeys(("train", "validation", config["data"]["test"], *also))
    return {split: sources.digest_of(split_of(config, split)) for split in splits}


def corpus_of(config: Any, folder: Path | None = None) -> Corpus:
    """Reads, tokenizes and encodes the config's corpus; a resumed training in `folder` keeps its tokenizers.

    A run that is initialized from another one has that one's tokenizers. Raises ValueError if the corpus cannot be read.
    """
    saved = None if folder is None else codec_of(folder)
    saved = saved or codec_from(config)
    fields = {name: config[name] for name in ("task", "mixture", "objective", "data", "tokenizer")}
    return _corpus(json.dumps(fields), saved)


@functools.lru_cache(maxsize=2)  # all arms of a study use the same corpus
def _corpus(fields: str, saved: Codec | None) -> Corpus:
    config = json.loads(fields)
    task = task_of(config)
    name = names_of(config)
    others = [split for split in ("validation", config["data"]["test"]) if split != "train"]
    with announce_if_slow(f"preparing the corpus {name}"):
        with contextlib.ExitStack() as stack:
            for data in task.corpora(config):
                beside = sources.dataset(data["name"]).beside(others, data["options"], CACHE)
                stack.enter_context(beside)
            training = split_of(config, "train")
        validation = split_of(config, "validation")
    with announce_if_slow(f"training the tokenizers of {name}"):
        codec = saved or task.prepare(config, training, CACHE)
    with announce_if_slow(f"encoding {len(training):,} examples of {name}"):
        rows = task.encode(config, codec, training, CACHE)
    splits = {"train": training, "validation": validation}
    data = {split: sources.digest_of(examples) for split, examples in splits.items()}
    return Corpus(rows, validation, codec, data)


def batches_of(config: Any, rows: Rows) -> Batches:
    """Returns the training batches for the config's seed."""
    training = config["training"]
    return Batches(
        rows, tokens=training["batch_tokens"], buckets=training["buckets"], seed=config["seed"]
    )


def updates_of(config: Any, batches: Batches) -> int:
    """Returns the number of updates in which the model is trained on `training.tokens` target tokens.

    Raises ValueError if it exceeds the range of an int32.
    """
    epoch = int(batches.lengths[1].sum())
    updates = max(1, config["training"]["tokens"] * batches.per_epoch // epoch)
    if updates >= 2**31:
        raise ValueError(
            f"training.tokens is {config['training']['tokens']:,}, which takes {updates:,} updates; the maximum is "
            f"{2**31 - 1:,}"
        )
    return updates


def unfinished_warmup(config: Any, updates: int) -> str:
    """Returns a warning if the run ends before the warm-up does, else ""; a schedule that begins at its peak has none."""
    warmup = config["training"]["warmup"]
    if warmup < updates or config["training"]["schedule"] in FROM_PEAK:
        return ""
    return (
        f"training.warmup is {warmup:,} updates, and the run has {updates:,}: its learning rate never gets past the "
        "warm-up; lower training.warmup, or raise training.tokens"
    )


def hyper_of(config: Any) -> dict[str, float]:
    """Returns the traced hyperparameters of a config."""
    return {name: config["training"][name] for name in TRACED}


def optimizer_of(config: Any) -> optax.GradientTransformation:
    """Returns the optimizer that the config describes."""
    training = config["training"]
    decays = {name: training[name] for name in ("b1", "b2")}
    return OPTIMIZERS[training["optimizer"]](training["clip"], **decays)


def step_of(
    config: Any,
    model: Model,
    optimizer: optax.GradientTransformation,
    updates: int,
    drops: bool = True,
) -> Callable[[TrainState, Batch], tuple[TrainState, Metrics]]:
    """Returns the training step that the config describes; it skips updates that are not finite.

    drops: as in `make_train_step`. Warns if the warm-up takes all updates.
    """
    training = config["training"]
    if (message := unfinished_warmup(config, updates)) and is_first():
        warnings.warn(message, stacklevel=2)
    schedule = SCHEDULES[training["schedule"]](training["warmup"], updates, training["final"])
    if training["compute"] != "float32":
        model = computed_in(model, training["compute"])
    options = training["microbatches"], training["z_loss"], drops, training["sampled_inputs"]
    step = make_train_step(model, optimizer, schedule, *options)
    return skip_nonfinite(at_precision(step, training["matmul_precision"]))
