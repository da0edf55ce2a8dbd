"""What tiles promise: little memory, skipped tiles, and no second compilation."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from attention_lab.mechanism import (
    SCORES,
    Dims,
    init_attention,
    make_attention,
    remember,
    score_matrix,
    self_attention,
)
from attention_lab.mechanism.blockwise import Tile, tile_for
from attention_lab.mechanism.pairs import pairwise, pairwise_by_feature
from attention_lab.mechanism.parallel import attend_all
from attention_lab.mechanism.scores import FeatureSum
from tests.cases import distance

pytestmark = pytest.mark.oldest

HEADS, FEATURES = 4, 64


def temporaries(length, implementation, forward_only=False, **words):
    """MiB of temporaries that XLA plans for 4 heads of attention of a sequence over itself."""
    attention = make_attention(**words)
    dims = Dims(FEATURES, FEATURES, positions=length)
    shape = jax.ShapeDtypeStruct((HEADS, length, FEATURES), jnp.float32)

    def vectors(params, queries, keys, values):
        memory = remember(attention, params, keys, values)
        return attend_all(
            "self", attention, params, queries, memory, implementation=implementation
        ).vector

    def loss(*args):
        return jnp.sum(jax.vmap(vectors)(*args) ** 2)

    init = jax.vmap(lambda rng: init_attention(attention, rng, dims))
    params = jax.eval_shape(
        init, jax.eval_shape(lambda: jax.random.split(jax.random.key(0), HEADS))
    )
    params = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, jnp.float32), params)
    run = jax.vmap(vectors) if forward_only else jax.grad(loss, (0, 1, 2, 3))
    compiled = jax.jit(run).lower(params, shape, shape, shape).compile()
    return compiled.memory_analysis().temp_size_in_bytes / 2**20


def test_additive_gradients_fit_in_64_mib_where_the_matrix_takes_gigabytes():
    assert temporaries(2048, "blockwise", score="additive", mask="causal") <= 64
    assert temporaries(2048, "dense", score="additive", mask="causal") > 4096


@pytest.mark.parametrize("score", SCORES)
def test_memory_grows_in_proportion_to_length(score):
    short, long = (temporaries(n, "blockwise", score=score, mask="causal") for n in (2048, 8192))
    assert long <= 4.4 * short


def test_dot_takes_less_than_a_third_of_the_memory_of_jax_nn():
    shape = jax.ShapeDtypeStruct((1, 2048, HEADS, FEATURES), jnp.float32)
    theirs = jax.jit(jax.nn.dot_product_attention).lower(shape, shape, shape).compile()
    theirs = theirs.memory_analysis().temp_size_in_bytes / 2**20
    assert temporaries(2048, "blockwise", forward_only=True, score="dot") <= 0.3 * theirs


def test_tiles_have_the_size_that_fits_a_cache():
    assert tile_for(1, 4096, 4096) == Tile(512, 512)
    assert tile_for(64, 4096, 4096) == Tile(64, 64)
    assert tile_for(10**9, 4096, 4096) == Tile(8, 8)
    assert tile_for(1, 3, 5) == Tile(3, 5)


@pytest.mark.parametrize("queries, keys", [(1, 1), (1, 700), (700, 1), (513, 511)])
def test_lengths_need_not_divide_into_tiles(queries, keys):
    attention = make_attention(score="scaled_dot")
    params = init_attention(attention, jax.random.key(0), Dims(8, 8))
    rng = np.random.default_rng(0)
    x, y = jnp.asarray(rng.normal(size=(queries, 8))), jnp.asarray(rng.normal(size=(keys, 8)))
    memory = remember(attention, params, y, y)
    dense, tiled = (
        attend_all("cross", attention, params, x, memory, implementation=how).vector
        for how in ("dense", "blockwise")
    )
    assert distance(tiled, dense) < 1e-12


def test_tiles_that_the_mask_forbids_are_never_computed():
    # A weight of zero times NaN is NaN: only a tile that is skipped can hide it.
    attention = make_attention(score="dot", mask="causal")
    params = init_attention(attention, jax.random.key(0), Dims(8, 8))
    x = jnp.asarray(np.random.default_rng(0).normal(size=(2048, 8)))
    memory = remember(attention, params, x, x)
    poisoned = memory._replace(
        values=memory.values.at[1024:].set(jnp.nan), keys=memory.keys.at[1024:].set(jnp.nan)
    )
    ask = functools.partial(attend_all, "self", attention, params, implementation="blockwise")
    clean, poisoned = ask(x, memory).vector, ask(x, poisoned).vector
    np.testing.assert_array_equal(clean[:1024], poisoned[:1024])
    assert np.all(np.isnan(poisoned[1024:]))


def test_a_second_call_with_an_equal_mechanism_compiles_nothing():
    compilations = []

    def listen(event, duration, **_):
        if "backend_compile" in event:
            compilations.append(event)

    jax.monitoring.register_event_duration_secs_listener(listen)
    x = jnp.asarray(np.random.default_rng(0).normal(size=(96, 8)), jnp.float32)
    words = {
        "score": "rotary(additive)",
        "mask": "both(causal, window(7))",
        "bias": "t5(buckets=8, max_distance=12)",
        "locality": "local_p(5)",
    }

    def call(how):
        attention = make_attention(**words)
        params = init_attention(attention, jax.random.key(0), Dims(8, 8))
        gradient = jax.grad(
            lambda x: jnp.sum(self_attention(attention, params, x, implementation=how).vector)
        )
        return jax.block_until_ready(gradient(x))

    for how in ("dense", "blockwise"):
        call(how)
        first = len(compilations)
        call(how)
        assert first > 0 and len(compilations) == first


def test_the_matrix_of_dot_products_is_one_matrix_product_and_no_loop():
    queries, keys = jnp.ones((5, 4)), jnp.ones((7, 4))
    lines = jax.make_jaxpr(lambda q, k: score_matrix(SCORES["dot"], {}, q, k))(queries, keys).eqns
    primitives = [line.primitive.name for line in lines]
    assert primitives.count("dot_general") == 1
    assert not {"while", "scan"} & set(primitives)


BY_FEATURE = [name for name, score in SCORES.items() if isinstance(score.pair, FeatureSum)]


@pytest.mark.parametrize("dtype, tolerance", [(jnp.float64, 1e-12), (jnp.bfloat16, 2e-2)])
@pytest.mark.parametrize("name", BY_FEATURE)
def test_a_feature_at_a_time_gives_the_scores_and_gradients_of_all_at_once(name, dtype, tolerance):
    score, rngs = SCORES[name], jax.random.split(jax.random.key(0), 4)
    params = score.init(rngs[0], Dims(5, 5, hidden=6))
    shapes = (9, 6), (7, 6), (9, 7)
    queries, keys, cotangent = (
        jax.random.normal(rng, shape, dtype) for rng, shape in zip(rngs[1:], shapes, strict=True)
    )

    def everything(pairs):
        out, pull = jax.vjp(functools.partial(pairs, score), params, queries, keys)
        return out, pull(cotangent.astype(out.dtype))

    found, wanted = everything(pairwise_by_feature), everything(pairwise)
    for one, other in zip(jax.tree.leaves(found), jax.tree.leaves(wanted), strict=True):
        assert one.dtype == other.dtype
        assert distance(one, other) <= tolerance


def far_shares(kind, dtype):
    """Shares of queries [9, 6] and keys [7, 6] that lie far from zero."""
    rngs = jax.random.split(jax.random.key(1))
    queries = jax.random.normal(rngs[0], (9, 6), dtype)
    keys = jax.random.normal(rngs[1], (7, 6), dtype)
    if kind == "cancel":
        return queries + 500, keys - 500
    if kind == "cancel, but for a key of zeros, as padding has it":
        return queries + 500, (keys - 500).at[3].set(0)
    if kind == "a key far off":
        return queries, keys.at[3].set(1000)
    if kind == "a feature far off":
        return queries.at[:, 2].add(-60), keys.at[:4, 2].add(120)
    return 40 * queries, 40 * keys  # wide


FAR = (
    "cancel",
    "cancel, but for a key of zeros, as padding has it",
    "a key far off",
    "a feature far off",
    "wide",
)


@pytest.mark.parametrize("batched", [False, True])
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
@pytest.mark.parametrize("kind", FAR)
def test_a_feature_at_a_time_is_right_however_far_from_zero_the_shares_lie(kind, dtype, batched):
    score = SCORES["additive"]
    params = score.init(jax.random.key(0), Dims(5, 5, hidden=6))
    shares = far_shares(kind, dtype)
    rng = jax.random.key(2)
    if batched:  # with others, to which nothing is far
        near = jax.random.normal(rng, shares[0].shape, dtype), jax.random.normal(rng, (7, 6), dtype)
        shares = tuple(map(jnp.stack, zip(shares, near, strict=True)))
    cotangent = 100 * jax.random.normal(rng, (*shares[0].shape[:-1], 7), dtype)

    def everything(pairs):
        every = jax.vmap(pairs, (None, 0, 0)) if batched else pairs
        out, pull = jax.vjp(every, params, *shares)
        return out, pull(cotangent)

    found = everything(functools.partial(pairwise_by_feature, score))
    wanted = everything(functools.partial(pairwise, score))
    for one, other in zip(jax.tree.leaves(found), jax.tree.leaves(wanted), strict=True):
        assert distance(one, other) <= 2e3 * float(jnp.finfo(dtype).eps)


@pytest.mark.parametrize("name", BY_FEATURE)
def test_a_feature_at_a_time_stays_finite_at_the_ends_of_its_shortcut(name):
    score = SCORES[name]
    params = score.init(jax.random.key(0), Dims(5, 5, hidden=6))
    keys = jnp.repeat(jnp.array([-34.0, 34.0]), 100)[:, None] * jnp.ones((1, 6))
    queries = jnp.array([-1e30, -100.0, -44.0, 0.0, 44.0, 100.0, 1e30])[:, None] * jnp.ones((1, 6))
    assert score.pair.shortcut.is_exact(queries, keys)

    def total(params, queries, keys):
        return 1e4 * jnp.sum(pairwise_by_feature(score, params, queries, keys))

    for leaf in jax.tree.leaves(
        jax.value_and_grad(total, argnums=(0, 1, 2))(params, queries, keys)
    ):
        assert jnp.all(jnp.isfinite(leaf))


def test_the_branch_of_a_shortcut_stays_a_branch_under_vmap():
    score = SCORES["additive"]
    params = score.init(jax.random.key(0), Dims(5, 5, hidden=6))
    every = jax.vmap(functools.partial(pairwise_by_feature, score, params))
    text = str(jax.make_jaxpr(jax.vmap(every))(jnp.ones((2, 3, 9, 6)), jnp.ones((2, 3, 7, 6))))
    assert text.count("cond[") == 1
