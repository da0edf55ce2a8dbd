"""What saves memory or time changes no update: a batch in parts, layers computed twice, bfloat16."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from attention_lab.models.base import computed_in
from attention_lab.training import cost
from attention_lab.training.optimizer import SCHEDULES, adam
from attention_lab.training.step import init_state, make_train_step
from tests.models.small import example, recurrent, transformer

HYPER = {"learning_rate": 0.01, "weight_decay": 0.0, "dropout": 0.2, "label_smoothing": 0.1}
MODELS = {"recurrent": recurrent, "transformer": functools.partial(transformer, layers=1)}


def batch(rows=5, length=6):
    rng = np.random.default_rng(0)
    ids = rng.integers(4, 19, (2, rows, length)).astype(np.int32)
    ids[:, 1::2, 3:] = 0
    return example(*ids)


def stepped(model, microbatches=1, updates=3, like=None):
    """The state after some updates, and the losses; it starts from the parameters of `like`."""
    optimizer = adam(1.0)
    state = init_state(like or model, optimizer, jax.random.key(0), HYPER)
    step = jax.jit(make_train_step(model, optimizer, SCHEDULES["constant"](1, 1), microbatches))
    losses = []
    for _ in range(updates):
        state, metrics = step(state, batch())
        losses.append(float(metrics["loss"]))
    return state, losses


@functools.cache
def plain(name):
    return stepped(MODELS[name]())


def agree(name, found, tolerance):
    state, losses = plain(name)
    np.testing.assert_allclose(found[1], losses, rtol=tolerance)
    for x, y in zip(*map(jax.tree.leaves, (found[0].params, state.params)), strict=True):
        np.testing.assert_allclose(x, y, atol=tolerance)


@pytest.mark.parametrize("name", MODELS)
def test_a_batch_in_parts_is_the_batch_dropout_on(name):
    # Five rows in two parts: the sixth is padding.
    agree(name, stepped(MODELS[name](), microbatches=2), 1e-9)


@pytest.mark.parametrize("name", MODELS)
def test_computing_layers_twice_draws_the_same_dropout(name):
    agree(name, stepped(MODELS[name](recompute=True)), 1e-9)


@pytest.mark.parametrize("name", MODELS)
def test_computing_layers_twice_keeps_less_for_the_backward_pass(name):
    def kept(model):
        one = example(jnp.ones(24, int), jnp.ones(24, int))
        params = jax.eval_shape(model.init, jax.random.key(0))
        return cost.residual_bytes(lambda params: model.apply(params, one).logits, params)

    sizes = {"layers": 4} if name == "transformer" else {}
    assert kept(MODELS[name](**sizes, recompute=True)) < 0.5 * kept(MODELS[name](**sizes))


@pytest.mark.parametrize("name", MODELS)
def test_bfloat16_computes_nearly_the_same_and_keeps_the_state(name):
    model = MODELS[name]()
    state, losses = stepped(computed_in(model, jnp.bfloat16))
    exact = plain(name)[1]
    assert {x.dtype for x in jax.tree.leaves(state.params)} == {jnp.dtype(float)}
    np.testing.assert_allclose(losses, exact, rtol=0.02)
    assert losses != exact
