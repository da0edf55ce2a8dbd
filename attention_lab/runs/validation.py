"""Validation during training: the task's ranking metrics on the first validation examples."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import numpy as np

from attention_lab.decoding import COARSE
from attention_lab.evaluation.metrics import Metric, Outcome
from attention_lab.mechanism.contracts import Params
from attention_lab.models import Model
from attention_lab.runs import outputs
from attention_lab.runs.run import Runs
from attention_lab.runs.setup import Corpus
from attention_lab.tasks import task_of
from attention_lab.training.replicas import Layout


class Validation(NamedTuple):
    """The examples on which parameters are validated, and the metrics by which they are ranked.

    unread: the number of examples that the model cannot read, which perplexity leaves out. empty: the number of those
    whose source it cannot read, so that their hypotheses are empty.
    """

    config: Mapping[str, Any]
    model: Model
    corpus: Corpus
    examples: list[dict[str, Any]]
    metrics: tuple[Metric, ...]
    unread: int
    empty: int

    @property
    def better(self) -> dict[str, str]:
        """For each metric, in the order in which they rank, "higher" or "lower"."""
        return {metric.name: metric.better for metric in self.metrics}

    def make_evaluator(self, layout: Layout) -> Callable[[Params], dict[str, np.ndarray]]:
        """Returns a function from params [S, ..] to the scores [S] of each metric; hypotheses are decoded greedily."""
        greedy = {**self.config.get("decoding", {}), "beam": 1, "coverage_penalty": 0.0}
        config = {**self.config, "decoding": greedy}

        def evaluate(params):
            size = len(jax.tree.leaves(params)[0])
            runs = Runs(config, self.model, params, self.corpus.codec, size, layout)
            texts: list[list[str]] = [[]] * runs.reported
            if any("hypotheses" in metric.needs for metric in self.metrics):
                sources = [example["source"] for example in self.examples]
                texts = [[t.text for t in own] for own in runs.translate(sources, step=COARSE)]
            losses = [one.losses for one in runs.teacher_forced(self.examples, weights=False)]
            outcomes = [
                Outcome(self.examples, own, own_losses)
                for own, own_losses in zip(texts, losses, strict=True)
            ]
            return {
                metric.name: np.array([metric.score_of(one) for one in outcomes])
                for metric in self.metrics
            }

        return evaluate


def validation_of(config: Any, corpus: Corpus, model: Model) -> Validation:
    """Returns the validation on the first `training.validation_sentences` examples.

    Raises ValueError if the model can read none of them.
    """
    count, task = config["training"]["validation_sentences"], task_of(config)
    examples = task.evaluated(config, corpus.codec, corpus.validation)[:count]
    limits = model.limits(jax.eval_shape(model.init, jax.random.key(0)))
    encoded = outputs.encode(corpus.codec, limits, examples)
    refused = [one.refused for one in encoded]
    if all(refused):
        raise ValueError(
            f"none of {len(examples)} validation examples can be read: the first has {refused[0]}; raise "
            "model.encoder.positions or model.decoder.positions"
        )
    unread, empty = (
        sum(map(bool, refused)),
        sum(bool(limits.refusal(one.source)) for one in encoded),
    )
    return Validation(config, model, corpus, examples, task.ranking(config), unread, empty)
