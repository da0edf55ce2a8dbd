"""Cost: matrix products are counted as often as they happen, and memory as what is kept."""

import jax
import jax.numpy as jnp
import pytest

from attention_lab.training.cost import flops, residual_bytes, tree_bytes

A, B = jnp.ones((3, 4)), jnp.ones((4, 5))
PRODUCT = 2 * 3 * 4 * 5


def scanned(a, b):
    return jax.lax.scan(lambda carry, _: (carry + (a @ b).sum(), None), 0.0, None, length=7)[0]


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda a, b: a @ b, PRODUCT),
        (lambda a, b: jax.jit(jnp.matmul)(a, b) + 1, PRODUCT),
        (lambda a, b: jax.vmap(lambda row: row @ b)(a), PRODUCT),
        (
            lambda a, b: jnp.einsum("hij,hjk->hik", jnp.stack([a] * 6), jnp.stack([b] * 6)),
            6 * PRODUCT,
        ),
        (scanned, 7 * PRODUCT),
        (lambda a, b: jax.lax.map(lambda _: a @ b, jnp.arange(2)), 2 * PRODUCT),
        (lambda a, b: jax.lax.cond(a[0, 0] > 0, lambda: (a @ b).sum(), lambda: 0.0), PRODUCT),
        (lambda a, b: jax.checkpoint(jnp.matmul)(a, b), PRODUCT),
        (lambda a, b: jnp.tanh(a), 0),
    ],
)
def test_products_are_counted(function, expected):
    assert flops(function, A, B) == expected


def test_a_gradient_costs_two_products_more():
    def loss(a, b):
        return ((a @ b) ** 2).sum()

    assert flops(jax.grad(loss, (0, 1)), A, B) == 3 * PRODUCT


def test_shapes_are_enough():
    shape = jax.ShapeDtypeStruct((1000, 1000), jnp.float32)
    assert flops(jnp.matmul, shape, shape) == 2 * 10**9
    assert tree_bytes({"a": shape}) == 4 * 10**6


def test_what_backward_needs_is_kept():
    x = jnp.ones((100,), jnp.float32)
    # Two tanh keep one array each, or what their derivative needs of it.
    assert 800 <= residual_bytes(lambda x: jnp.tanh(jnp.tanh(x)), x) <= 1600
