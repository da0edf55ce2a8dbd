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
        greedy = {**self.config["decoding"], "beam": 1, "coverage_penalty": 0.0}
        config = {**self.config, "decoding": greedy}

        def evaluate(params):
            size = len(jax.tree.leaves(params)[0])
            runs = Runs(config, self.model, params, self.corpus.codec, size, layout)
            sources = [example["source"] for example in self.examples]
            translations = runs.translate(sources, step=COARSE)
            losses = [one.losses for one in runs.teacher_forced(self.examples, weights=False)]
            outcomes = [
                Outcome(self.examples, [t.text for t in own], own_losses)
                for own, own_losses in zip(translations, losses, strict=True)
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
    examples = corpus.validation[: config["training"]["validation_sentences"]]
    limits = model.limits(jax.eval_shape(model.init, jax.random.key(0)))
    refused = [one.refused for one in outputs.encode(corpus.codec, limits, examples)]
    sources = outputs.with_end(corpus.codec.source, (example["source"] for example in examples))
    if all(refused):
        raise ValueError(
            f"none of {len(examples)} validation pairs can be read: the first has {refused[0]}; raise "
            "model.encoder.positions or model.decoder.positions"
        )
    unread, empty = sum(map(bool, refused)), sum(bool(limits.refusal(ids)) for ids in sources)
    metrics = task_of(config).ranking(config)
    return Validation(config, model, corpus, examples, metrics, unread, empty)
