"""The size of training, computed from shapes before anything is compiled: parameters, FLOPs and memory.

folder: the folder of a run that may have started already, with its saved tokenizers.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from attention_lab import runs
from attention_lab.data.pipeline import Batches
from attention_lab.data.rows import Pairs
from attention_lab.data.words import words_of
from attention_lab.models import Model
from attention_lab.runs import setup
from attention_lab.studies.study import ReplicaGroup
from attention_lab.tasks import target_text
from attention_lab.training import cost
from attention_lab.training.optimizer import SCHEDULES, adam
from attention_lab.training.replicas import Layout
from attention_lab.training.step import init_state, make_train_step


class Size(NamedTuple):
    """The size of a group."""

    parameters: int  # of one replica
    updates: int
    flops: int  # of the matrix products in the training of all replicas
    memory: int  # bytes during training


def size_of(group: ReplicaGroup, layout: Layout) -> Size:
    """Returns the size of a group in a layout."""
    config, folder = group.arms[0].config, group.folder
    model, _ = _model_and_batches(config, folder)
    params = jax.eval_shape(model.init, jax.random.key(0))
    replicas = len(group.replicas)
    at_once = layout.width(replicas)
    # Parameters, two moments and the best parameters of all; gradients of the replicas in work.
    state = cost.tree_bytes(params) * (4 * layout.slots(replicas) + at_once)
    return Size(
        parameters_of(config, folder),
        updates_of(config, folder),
        flops_of(config, folder) * replicas,
        state + at_once * working_of(config, folder),
    )


def parameters_of(config: Mapping[str, Any], folder: Path | None = None) -> int:
    """Returns the number of parameters of a model of this config."""
    model, _ = _model_and_batches(config, folder)
    shapes = jax.eval_shape(model.init, jax.random.key(0))
    return sum(leaf.size for leaf in jax.tree.leaves(shapes))


def updates_of(config: Mapping[str, Any], folder: Path | None = None) -> int:
    """Returns the number of updates of a run of this config."""
    return setup.updates_of(config, _model_and_batches(config, folder)[1])


def tokens_per_word(config: Mapping[str, Any]) -> float:
    """Returns the mean number of target tokens, including END, per target word of the training examples."""
    rows, examples = setup.corpus_of(config).rows, setup.split_of(config, "train")
    kept = [examples[i] for i in rows.places] if isinstance(rows, Pairs) else examples
    words = sum(len(words_of(target_text(example))) for example in kept)
    return int(rows.lengths[1].sum()) / words


def flops_of(config: Mapping[str, Any], folder: Path | None = None) -> int:
    """Returns the floating-point operations of the matrix products in a run of this config."""
    model, batches = _model_and_batches(config, folder)
    step = make_train_step(model, adam(1.0), SCHEDULES["constant"](1, 1))
    hyper = setup.hyper_of(config)
    state = jax.eval_shape(lambda: init_state(model, adam(1.0), jax.random.key(0), hyper))
    epoch = sum(
        cost.flops(step, state, _shapes(batches, bucket)) * bucket.batches
        for bucket in batches.buckets
    )
    return epoch * setup.updates_of(config, batches) // batches.per_epoch


def working_of(config: Mapping[str, Any], folder: Path | None = None) -> int:
    """Returns an upper bound of the bytes that a training step needs besides its state: without reuse of buffers."""
    model, batches = _model_and_batches(config, folder)
    largest = max(batches.buckets, key=lambda b: b.rows * b.source * b.target)

    def logits(params):
        batch = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), _shapes(batches, largest))
        return jax.vmap(lambda one: model.apply(params, one).logits)(batch)

    return cost.residual_bytes(logits, jax.eval_shape(model.init, jax.random.key(0)))


def _model_and_batches(config: Mapping[str, Any], folder: Path | None) -> tuple[Model, Batches]:
    corpus = setup.corpus_of(config, folder)
    model = runs.model_of(config, corpus.codec)
    return model, setup.batches_of(config, corpus.rows)


def _shapes(batches, bucket):
    return jax.eval_shape(lambda: batches.of(bucket, bucket.members[:1]))
