"""Validation of a config: invalid values are reported in one line, before anything is read, computed or written."""

import functools
from collections.abc import Callable, Mapping
from math import isfinite
from typing import Any

import jax

from attention_lab import runs
from attention_lab.data.sources import dataset
from attention_lab.mechanism.registry import unknown
from attention_lab.models import ENCODERS, make_model
from attention_lab.models.base import look_up
from attention_lab.runs import setup
from attention_lab.runs.settings import sampling_of
from attention_lab.tasks import task_of
from attention_lab.training.optimizer import OPTIMIZERS, SCHEDULES

Config = Mapping[str, Any]
Rule = tuple[str, Callable[[Any], bool]]

# The maximum of an int32. Seeds that are equal modulo SEEDS may give the same key in `jax.random`.
MAXIMUM, SEEDS = 2**31 - 1, 2**32
NATURAL: Rule = (
    f"a whole number, at least 1 and at most {MAXIMUM}",
    lambda x: _whole(x) and 1 <= x <= MAXIMUM,
)
MAYBE: Rule = (f"{NATURAL[0]}, or None", lambda x: x is None or NATURAL[1](x))
BUDGET: Rule = ("a whole number, at least 1", lambda x: _whole(x) and x >= 1)
COUNT: Rule = (f"a whole number from 0 to {MAXIMUM}", lambda x: _whole(x) and 0 <= x <= MAXIMUM)
SEED: Rule = (f"a whole number from 0 to {SEEDS - 1}", lambda x: _whole(x) and 0 <= x < SEEDS)
EACH_SEED: Rule = (f"whole numbers from 0 to {SEEDS - 1}", lambda x: all(map(SEED[1], x)))
POSITIVE: Rule = ("a number greater than 0", lambda x: isfinite(x) and x > 0)
AMOUNT: Rule = ("a number, at least 0", lambda x: isfinite(x) and x >= 0)
FRACTION: Rule = ("at least 0 and less than 1", lambda x: 0 <= x < 1)
SHARE: Rule = ("at least 0 and at most 1", lambda x: 0 <= x <= 1)
PAIR: Rule = ("two numbers, as (10, 2.0)", lambda x: len(x) == 2 and all(n >= 0 for n in x))
SENTENCES: Rule = (
    "sentences, as ('The cat sat', 'I am here')",
    lambda x: isinstance(x, list | tuple) and all(isinstance(one, str) for one in x),
)
FOLDER: Rule = ("the folder of a run, or ''", lambda x: isinstance(x, str))
OBJECTIVE: Rule = (
    "a name, or options as {'kind': 'span_corruption', 'rate': 0.15}",
    lambda x: isinstance(x, str | Mapping),
)
MEMBERS: Rule = ("{prefix: {task, data}}", lambda x: isinstance(x, Mapping))

RULES: dict[str, Rule] = {
    "seed": SEED,
    "showcase": SENTENCES,
    "initialize_from": FOLDER,
    "objective": OBJECTIVE,
    "mixture": MEMBERS,
    "data.max_length": NATURAL,
    "data.size": NATURAL,
    "data.rate": NATURAL,
    "data.mels": NATURAL,
    "data.max_seconds": POSITIVE,
    **{
        f"data.augment.{size}": COUNT
        for size in ("shift", "frequency_masks", "frequency_width", "time_masks", "time_width")
    },
    **{f"data.augment.{share}": SHARE for share in ("contrast", "brightness", "time_share")},
    "tokenizer.size": NATURAL,
    "tokenizer.extra": COUNT,
    "devices.data": MAYBE,
    "devices.heads": NATURAL,
    "training.tokens": BUDGET,
    "training.batch_tokens": NATURAL,
    "training.microbatches": NATURAL,
    "training.workers": COUNT,
    "training.buckets": NATURAL,
    "training.warmup": COUNT,
    "training.learning_rate": POSITIVE,
    "training.weight_decay": AMOUNT,
    "training.b1": FRACTION,
    "training.b2": FRACTION,
    "training.final": FRACTION,
    "training.z_loss": AMOUNT,
    "training.dropout": FRACTION,
    "training.label_smoothing": FRACTION,
    "training.sampled_inputs": SHARE,
    "training.clip": POSITIVE,
    "training.validations": NATURAL,
    "training.validation_sentences": NATURAL,
    "training.patience": COUNT,
    "decoding.beam": NATURAL,
    "decoding.length_penalty": AMOUNT,
    "decoding.coverage_penalty": AMOUNT,
    "decoding.longest": PAIR,
    "decoding.length_offset": AMOUNT,
    **{
        f"model.{side}.{size}": NATURAL
        for side in ("encoder", "decoder")
        for size in (
            "embedding",
            "hidden",
            "layers",
            "features",
            "feed_forward",
            "heads",
            "positions",
            "stride",
            "kernel",
        )
    },
    "model.encoder.joins": COUNT,
    "model.decoder.doubly_stochastic": AMOUNT,
    **{f"model.decoder.hard_{term}": AMOUNT for term in ("expected", "reinforce", "entropy")},
    **{
        f"model.{side}.{size}": MAYBE
        for side in ("encoder", "decoder")
        for size in ("key_value_heads", "key_size", "value_size")
    },
}


def run(config: Config) -> None:
    """Checks the config of one run. Raises ValueError with the field, its value and the expected value."""
    check(config, RULES)
    training = config["training"]
    look_up("training.schedule", SCHEDULES, training["schedule"])
    look_up("training.optimizer", OPTIMIZERS, training["optimizer"])
    look_up("training.compute", setup.COMPUTE, training["compute"])
    precision = training["matmul_precision"]
    look_up("training.matmul_precision", setup.PRECISIONS, precision)
    runs.search_of(config.get("decoding", {}))
    sampling_of(config.get("sampling", {}))
    data = config["data"]
    task = task_of(config)
    task.check(config)
    task.metrics(config)  # raises if a package that they require is missing
    for corpus in task.corpora(config):
        splits = dataset(corpus["name"]).splits
        if splits and data["test"] not in splits:
            raise ValueError(unknown(f"split of {corpus['name']}", data["test"], splits))
    model = make_model(8, 8, **config["model"])  # the sizes of the vocabularies do not matter here
    if task.reads not in ("", model.reads):
        fitting = [name for name, one in ENCODERS.items() if one().reads == task.reads]
        raise ValueError(
            f"the task {task.name} reads {task.reads}, but the encoder {config['model']['encoder']['kind']} reads "
            f"{model.reads}; choose another: {' or '.join(fitting)}"
        )
    # Shapes only, even for the key: processes must be connected before JAX computes anything.
    limits = model.limits(jax.eval_shape(lambda: model.init(jax.random.key(0))))
    for side, limit in zip(("source", "target"), limits[:2], strict=True):
        if limit is not None and data["max_length"] > limit:
            raise ValueError(
                f"data.max_length is {data['max_length']}, but this model reads at most {limit} {side} tokens; lower it, "
                "or raise model.encoder.positions and model.decoder.positions"
            )


def check(config: Config, rules: Mapping[str, Rule]) -> None:
    """Raises ValueError if the value of a field violates its rule."""
    for field, (expected, satisfied) in rules.items():
        *sections, name = field.split(".")
        fields = functools.reduce(lambda parent, section: parent.get(section, {}), sections, config)
        if name not in fields:
            continue  # a field of another task or kind of model
        value = fields[name]
        try:
            correct = not isinstance(value, bool) and satisfied(value)
        except TypeError:
            correct = False
        if not correct:
            raise ValueError(f"{field} is {value!r}; it must be {expected}")


def _whole(x):
    return isinstance(x, int) and not isinstance(x, bool)
