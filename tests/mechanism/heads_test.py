"""Several heads agree with the oracle, share what they should, and refuse what cannot be shared."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from attention_lab.mechanism import (
    Dims,
    init_multi_head,
    make_attention,
    multi_head,
    remember_heads,
)
from tests import reference
from tests.cases import distance

pytestmark = pytest.mark.oldest

QUERIES, KEYS, FEATURES = 5, 7, 8


def built(heads=4, groups=2, value_features=None, **words):
    attention = make_attention(**words)
    dims = Dims(FEATURES, 6, hidden=5, positions=9)
    options = {"key_value_heads": groups, "value_features": value_features}
    return attention, init_multi_head(attention, jax.random.key(0), dims, heads=heads, **options)


def sequences():
    rng = np.random.default_rng(0)
    x, source = rng.normal(size=(QUERIES, FEATURES)), rng.normal(size=(KEYS, 6))
    return jnp.asarray(x), jnp.asarray(source), jnp.arange(KEYS) != 3


@pytest.mark.parametrize("implementation", ["dense", "blockwise"])
@pytest.mark.parametrize("groups", [4, 2, 1])
@pytest.mark.parametrize("score", ["scaled_dot", "additive", "general", "location"])
def test_heads_agree_with_the_oracle(score, groups, implementation):
    attention, params = built(groups=groups, value_features=3, score=score, mask="causal")
    x, source, valid = sequences()
    memory = remember_heads(attention, params, source, valid)
    wanted = implementation == "dense"
    context = multi_head(
        attention, params, x, memory, implementation=implementation, weights=wanted
    )
    inner = [
        {"score_params": {name: leaf[g] for name, leaf in params["attention"]["score"].items()}}
        for g in range(groups)
    ]
    vectors, weights = reference.multi_head(
        params,
        x,
        range(QUERIES),
        source,
        head_params=inner,
        score=score,
        mask=reference.causal(),
        valid=valid,
    )
    assert distance(context.vector, vectors) < 1e-9
    if wanted:
        assert distance(context.weights, weights) < 1e-9


# Of what published models add to their scores.
SLOPES = {
    1: [2**-8],
    2: [2**-4, 2**-8],
    3: [2**-4, 2**-8, 2**-2],
    4: [2**-2, 2**-4, 2**-6, 2**-8],
    6: [2**-2, 2**-4, 2**-6, 2**-8, 2**-1, 2**-3],
    12: [2.0**-h for h in range(1, 9)] + [2**-0.5, 2**-1.5, 2**-2.5, 2**-3.5],
}


@pytest.mark.parametrize("implementation", ["dense", "blockwise", "fused"])
@pytest.mark.parametrize("heads, groups", [(1, 1), (2, 1), (3, 3), (3, 1), (4, 2), (6, 3), (12, 4)])
def test_alibi_has_a_slope_for_every_query_head(heads, groups, implementation):
    """With W_Q of zeros the bias is all the score, so that the weights tell the slopes."""
    attention = make_attention(bias="alibi")
    dims, sizes = Dims(12, 12), {"features": 2, "value_features": KEYS}
    params = init_multi_head(
        attention, jax.random.key(0), dims, heads=heads, key_value_heads=groups, **sizes
    )
    assert not jax.tree.leaves(params["attention"]["bias"])
    # Values that name their keys, and heads that keep apart in the output: vectors are then the weights.
    one_hot = jnp.broadcast_to(jnp.eye(KEYS, 12), (groups, KEYS, 12))
    output = jnp.eye(heads * KEYS).reshape(-1, heads, KEYS)
    params |= {"W_Q": 0 * params["W_Q"], "W_V": one_hot, "W_O": output}
    x = jnp.eye(KEYS, 12, dtype=jnp.float32)
    vectors = multi_head(attention, params, x, implementation=implementation).vector
    weights = np.swapaxes(np.asarray(vectors).reshape(KEYS, heads, KEYS), 0, 1)
    place = np.arange(KEYS)
    scores = -np.array(SLOPES[heads])[:, None, None] * abs(place[:, None] - place)
    wanted = np.exp(scores) / np.exp(scores).sum(-1, keepdims=True)
    np.testing.assert_allclose(weights, wanted, atol=1e-6)


def test_a_decoder_that_asks_its_cache_gets_what_it_would_get_all_at_once():
    attention = make_attention(score="rotary(scaled_dot)", mask="causal")
    dims = Dims(FEATURES, FEATURES)
    params = init_multi_head(attention, jax.random.key(0), dims, heads=2)
    x = jnp.asarray(np.random.default_rng(0).normal(size=(QUERIES, FEATURES)))
    at_once = multi_head(attention, params, x).vector
    cache = remember_heads(attention, params, x)
    for i in range(QUERIES):
        past = cache._replace(valid=jnp.arange(QUERIES) <= i)
        step = multi_head(
            attention, params, x[i : i + 1], past, kind="self", positions=jnp.asarray([i])
        )
        np.testing.assert_allclose(step.vector[0], at_once[i], atol=1e-12)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"heads": 4, "key_value_heads": 3}, "4 heads cannot share 3 key-value heads evenly"),
        ({"heads": 3}, "3 heads cannot share 8 features evenly"),
        ({"heads": 0}, "0 heads"),
    ],
)
def test_what_cannot_be_shared_evenly_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        init_multi_head(make_attention(), jax.random.key(0), Dims(FEATURES, FEATURES), **options)


@pytest.mark.parametrize("filler", [np.nan, np.inf])
def test_what_stands_in_padding_reaches_no_gradient(filler):
    attention = make_attention(score="general")
    params = init_multi_head(attention, jax.random.key(0), Dims(FEATURES, FEATURES), heads=2)
    x = np.random.default_rng(0).normal(size=(KEYS, FEATURES))
    valid = jnp.arange(KEYS) < 5
    padded = jnp.where(valid[:, None], x, filler)

    def loss(params, source):
        memory = remember_heads(attention, params, source, valid)
        return jnp.sum(multi_head(attention, params, jnp.ones((2, FEATURES)), memory).vector)

    dirty = jax.grad(loss, (0, 1))(params, padded)
    clean = jax.grad(loss, (0, 1))(params, jnp.where(valid[:, None], x, 0.0))
    assert distance(dirty, clean) == 0


@pytest.mark.parametrize(
    "options, message",
    [
        ({"kind": "slef"}, "there is no such kind of attention"),
        ({"kind": "self"}, "needs positions="),
        ({"kind": "cross", "memory": None}, "needs a memory"),
    ],
)
def test_a_place_that_makes_no_sense_is_refused(options, message):
    attention, params = built()
    x, source, _ = sequences()
    given = {"memory": remember_heads(attention, params, source), **options}
    with pytest.raises(ValueError, match=message):
        multi_head(attention, params, x, **given)


def test_padding_is_part_of_the_memory():
    attention, params = built()
    x, source, valid = sequences()
    with pytest.raises(ValueError, match="give it to remember_heads"):
        multi_head(attention, params, x, remember_heads(attention, params, source), valid=valid)
