"""All programs that are compared with each other compute the same attention and the same gradients."""

import sys
from types import ModuleType

import jax
import numpy as np
import pytest

from attention_lab.benchmarks.cases import BASELINES, Case, Sizes
from attention_lab.benchmarks.programs import NEEDS, prepare, tensors
from attention_lab.mechanism import IMPLEMENTATIONS

SIZES = Sizes(heads=2, features=3, hidden=4, seed=5)
LENGTH = 7
LIBRARIES = [name for name in BASELINES if name not in NEEDS]


def case_of(implementation, direction, causal):
    return Case("dot", "dot", implementation, LENGTH, direction, causal)


def expected(causal):
    """softmax(q kᵀ) v [H, L, D], and the gradients of its product with the cotangent, in NumPy."""
    q, k, v, cotangent = np.asarray(tensors(case_of("jax", "forward", causal), SIZES), float)
    scores = np.einsum("hid,hjd->hij", q, k)
    if causal:
        scores[:, ~np.tri(LENGTH, dtype=bool)] = -np.inf
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    weights /= weights.sum(-1, keepdims=True)
    vectors = np.einsum("hij,hjd->hid", weights, v)
    d_weights = np.einsum("hid,hjd->hij", cotangent, v)
    d_scores = weights * (d_weights - (weights * d_weights).sum(-1, keepdims=True))
    gradients = (
        np.einsum("hij,hjd->hid", d_scores, k),
        np.einsum("hij,hid->hjd", d_scores, q),
        np.einsum("hij,hid->hjd", weights, cotangent),
    )
    return vectors, (vectors * cotangent).sum(), gradients


def heads_first(name, array):
    array = np.asarray(array).reshape(-1, *np.shape(array)[-2:])  # Tokamax's have a batch of one
    return np.swapaxes(array, 0, 1) if name in BASELINES else array


@pytest.fixture
def tokamax(monkeypatch):
    """A stand-in for Tokamax, which the tests do not need: JAX's function under the names of Tokamax's."""
    stand_in = ModuleType("tokamax")

    def dot_product_attention(q, k, v, *, logits_scale, is_causal):
        assert q.ndim == 4
        return jax.nn.dot_product_attention(q, k, v, scale=logits_scale, is_causal=is_causal)

    stand_in.dot_product_attention = dot_product_attention
    monkeypatch.setitem(sys.modules, "tokamax", stand_in)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("name", [*IMPLEMENTATIONS, *LIBRARIES, "tokamax"])
def test_every_library_computes_the_same_attention_and_gradients(tokamax, name, causal):
    vectors, loss, gradients = expected(causal)
    forward = prepare(case_of(name, "forward", causal), SIZES)
    np.testing.assert_allclose(heads_first(name, forward.call()), vectors, atol=1e-5)
    both = prepare(case_of(name, "forward+backward", causal), SIZES)
    result, found = both.call()
    assert float(result) == pytest.approx(loss, rel=1e-4)
    for one, wanted in zip(found[-3:], gradients, strict=True):
        np.testing.assert_allclose(heads_first(name, one), wanted, atol=1e-4)
    assert both.temp_bytes > 0
