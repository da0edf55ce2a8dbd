"""One update, pure: it knows no files, devices or seeds, and draws from `fold_in(state.rng, state.step)`."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from attention_lab.marks import PAD
from attention_lab.mechanism.contracts import Array, Params
from attention_lab.models.base import Hyper, Model
from attention_lab.training.objectives import cross_entropy
from attention_lab.training.optimizer import Schedule, move

Batch = dict[str, Array]  # {"source": int[B, K], "target": int[B, T]}, padded with PAD
Metrics = dict[str, Array]


class TrainState(NamedTuple):
    """All that training carries from one update to the next.

    hyper: {"learning_rate", "weight_decay", "dropout", "label_smoothing"}, each [].
    """

    step: Array
    params: Params
    opt_state: Any
    rng: Array
    hyper: Hyper


def init_state(
    model: Model, optimizer: optax.GradientTransformation, rng: Array, hyper: Hyper
) -> TrainState:
    """The state before the first update."""
    rng_params, rng_steps = jax.random.split(rng)
    params = model.init(rng_params)
    traced = {name: jnp.asarray(value, jnp.float32) for name, value in hyper.items()}
    return TrainState(jnp.zeros((), int), params, optimizer.init(params), rng_steps, traced)


def make_train_step(
    model: Model, optimizer: optax.GradientTransformation, schedule: Schedule
) -> Callable[[TrainState, Batch], tuple[TrainState, Metrics]]:
    """train_step(state, batch) -> state, {"loss", "tokens", "gradient_norm", "learning_rate"}.

    loss: the mean over the batch's target tokens of the smoothed cross-entropy, in nats.
    """

    def loss_of(params, batch, rng, hyper):
        rngs = jax.random.split(rng, batch["target"].shape[0])
        output = jax.vmap(lambda example, rng: model.apply(params, example, rng=rng, hyper=hyper))(
            batch, rngs
        )
        real = batch["target"] != PAD
        losses = cross_entropy(output.logits, batch["target"], hyper["label_smoothing"])
        tokens = real.sum()
        return jnp.where(real, losses, 0).sum() / jnp.maximum(tokens, 1), tokens

    def train_step(state, batch):
        rng = jax.random.fold_in(state.rng, state.step)
        (loss, tokens), gradients = jax.value_and_grad(loss_of, has_aux=True)(
            state.params, batch, rng, state.hyper
        )
        direction, opt_state = optimizer.update(gradients, state.opt_state, state.params)
        rate = state.hyper["learning_rate"] * schedule(state.step)
        params = move(state.params, direction, rate, state.hyper["weight_decay"])
        metrics = {
            "loss": loss,
            "tokens": tokens,
            "gradient_norm": jnp.sqrt(sum(jnp.vdot(g, g) for g in jax.tree.leaves(gradients))),
            "learning_rate": rate,
        }
        return state._replace(step=state.step + 1, params=params, opt_state=opt_state), metrics

    return train_step
