"""The contract of a task. All code that depends on the kind of examples is in a task."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from attention_lab.data.rows import Rows
from attention_lab.data.vocabularies import Codec
from attention_lab.evaluation.metrics import Metric
from attention_lab.evaluation.records import Record

Config = Mapping[str, Any]
Example = dict[str, Any]


def own_corpus(config: Config) -> tuple[Config, ...]:
    """Returns config["data"] alone: the task has one corpus."""
    return (config["data"],)


class Task(NamedTuple):
    """A task, as a tuple of functions.

    read: (config, split, cache) -> the examples of a split, as dicts; cache is a folder for intermediate files.
    prepare: (config, training examples, cache) -> the codec, which is made once and saved with the run.
    encode: (config, codec, training examples, cache) -> rows of ids.
    evaluated: (config, codec, examples) -> the examples that are evaluated: the same, or parts of them.
    metrics: (config) -> all metrics of the task, the main one first.
    rank: the names of the metrics by which parameters are compared during training, the main one first; ties are broken
    by the next one. They need no records of attention.
    compared: the names of the metrics whose differences between the arms of a study form one family of tests.
    show: (record, attention layer, head or None for their mean, the source) -> the weights as lines of text and as a
    figure.
    corpora: (config) -> the "data" of each corpus that is read, {"name", "options", ..}.
    reads: the kind of its sources, which the encoder must read; "" if that depends on the encoder.
    check: (config) -> None; raises ValueError if a field of the task alone is invalid, before anything is read.
    """

    name: str
    read: Callable[[Config, str, Path], list[Example]]
    prepare: Callable[[Config, Sequence[Example], Path], Codec]
    encode: Callable[[Config, Codec, Sequence[Example], Path], Rows]
    evaluated: Callable[[Config, Codec, Sequence[Example]], list[Example]]
    metrics: Callable[[Config], tuple[Metric, ...]]
    rank: tuple[str, ...]
    compared: tuple[str, ...]
    show: Callable[[Record, str, int | None, Any], tuple[str, Any]]
    corpora: Callable[[Config], Sequence[Config]] = own_corpus
    check: Callable[[Config], None] = lambda config: None
    reads: str = "tokens"

    def metric(self, config: Config, name: str) -> Metric:
        """Returns the metric of a name."""
        return next(metric for metric in self.metrics(config) if metric.name == name)

    def ranking(self, config: Config) -> tuple[Metric, ...]:
        """Returns the metrics by which parameters are compared during training, in order."""
        return tuple(self.metric(config, name) for name in self.rank)
