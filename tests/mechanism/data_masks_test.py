"""Masks that are data: closed over, or given as `seen` and `segments`, however the attention is computed."""

import functools

import hypothesis
import hypothesis.extra.numpy as hnp
import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType

from attention_lab.mechanism import (
    Attention,
    Dims,
    Ring,
    attend,
    blockwise,
    cross_attention,
    init_attention,
    init_multi_head,
    make_attention,
    multi_head,
    remember,
    remember_heads,
    self_attention,
)
from tests import reference
from tests.cases import distance

pytestmark = pytest.mark.oldest

LENGTH, FEATURES = 19, 4
DIMS = Dims(FEATURES, FEATURES, 6, positions=24)
HOWS = ("dense", "blockwise", "ring")


@pytest.fixture(autouse=True, scope="module")
def small_tiles():
    """Tiles of 16 by 16, and of 8 by 8 backward."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blockwise, "TILE_NUMBERS", 1)
        patch.setattr(blockwise, "STRIDE", blockwise.Tile(2, 2))
        jax.clear_caches()
        yield
    jax.clear_caches()


def options(how):
    if how == "ring":
        mesh = jax.make_mesh((2,), ("sequence",), axis_types=(AxisType.Auto,))
        return {"ring": Ring(mesh)}
    return {"implementation": how}


def normal(seed, *shape):
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape))


def table(seed=0):
    """Which row may look at which: one looks at nothing."""
    seen = np.random.default_rng(seed).random((LENGTH, LENGTH)) < 0.4
    seen[3] = False
    return seen


SEGMENTS = np.array([0] * 5 + [7] * 3 + [2] * 11)


@functools.cache
def built(**words):
    attention = make_attention(**words)
    with jax.ensure_compile_time_eval():
        return attention, init_attention(attention, jax.random.key(0), DIMS)


def look_up(seen, numbers):
    """Mechanisms each of which closes over one of the tables."""
    attention, _ = built(score="additive")
    score, bias, locality = attention.score, attention.bias, attention.locality
    hot = lambda params, q, k: numbers[0, 0] * score.pair.term(params["v"], q, k).sum()  # noqa: E731
    return {
        "mask": attention._replace(mask=lambda i, j: seen[i, j]),
        "bias": attention._replace(bias=bias._replace(pair=lambda p, share, i, j: numbers[i, j])),
        "locality": attention._replace(
            locality=locality._replace(
                inside=lambda p, focus, j: seen[0, j], gain=lambda p, focus, j: numbers[0, j]
            )
        ),
        "score": attention._replace(score=score._replace(pair=hot)),
    }


def of_closures(piece, how):
    """x, seen, numbers -> a number, by the mechanism of which a piece closes over the tables."""

    def total(x, numbers, seen):
        attention = look_up(seen, numbers)[piece]
        _, params = built(score="additive")
        vectors = self_attention(attention, params, x, **options(how)).vector
        return jnp.sum(vectors * normal(9, LENGTH, FEATURES))

    return total


@pytest.mark.parametrize("how", ["blockwise", "ring"])
@pytest.mark.parametrize("piece", ["mask", "bias", "locality", "score"])
def test_a_piece_that_closes_over_data_is_mapped_and_differentiated_as_in_dense(piece, how):
    x, numbers = normal(1, 2, LENGTH, FEATURES), normal(2, 2, LENGTH, LENGTH)
    seen = jnp.stack([table(0), table(1)])

    @functools.partial(jax.jit, static_argnums=0)
    def everything(how):
        total = of_closures(piece, how)
        slope = jax.grad(total, (0, 1))
        mapped = jax.vmap(total)(x, numbers, seen), jax.vmap(slope)(x, numbers, seen)
        return slope(x[0], numbers[0], seen[0]), mapped

    found, wanted = everything(how), everything("dense")
    for one, other in zip(jax.tree.leaves(found), jax.tree.leaves(wanted), strict=True):
        assert distance(one, other) < 1e-10


@pytest.mark.parametrize("how", [None, "dense", "blockwise", "fused"])
def test_a_mask_that_closes_over_a_traced_table_has_one_gradient_however_it_is_computed(how):
    _, params = built()
    x = normal(1, 160, FEATURES).astype(jnp.float32)  # long enough for tiles where nothing is said
    seen = jnp.asarray(np.random.default_rng(0).random((160, 160)) < 0.4)

    def loss(x, seen, how):
        attention = Attention(mask=lambda i, j: seen[i, j])
        return jnp.sum(self_attention(attention, params, x, implementation=how).vector ** 2)

    slope = jax.jit(jax.grad(loss), static_argnums=2)
    assert distance(slope(x, seen, how), slope(x.astype(jnp.float64), seen, "dense")) < 1e-5


def by_oracle(score, params, x, valid, seen, locality="local_p", half_width=3):
    may = np.asarray(seen)
    return reference.attention(
        x,
        range(LENGTH),
        x,
        x,
        score=score,
        score_params=params["score"],
        mask=lambda i, j: j <= i and may[i, j],
        locality=reference.LOCALITIES[locality](half_width),
        locality_params=params["locality"],
        valid=valid,
    )[0]


@pytest.mark.parametrize("how", [*HOWS, "step"])
def test_seen_and_segments_narrow_the_mask_and_the_length_that_local_p_is_reported(how):
    attention, params = built(score="additive", mask="causal", locality="local_p(3)")
    x, seen = normal(1, LENGTH, FEATURES), table()
    valid = ~np.isin(np.arange(LENGTH), (9, 17, 18))
    together = seen & (SEGMENTS[:, None] == SEGMENTS)
    memory = remember(attention, params, x, x, valid, segments=SEGMENTS)
    if how == "step":

        def step(x, i, segment, seen):
            return attend(attention, params, x, i, memory, segment=segment, seen=seen).vector

        vectors = jax.vmap(step)(x, jnp.arange(LENGTH), SEGMENTS, seen)
    else:
        vectors = self_attention(
            attention, params, x, valid=valid, segments=SEGMENTS, seen=seen, **options(how)
        ).vector
        given = {"segments": SEGMENTS, "seen": seen}
        crossed = cross_attention(attention, params, x, memory, **given, **options(how)).vector
        np.testing.assert_array_equal(crossed, vectors)
    assert distance(vectors, by_oracle("additive", params, x, valid, together)) < 1e-9


@pytest.mark.parametrize("how", ["blockwise", "ring", "fused"])
def test_seen_and_segments_are_mapped_and_differentiated_as_in_dense(how):
    # The segments of a batch differ, and so do those of queries and keys.
    attention, params = built(mask="causal")
    kind = jnp.float32 if how == "fused" else jnp.float64
    rng = np.random.default_rng(0)
    ours, theirs = (jnp.asarray(rng.integers(0, 3, (2, n))) for n in (LENGTH, LENGTH + 2))
    seen = jnp.asarray(rng.random((2, LENGTH, LENGTH + 2)) < 0.6)
    x, keys = normal(1, 2, LENGTH, FEATURES), normal(2, 2, LENGTH + 2, FEATURES)
    cotangent = normal(3, LENGTH, FEATURES)

    @functools.partial(jax.jit, static_argnums=0)
    def everything(how, *inputs):
        def total(x, keys, ours, theirs, seen):
            memory = remember(attention, params, keys, keys, segments=theirs)
            which = {"segments": ours, "seen": seen}
            vectors = cross_attention(attention, params, x, memory, **which, **options(how)).vector
            return jnp.sum(vectors * cotangent), vectors

        return jax.vmap(jax.grad(total, (0, 1), has_aux=True))(*inputs, ours, theirs, seen)

    found, wanted = everything(how, x.astype(kind), keys.astype(kind)), everything("dense", x, keys)
    for one, other in zip(jax.tree.leaves(found), jax.tree.leaves(wanted), strict=True):
        assert distance(one, other) < (1e-5 if how == "fused" else 1e-10)


@pytest.mark.parametrize("how", ["dense", "blockwise", "fused"])
@pytest.mark.parametrize("packing", ["positions", "segments"])
def test_packed_documents_get_what_each_gets_alone(packing, how):
    """By positions that say document and place, or by segments."""
    mask = lambda i, j: (i // 1000 == j // 1000) & (j <= i)  # noqa: E731
    lengths = (5, 3, 11)
    place = np.concatenate([np.arange(n) for n in lengths])
    document = np.repeat(np.arange(3), lengths)
    if packing == "positions":
        attention, which = Attention(mask=mask), {"positions": document * 1000 + place}
    else:
        attention, which = (
            make_attention(mask="causal"),
            {"positions": place, "segments": document},
        )
    attention = attention._replace(score=built(score="rotary(scaled_dot)")[0].score)
    kind = jnp.float32 if how == "fused" else jnp.float64
    x = normal(1, LENGTH, FEATURES).astype(kind)

    def total(x, **which):
        vectors = self_attention(attention, {**built()[1]}, x, implementation=how, **which).vector
        return jnp.sum(jnp.sin(vectors)), vectors

    slope = jax.grad(total, has_aux=True)
    packed = slope(x, **which)
    alone = [slope(part) for part in np.split(x, np.cumsum(lengths)[:-1])]
    for one, parts in zip(packed, zip(*alone, strict=True), strict=True):
        assert distance(one, np.concatenate(parts)) < (1e-5 if how == "fused" else 1e-10)


@functools.partial(jax.jit, static_argnums=0)
def ask(how, params, x, segments, seen):
    def total(params, x):
        attention, _ = built(score="additive", locality="local_p(3)")
        context = self_attention(
            attention, params, x, segments=segments, seen=seen, implementation=how
        )
        return jnp.sum(context.vector[0]), context.vector

    return jax.grad(total, (0, 1), has_aux=True)(params, x)


@pytest.mark.parametrize("how", ["dense", "blockwise"])
@hypothesis.settings(max_examples=25, deadline=None, derandomize=True)
@hypothesis.given(
    row=hnp.arrays(bool, (LENGTH,)),
    segments=hnp.arrays(np.int64, (LENGTH,), elements=st.integers(0, 2)),
    filler=st.floats(-1e6, 1e6),
)
def test_what_a_query_may_not_see_changes_neither_its_answer_nor_its_gradients(
    how, row, segments, filler
):
    _, params = built(score="additive", locality="local_p(3)")
    x, seen = np.array(normal(1, LENGTH, FEATURES)), np.tile(row, (LENGTH, 1))
    hidden = ~(row & (segments == segments[0]))
    hidden[0] = False  # its own query stays
    other = np.where(hidden[:, None], filler, x)
    (slopes, vectors), (other_slopes, other_vectors) = (
        ask(how, params, x, segments, seen) for x in (x, other)
    )
    np.testing.assert_allclose(vectors[0], other_vectors[0], atol=1e-12)
    for one, another in zip(jax.tree.leaves(slopes), jax.tree.leaves(other_slopes), strict=True):
        np.testing.assert_allclose(one, another, atol=1e-12)
    assert np.all(np.asarray(slopes[1])[hidden] == 0)


@pytest.mark.parametrize("how", HOWS)
def test_a_query_that_may_see_nothing_gets_zeros_and_finite_gradients(how):
    attention, params = built(score="additive")
    nothing = jnp.zeros((LENGTH, LENGTH), bool)

    def vectors(x):
        return self_attention(attention, params, x, seen=nothing, **options(how)).vector

    x = normal(1, LENGTH, FEATURES)
    assert np.all(np.asarray(vectors(x)) == 0)
    assert np.all(np.asarray(jax.grad(lambda x: jnp.sum(vectors(x)))(x)) == 0)


@pytest.mark.parametrize("how", HOWS)
def test_heads_that_share_keys_share_what_may_be_seen(how):
    attention = make_attention(mask="causal")
    params = init_multi_head(attention, jax.random.key(0), Dims(8, 8), heads=4, key_value_heads=2)
    x, seen = normal(1, LENGTH, 8), table()
    together = np.asarray(seen & (SEGMENTS[:, None] == SEGMENTS))
    vectors = multi_head(attention, params, x, segments=SEGMENTS, seen=seen, **options(how)).vector
    memory = remember_heads(attention, params, x, segments=SEGMENTS)
    crossed = multi_head(
        attention, params, x, memory, segments=SEGMENTS, seen=seen, **options(how)
    ).vector
    wanted, _ = reference.multi_head(
        params,
        x,
        range(LENGTH),
        x,
        head_params=[{}, {}],
        score="scaled_dot",
        mask=lambda i, j: j <= i and together[i, j],
    )
    assert distance(vectors, wanted) < 1e-9 and distance(crossed, wanted) < 1e-9


def test_step_by_step_feedback_knows_only_what_was_seen():
    attention, params = built(score="additive", feedback="coverage")
    x, row = normal(1, LENGTH, FEATURES), table()[0]
    seen = attend(attention, params, x[0], 0, remember(attention, params, x, x), seen=row)
    valid = attend(attention, params, x[0], 0, remember(attention, params, x, x, row))
    assert np.all(np.asarray(seen.feedback_state)[~np.asarray(row)] == 0)
    assert distance(seen, valid) < 1e-12


def test_segments_never_become_a_matrix():
    attention = make_attention(mask="causal")

    def temporaries(length):
        x = jax.ShapeDtypeStruct((length, 64), jnp.float32)
        which = jax.ShapeDtypeStruct((length,), jnp.int32)

        def total(x, segments):
            ask = functools.partial(self_attention, attention, {**built()[1]}, x)
            return jnp.sum(ask(segments=segments, implementation="blockwise").vector)

        program = jax.jit(jax.grad(total)).lower(x, which).compile()
        return program.memory_analysis().temp_size_in_bytes

    assert temporaries(8192) <= 4.4 * temporaries(2048)


@pytest.mark.parametrize(
    ("which", "message"),
    [
        ({"seen": jnp.ones((2, 3), bool)}, r"seen must be bool\[3, 3\], but is bool\[2, 3\]"),
        ({"seen": jnp.ones((3, 3))}, r"seen must be bool\[3, 3\], but is float64\[3, 3\]"),
        ({"segments": [0, 1]}, r"segments must have shape \(3,\)"),
        (
            {"segments": [0, 1, 1]},
            "the query has segments but the memory has none; give segments to",
        ),
    ],
)
def test_a_mask_of_data_that_does_not_fit_is_refused(which, message):
    attention, params = built()
    x = jnp.ones((3, FEATURES))
    with pytest.raises(ValueError, match=message) as refusal:
        cross_attention(attention, params, x, remember(attention, params, x, x), **which)
    assert "\n" not in str(refusal.value)


def test_a_memory_with_segments_wants_the_querys():
    attention, params = built()
    x = jnp.ones((3, FEATURES))
    memory = remember(attention, params, x, x, segments=[0, 1, 1])
    with pytest.raises(ValueError, match="the memory has segments but the query has none"):
        attend(attention, params, x[0], 0, memory)
