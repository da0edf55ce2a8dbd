"""The contract of a task, the only place that knows what a model's examples are."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from attention_lab.data.pipeline import Pairs
from attention_lab.data.vocabularies import Codec
from attention_lab.evaluation.metrics import Metric
from attention_lab.evaluation.records import Record

Config = Mapping[str, Any]
Example = dict[str, Any]


class Task(NamedTuple):
    """What is read, written, judged and shown.

    read: (config, split, cache) -> the examples of a split, plain dicts. prepare: (config, training examples, cache) ->
    the codec, made once and saved with the run. encode: (config, codec, training examples, cache) -> arrays.
    cache: a folder for what takes time to make. metrics: (config) -> all metrics of the task, the main one first. rank:
    the names of those by which parameters are compared during training; ties in one are broken by the next.
    compared: the names of those whose differences between the arms of a study form one family of tests. show: (record,
    attention layer, head or None for their mean) -> the attention as lines of text and as a figure.
    """

    name: str
    read: Callable[[Config, str, Path], list[Example]]
    prepare: Callable[[Config, Sequence[Example], Path], Codec]
    encode: Callable[[Config, Codec, Sequence[Example], Path], Pairs]
    metrics: Callable[[Config], tuple[Metric, ...]]
    rank: tuple[str, ...]
    compared: tuple[str, ...]
    show: Callable[[Record, str, int | None], tuple[str, Any]]

    def metric(self, config: Config, name: str) -> Metric:
        """The metric of a name."""
        return next(metric for metric in self.metrics(config) if metric.name == name)

    def ranking(self, config: Config) -> tuple[Metric, ...]:
        """The metrics by which parameters are compared during training, in order."""
        return tuple(self.metric(config, name) for name in self.rank)
