"""Adafactor, the z-loss and the schedules that keep a level, against their formulas."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from attention_lab.training.mesh import Devices, make_mesh, shardings
from attention_lab.training.objectives import cross_entropy
from attention_lab.training.optimizer import OPTIMIZERS, SCHEDULES, adafactor
from attention_lab.training.step import init_state
from tests.models.small import transformer

SHAPES = {"matrix": (128, 130), "heads": (2, 131, 128), "small": (3, 5), "vector": (4,), "b": ()}


def rms(x):
    return math.sqrt(np.mean(np.square(x)))


def direction_of(gradients, x, b1):
    """Algorithm 5 of Shazeer & Stern (2018) for the gradients of one parameter x: the last step, without its rate.

    Matrices smaller than 128 are not worth a factorization; their second moment is that of algorithm 4.
    """
    rows, columns, v, momentum = 0.0, 0.0, 0.0, 0.0
    for t, gradient in enumerate(gradients, 1):
        decay = 1 - t**-0.8
        square = gradient**2 + 1e-30
        if min(gradient.shape[-2:], default=0) >= 128 and gradient.ndim > 1:
            rows = decay * rows + (1 - decay) * square.sum(-1)
            columns = decay * columns + (1 - decay) * square.sum(-2)
            total = rows.sum(-1)[..., None, None]
            second = rows[..., :, None] * columns[..., None, :] / total
        else:
            second = v = decay * v + (1 - decay) * square
        step = gradient / np.sqrt(second)
        step = step / max(1.0, rms(step)) * max(1e-3, rms(x))
        momentum = b1 * momentum + (1 - b1) * step
    return momentum


@pytest.mark.parametrize("b1", [0.0, 0.9])
def test_adafactor_is_the_algorithm_of_its_paper(b1):
    rng = np.random.default_rng(0)
    params = {name: rng.normal(size=shape) for name, shape in SHAPES.items()}
    params["vector"] *= 1e-6  # of which the step would be too small
    scales = (1.0, 3.0, 0.2)  # a surprisingly large gradient is clipped
    steps = [{n: s * rng.normal(size=shape) for n, shape in SHAPES.items()} for s in scales]
    optimizer = adafactor(1e9, b1=b1, b2=0.5)
    state = optimizer.init(params)
    update = jax.jit(optimizer.update)
    for t, gradients in enumerate(steps, 1):
        found, state = update(gradients, state, params)
        for name, x in params.items():
            wanted = direction_of([one[name] for one in steps[:t]], x, b1)
            np.testing.assert_allclose(
                found[name], wanted, rtol=2e-6, atol=1e-9, err_msg=f"{name} {t}"
            )


def test_adafactor_keeps_a_row_and_a_column_of_a_matrix():
    params = {name: jnp.zeros(shape, jnp.float32) for name, shape in SHAPES.items()}
    for b1, whole in ((0.0, 0), (0.9, 1)):
        state = jax.eval_shape(adafactor(1.0, b1=b1).init, params)
        kept = sum(leaf.size for leaf in jax.tree.leaves(state))
        moments = sum(leaf.size for leaf in jax.tree.leaves(params)) * whole
        factored = (128 + 130) + 2 * (131 + 128) + (15 + 4 + 1)
        assert factored + moments <= kept < factored + moments + 20


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_gradients_are_clipped_to_a_global_norm_first(name):
    params = {"a": np.ones(3), "b": np.ones(4)}
    gradients = {"a": np.array([3.0, 0.0, 4.0]), "b": np.full(4, 6.0)}  # of norm 13

    def kept(clip, gradients):
        optimizer = OPTIMIZERS[name](clip)
        update = jax.jit(lambda g: optimizer.update(g, optimizer.init(params), params)[1])
        return jax.tree.leaves(update(gradients))

    clipped = kept(1.0, gradients)
    by_hand = kept(1e9, jax.tree.map(lambda g: g / 13, gradients))
    for x, y in zip(clipped, by_hand, strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-6)
    whole = zip(clipped, kept(1e9, gradients), strict=True)
    assert not all(np.allclose(x, y, rtol=0.1, atol=0) for x, y in whole)


@pytest.mark.parametrize("devices", [Devices(1, heads=2), Devices(2, shard_state=True)], ids=str)
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_state_of_every_optimizer_can_be_split_over_devices(name, devices):
    model, optimizer = transformer(), OPTIMIZERS[name](1.0)
    hyper = {"learning_rate": 0.1}
    state = jax.eval_shape(lambda: init_state(model, optimizer, jax.random.key(0), hyper))
    found = shardings(state, make_mesh(devices), devices.shard_state)
    assert len(jax.tree.leaves(found)) == len(jax.tree.leaves(state))
    assert any("heads" in s.spec or "data" in s.spec for s in jax.tree.leaves(found.opt_state))


@pytest.mark.parametrize("z_loss", [0.0, 0.7])
def test_the_z_loss_and_its_derivatives_are_those_of_the_formula(z_loss):
    rng = np.random.default_rng(2)
    logits = jnp.asarray(3 * rng.normal(size=(4, 7)) + 2)
    target, smoothing, weights = jnp.asarray(rng.integers(0, 7, 4)), 0.3, jnp.arange(4.0)

    def formula(logits):
        p = jnp.exp(logits) / jnp.exp(logits).sum(-1, keepdims=True)
        q = (1 - smoothing) * jnp.eye(7)[target] + smoothing / 7
        z = jnp.log(jnp.exp(logits).sum(-1))
        return -(q * jnp.log(p)).sum(-1) + z_loss * z**2

    def ours(logits):
        return cross_entropy(logits, target, smoothing, z_loss)

    def both(f):
        return jax.jit(lambda x: (f(x), jax.grad(lambda x: f(x) @ weights)(x)))

    for found, wanted in zip(both(ours)(logits), both(formula)(logits), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize(
    ("name", "warmup", "total", "final", "factors"),
    [
        ("level_inverse_sqrt", 4, 9, 0.0, {0: 1, 3: 1, 4: math.sqrt(4 / 5), 15: 1 / 2, 35: 1 / 3}),
        ("level_inverse_sqrt", 0, 9, 0.0, {0: 1, 3: 1 / 2, 8: 1 / 3}),
        ("cosine", 4, 12, 0.1, {0: 1 / 4, 3: 1, 4: 1, 8: 0.55, 12: 0.1, 40: 0.1}),
        ("cosine", 0, 4, 0.5, {0: 1, 2: 0.75, 4: 0.5}),
        ("constant", 2, 4, 0.5, {0: 1 / 2, 1: 1, 40: 1}),
        ("inverse_sqrt", 4, 9, 0.5, {3: 1, 15: 1 / 2, 399: 1 / 10}),
    ],
)
def test_a_schedule_with_a_level_is_its_formula(name, warmup, total, final, factors):
    schedule = SCHEDULES[name](warmup, total, final)
    for t, factor in factors.items():
        assert float(schedule(jnp.asarray(t))) == pytest.approx(factor, abs=1e-12), t
