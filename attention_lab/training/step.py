"""One update as a pure function; its random numbers are those of `fold_in(state.rng, state.step)`."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from attention_lab.mechanism.contracts import Array, Params
from attention_lab.models.base import Hyper, Model
from attention_lab.training.objectives import cross_entropy
from attention_lab.training.optimizer import Schedule, move
from attention_lab.training.sampled_inputs import sample_inputs

# {"source": Padded [B, K], "target": Padded [B, T]}, and where rows have them "inputs" and "segments", int[B, T].
Batch = dict[str, Any]
Metrics = dict[str, Array]


class TrainState(NamedTuple):
    """The complete state of training between two updates.

    step: the number of updates so far, []. opt_state: of the optimizer. rng: a PRNG key, which never changes. hyper:
    {"learning_rate", "weight_decay", "dropout", "label_smoothing"}, each [].
    """

    step: Array
    params: Params
    opt_state: Any
    rng: Array
    hyper: Hyper


def init_state(
    model: Model, optimizer: optax.GradientTransformation, rng: Array, hyper: Hyper
) -> TrainState:
    """Returns the state before the first update."""
    rng_params, rng_steps = jax.random.split(rng)
    params = model.init(rng_params)
    traced = {name: jnp.asarray(value, jnp.float32) for name, value in hyper.items()}
    return TrainState(jnp.zeros((), int), params, optimizer.init(params), rng_steps, traced)


def make_train_step(
    model: Model,
    optimizer: optax.GradientTransformation,
    schedule: Schedule,
    microbatches: int = 1,
    z_loss: float = 0.0,
    drops: bool = True,
    sampled_inputs: float = 0.0,
) -> Callable[[TrainState, Batch], tuple[TrainState, Metrics]]:
    """Returns train_step(state, batch) -> state, {"loss", "tokens", "gradient_norm", "learning_rate"}.

    loss: the mean over the batch's target tokens of the cross-entropy with label smoothing, in nats, plus what the model
    adds to it for each target as a whole (`Output.losses`). schedule: the
    factor of the learning rate at each step. microbatches: the number of parts of a batch over which gradients are
    accumulated; the update is the same, to rounding, and requires less memory. z_loss: as in `cross_entropy`.
    drops: False if the dropout of every state is 0 and the model draws nothing else; no random numbers are then drawn, and
    the update is the same. sampled_inputs: the share of inputs that `sample_inputs` draws from the model.
    """

    def loss_of(params, batch, rngs, hyper, tokens):
        def apply(example, rng):
            if sampled_inputs:
                rng, own = jax.random.split(rng)
                example = sample_inputs(model, params, example, own, sampled_inputs)
            return model.apply(params, example, rng=rng if drops else None, hyper=hyper)

        output = jax.vmap(apply)(batch, rngs)
        target = batch["target"]
        losses = cross_entropy(output.logits, target.values, hyper["label_smoothing"], z_loss)
        total = jnp.where(target.valid, losses, 0).sum()
        for added in (output.losses or {}).values():
            total = total + added.sum()
        return total / jnp.maximum(tokens, 1)

    def loss_and_gradients(params, batch, rng, *rest):
        value_and_gradients = jax.value_and_grad(loss_of)
        batch = jax.tree.map(lambda x: _divisible(x, microbatches), batch)
        draws = drops or sampled_inputs
        rngs = jax.random.split(rng, len(batch["target"].valid)) if draws else None
        if microbatches == 1:
            return value_and_gradients(params, batch, rngs, *rest)

        def add(total, microbatch):
            return jax.tree.map(
                jnp.add, total, value_and_gradients(params, *microbatch, *rest)
            ), None

        # A microbatch consists of every n-th row, so that its rows are spread over all devices of the batch.
        split = jax.tree.map(
            lambda x: x.reshape(len(x) // microbatches, microbatches, *x.shape[1:]).swapaxes(0, 1),
            (batch, rngs),
        )
        zeros = jnp.zeros((), jnp.result_type(float)), jax.tree.map(jnp.zeros_like, params)
        return jax.lax.scan(add, zeros, split)[0]

    def train_step(state, batch):
        rng = jax.random.fold_in(state.rng, state.step)
        tokens = batch["target"].valid.sum()
        loss, gradients = loss_and_gradients(state.params, batch, rng, state.hyper, tokens)
        direction, opt_state = optimizer.update(gradients, state.opt_state, state.params)
        rate = state.hyper["learning_rate"] * schedule(state.step)
        decays = model.matrices(state.params)
        params = move(state.params, direction, rate, state.hyper["weight_decay"], decays)
        metrics = {
            "loss": loss,
            "tokens": tokens,
            "gradient_norm": jnp.sqrt(sum(jnp.sum(g * g) for g in jax.tree.leaves(gradients))),
            "learning_rate": rate,
        }
        return state._replace(step=state.step + 1, params=params, opt_state=opt_state), metrics

    return train_step


def _divisible(rows: Array, microbatches: int) -> Array:
    """Appends rows of padding, so that the number of rows is divisible by that of microbatches."""
    return jnp.pad(rows, ((0, -len(rows) % microbatches), *[(0, 0)] * (rows.ndim - 1)))
