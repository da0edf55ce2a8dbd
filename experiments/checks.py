"""What the numbers of a config must be: told in one line, before anything is read, computed or written."""

from collections.abc import Callable, Mapping
from math import isfinite
from typing import Any

from attention_lab import runs
from attention_lab.data.sources import dataset
from attention_lab.evaluation.quality import bleu_metric
from attention_lab.mechanism.registry import unknown
from attention_lab.models import make_model
from attention_lab.models.base import look_up
from attention_lab.training.optimizer import SCHEDULES
from experiments import translation

Config = Mapping[str, Any]
Rule = tuple[str, Callable[[Any], bool]]

NATURAL: Rule = ("a whole number, at least 1", lambda x: _whole(x) and x >= 1)
MAYBE: Rule = ("a whole number, at least 1, or None", lambda x: x is None or NATURAL[1](x))
COUNT: Rule = ("a whole number, at least 0", lambda x: _whole(x) and x >= 0)
POSITIVE: Rule = ("a number greater than 0", lambda x: isfinite(x) and x > 0)
AMOUNT: Rule = ("a number, at least 0", lambda x: isfinite(x) and x >= 0)
SHARE: Rule = ("at least 0 and less than 1", lambda x: 0 <= x < 1)
PAIR: Rule = ("two numbers, as (10, 2.0)", lambda x: len(x) == 2 and all(n >= 0 for n in x))

RULES: dict[str, Rule] = {
    "data.max_length": NATURAL,
    "tokenizer.size": NATURAL,
    "devices.data": MAYBE,
    "devices.heads": NATURAL,
    "training.tokens": NATURAL,
    "training.batch_tokens": NATURAL,
    "training.parts": NATURAL,
    "training.workers": COUNT,
    "training.buckets": NATURAL,
    "training.warmup": COUNT,
    "training.learning_rate": POSITIVE,
    "training.weight_decay": AMOUNT,
    "training.dropout": SHARE,
    "training.label_smoothing": SHARE,
    "training.clip": POSITIVE,
    "training.validations": NATURAL,
    "training.validation_sentences": NATURAL,
    "training.patience": COUNT,
    "decoding.beam": NATURAL,
    "decoding.length_penalty": AMOUNT,
    "decoding.coverage_penalty": AMOUNT,
    "decoding.longest": PAIR,
    **{
        f"model.{size}": NATURAL
        for size in ("embedding", "hidden", "memory", "layers", "features", "feed_forward", "heads")
    },
}


def run(config: Config) -> None:
    """Checks the config of one run. Raises ValueError, with the field, its value and what is expected."""
    for field, (expected, holds) in RULES.items():
        room, _, name = field.partition(".")
        if name not in config[room]:
            continue  # of another kind of model
        value = config[room][name]
        try:
            right = not isinstance(value, bool) and holds(value)
        except TypeError:
            right = False
        if not right:
            raise ValueError(f"{field} is {value!r}; it must be {expected}")
    training, model = config["training"], config["model"]
    look_up("training.schedule", SCHEDULES, training["schedule"])
    look_up("training.compute", translation.COMPUTE, training["compute"])
    precision = training["matmul_precision"]
    look_up("training.matmul_precision", translation.PRECISIONS, precision)
    runs.search_of(config["decoding"])
    data = config["data"]
    bleu_metric(data["bleu_tokenize"])  # what it needs is there
    splits = dataset(data["name"]).splits
    if splits and data["test"] not in splits:
        raise ValueError(unknown(f"split of {data['name']}", data["test"], splits))
    options = {name: value for name, value in model.items() if name != "kind"}
    make_model(model["kind"], 8, 8, **options)  # of any vocabulary: its pieces are looked up


def _whole(x):
    return isinstance(x, int)
