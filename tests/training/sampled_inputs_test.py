"""Inputs that are sampled from the model: which, from what distribution, and what the update reads."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from attention_lab.models.base import Model, Output, shift_right, starts_of
from attention_lab.padded import Padded
from attention_lab.special_tokens import START
from attention_lab.training.optimizer import SCHEDULES, adam
from attention_lab.training.sampled_inputs import sample_inputs
from attention_lab.training.step import init_state, make_train_step

V = 7
TARGET = Padded(jnp.array([4, 6, 5, 4, 3, 5]), jnp.ones(6, bool))
SEGMENTS = jnp.array([0, 0, 0, 0, 1, 1])
ONE = {"target": TARGET}


def apply(params, example, *, rng=None, hyper=None, weights=False, dtype=None):
    """Row W[input] of a table."""
    inputs = example.get("inputs")
    starts = starts_of(example["segments"]) if "segments" in example else None
    inputs = shift_right(example["target"].values, starts) if inputs is None else inputs
    return Output(params["W"][inputs])


TABLE = Model("table", lambda rng: {"W": jnp.zeros((V, V))}, apply, None, None)
NEXT = {"W": 50.0 * jnp.eye(V)[(jnp.arange(V) + 1) % V]}  # the token after the input, for certain


def sampled(example, share, seed=0, params=NEXT):
    return np.asarray(sample_inputs(TABLE, params, example, jax.random.key(seed), share)["inputs"])


def test_without_a_share_the_inputs_are_the_target_shifted():
    np.testing.assert_array_equal(sampled(ONE, 0.0), [START, 4, 6, 5, 4, 3])


def test_an_input_is_what_the_model_predicts_for_the_position_before_it():
    found = sampled(ONE, 1.0)
    np.testing.assert_array_equal(found, [START, *(np.array([START, 4, 6, 5, 4]) + 1) % V])


def test_a_document_starts_as_before_and_ends_there():
    found = sampled({**ONE, "segments": SEGMENTS}, 1.0)
    np.testing.assert_array_equal(found, [START, START + 1, 5, 0, START, START + 1])


def test_given_inputs_are_those_that_are_replaced():
    given = jnp.array([START, 1, 1, 1, 1, 1])
    np.testing.assert_array_equal(sampled({**ONE, "inputs": given}, 0.0), given)
    found = sampled({**ONE, "inputs": given}, 1.0)
    np.testing.assert_array_equal(found, [START, START + 1, 2, 2, 2, 2])


def test_the_share_is_that_of_all_but_the_first_and_tokens_have_the_probabilities_of_the_model():
    p = np.array([0.1, 0.2, 0.05, 0.3, 0.05, 0.2, 0.1])
    params = {"W": jnp.broadcast_to(jnp.log(p), (V, V))}
    target = Padded(jnp.full(4001, 6), jnp.ones(4001, bool))
    marked = jnp.full(4001, 99)  # no token, so that what was replaced is known
    found = sampled({"target": target, "inputs": marked}, 0.25, params=params)
    own = found != 99
    assert not own[0]
    assert own[1:].mean() == pytest.approx(0.25, abs=0.03)  # 4 standard errors
    counts, expected = np.bincount(found[own], minlength=V), p * own.sum()
    assert ((counts - expected) ** 2 / expected).sum() < 22.5  # of 6 degrees: once in a thousand


@pytest.mark.parametrize("drops", [False, True])
def test_the_update_reads_them_and_no_gradient_flows_through_the_draws(drops):
    optimizer = adam(1e9)
    hyper = {"learning_rate": 0.1, "weight_decay": 0.0, "dropout": 0.0, "label_smoothing": 0.0}
    batch = {"target": Padded(TARGET.values[None], TARGET.valid[None])}
    state = init_state(TABLE, optimizer, jax.random.key(0), hyper)._replace(params=NEXT)
    step = make_train_step(
        TABLE, optimizer, SCHEDULES["constant"](0, 9), drops=drops, sampled_inputs=1.0
    )
    after, metrics = jax.jit(step)(state, batch)
    inputs = sampled(ONE, 1.0)
    logits = np.asarray(NEXT["W"])[inputs]
    log_p = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    loss = -log_p[np.arange(6), TARGET.values].mean()
    np.testing.assert_allclose(metrics["loss"], loss, rtol=1e-6)
    moved = np.asarray(after.params["W"] != NEXT["W"]).any(1)
    assert set(np.flatnonzero(moved)) <= set(inputs.tolist())
