"""Every mechanism agrees with the oracles: eager, jitted and vmapped, in three precisions.

By default a set of cases that between them hold every legal pair of pieces, ways of asking included;
marked slow, the full grid.
"""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from attention_lab.mechanism import blockwise, choose
from attention_lab.mechanism.positions import ENCODINGS
from attention_lab.mechanism.registry import PIECES
from tests import reference
from tests.cases import (
    DIMS,
    FEATURES,
    HOWS,
    Case,
    data,
    distance,
    every_pair,
    ours,
    parameters,
    theirs,
    words,
)

ORACLES = {
    "score": reference.SCORES,
    "normalize": reference.NORMALIZERS,
    "mask": reference.MASKS,
    "bias": reference.BIASES,
    "locality": reference.LOCALITIES,
    "feedback": reference.FEEDBACKS,
    "encoding": reference.ENCODINGS,
}
CASES, REFUSED = every_pair()
# JAX's own kernel, which `fused` calls, keeps its softmax in float32: it is held to float32 only.
IN_DOUBLE = [case for case in CASES if case.request.implementation != "fused"]
DIRECTION = np.random.default_rng(7).normal(size=(len(data()[1]), 3))  # in which a loss is measured
pytestmark = pytest.mark.oldest


@pytest.fixture(autouse=True, scope="module")
def small_tiles():
    """Tiles of 16 by 16, and of 8 by 8 backward, so that 19 positions are several, the last padded."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blockwise, "TILE_NUMBERS", 1)
        patch.setattr(blockwise, "STRIDE", blockwise.Tile(2, 2))
        jax.clear_caches()
        yield
    jax.clear_caches()


@functools.cache
def graded(case):
    """The compiled function (params, inputs) -> gradients of a loss, and what `ours` found."""
    valid = data()[1]

    def loss(params, inputs):
        found = ours(case, params, inputs, valid)
        return jnp.sum(found[0].astype(jnp.float64) * DIRECTION), found

    return jax.jit(jax.grad(loss, (0, 1), has_aux=True))


@pytest.mark.parametrize("kind", ORACLES)
def test_every_piece_has_an_oracle(kind):
    names = {**PIECES, "encoding": ENCODINGS}[kind]
    missing = [name for name in names if name not in ORACLES[kind]]
    assert not missing, f"tests/reference.py has no oracle for {kind} {', '.join(missing)}"


@pytest.mark.parametrize("case", IN_DOUBLE, ids=str)
def test_values_agree_with_the_oracle_eager_and_vmapped(case):
    inputs, valid = data()
    params = parameters(case)

    def run(inputs, valid):
        return ours(case, params, inputs, valid)

    batch = jax.tree.map(lambda x: jnp.stack([x, jnp.flip(x, 0), x]), inputs)
    batched = jax.jit(jax.vmap(run))(batch, jnp.stack([valid, jnp.flip(valid), valid]))
    expected = theirs(case, params, inputs, valid)
    for actual in (run(inputs, valid), jax.tree.map(lambda x: x[0], batched)):
        assert_near(actual, expected, jnp.float64, 1e-9)


@pytest.mark.parametrize("case", IN_DOUBLE, ids=str)
def test_jitted_values_and_gradients_agree_with_the_oracle(case):
    """In float64; gradients against central differences."""
    inputs, valid = data()
    params = parameters(case)
    gradients, found = graded(case)(params, inputs)
    expected = theirs(case, params, inputs, valid)
    assert_near(found, expected, jnp.float64, 1e-9)
    point = {"params": params, "inputs": inputs}
    gradient = dict(zip(point, gradients, strict=True))
    for part in point:
        for seed in range(2):
            slope, size = oracle_slope(case, point, part, valid, seed)
            assert abs(along(gradient[part], point[part], seed) - slope) < 1e-9 * size


@pytest.mark.slow
@pytest.mark.promise
@pytest.mark.parametrize("case", IN_DOUBLE, ids=str)
def test_float32_agrees_with_the_oracle_and_gradients_with_those_of_float64(case):
    inputs, valid = data()
    params = parameters(case)
    gradients, _ = graded(case)(params, inputs)
    rough, found = graded(case)(*jax.tree.map(jnp.float32, (params, inputs)))
    assert_near(found, theirs(case, params, inputs, valid), jnp.float32, 1e-5)
    assert distance(rough, gradients) < 1e-4


@pytest.mark.parametrize("case", CASES, ids=str)
def test_bfloat16_agrees_with_the_oracle(case):
    inputs, valid = data(dtype=jnp.bfloat16)
    params = parameters(case, jnp.bfloat16)
    actual = jax.jit(lambda inputs: ours(case, params, inputs, valid))(inputs)
    assert_near(actual, theirs(case, params, inputs, valid), jnp.bfloat16, 2e-2)


@pytest.mark.parametrize("case", [c for c in CASES if c not in IN_DOUBLE], ids=str)
def test_fused_values_agree_with_the_oracle_and_gradients_with_dense_ones(case):
    inputs, valid = data()
    params = parameters(case)
    fused, found = graded(case)(*jax.tree.map(jnp.float32, (params, inputs)))
    assert_near(found, theirs(case, params, inputs, valid), jnp.float32, 1e-5)
    dense, _ = graded(case._replace(how=case.request.kind + " dense"))(params, inputs)
    assert distance(fused, dense) < 1e-4


def assert_near(actual, expected, dtype, tolerance):
    """(vectors, weights) of this dtype, whose weights, where there are any, are float32 at least."""
    assert actual[0].dtype == dtype
    assert distance(actual[0], expected[0]) < tolerance
    if actual[1] is not None:
        assert actual[1].dtype == jnp.promote_types(dtype, jnp.float32)
        assert distance(actual[1], expected[1]) < tolerance


def unit(tree, seed):
    """A random direction for every leaf, of norm 1 over the tree."""
    rng = np.random.default_rng(seed)
    directions = jax.tree.map(lambda x: rng.normal(size=x.shape), tree)
    norm = np.sqrt(sum(np.sum(x**2) for x in jax.tree.leaves(directions)))
    return jax.tree.map(lambda x: x / max(norm, 1e-30), directions)


def along(gradient, tree, seed):
    parts = jax.tree.map(lambda g, u: np.sum(np.asarray(g) * u), gradient, unit(tree, seed))
    return sum(jax.tree.leaves(parts))


def oracle_slope(case, point, part, valid, seed):
    """(slope, size) of the oracle's loss along a direction, by central differences of fourth order.

    The step shrinks until two of them agree, and no weight has become or ceased to be zero in between:
    away from kinks, and judged by the oracle alone.
    """

    start = jax.tree.map(np.asarray, point[part])
    direction = unit(start, seed)

    def at(step):
        moved = jax.tree.map(lambda x, u: x + step * u, start, direction)
        there = {**point, part: moved}
        vectors, weights = theirs(case, there["params"], there["inputs"], valid)
        return np.sum(vectors * DIRECTION), weights == 0

    last = np.inf
    for step in (5e-4, 1.2e-4, 3e-5, 8e-6):
        values, supports = zip(*(at(k * step) for k in (-2, -1, 1, 2)), strict=True)
        if not all(np.array_equal(supports[0], support) for support in supports):
            continue
        slope = (8 * (values[2] - values[1]) - (values[3] - values[0])) / (12 * step)
        size = max(1.0, abs(slope))
        if abs(slope - last) < 4e-10 * size:
            return slope, size
        last = slope
    raise AssertionError("every step crosses a kink: choose another seed for the data")


@pytest.mark.parametrize("pair", REFUSED, ids=lambda pair: f"{pair[0][1]}-{pair[1][1]}")
def test_an_illegal_pair_says_which_and_why(pair):
    chosen = dict(pair)
    case = Case(**{"how": "self dense", **chosen})
    inputs, valid = data()
    with pytest.raises(ValueError) as raised:
        ours(case, parameters(case), inputs, valid)
    names = [word.partition("(")[0] for kind, word in pair if kind != "how"]
    assert any(name in str(raised.value) for name in names)
    assert "use " in str(raised.value)


@pytest.mark.parametrize("name", ENCODINGS)
def test_encodings_agree_with_the_oracle(name):
    encoding = choose("encoding", name)
    params = encoding.init(jax.random.key(0), DIMS)
    for features in (FEATURES, 5) if name != "learned" else (FEATURES,):
        embedding = np.random.default_rng(0).normal(size=features)
        for i in (0, 1, 17):
            expected = reference.ENCODINGS[name](params, embedding, i)
            assert distance(encoding.encode(params, jnp.asarray(embedding), i), expected) < 1e-9


def test_t5_buckets_agree_with_the_oracle():
    from attention_lab.mechanism.positions import t5_bucket

    for both_ways in (True, False):
        for distance_ in range(-200, 201):
            actual = t5_bucket(distance_, 32, 128, both_ways)
            assert actual == reference.t5_bucket(distance_, 32, 128, both_ways)


@functools.cache
def grid():
    kinds = words(every_rotary=True)
    rows = (Case(*row) for row in itertools.product(*kinds.values()))
    return [case for case in rows if case.legal]


@pytest.mark.slow
@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("score", words(every_rotary=True)["score"])
def test_the_full_grid_agrees_with_the_oracle(score, how):
    # Thousands of mechanisms: interpreted, since compiling each would take a hundred times as long.
    with jax.disable_jit():
        check_all(case for case in grid() if (case.score, case.how) == (score, how))


def check_all(cases):
    (queries, keys, values), valid = data()
    inputs = (queries[:9], keys, values)
    for case in cases:
        params = parameters(case)
        vectors, weights = theirs(case, params, inputs, valid)
        if case.request.implementation == "fused":
            actual = ours(case, *jax.tree.map(jnp.float32, (params, inputs)), valid)
            assert distance(actual[0], vectors) < 1e-5, str(case)
            continue
        actual = ours(case, params, inputs, valid)
        assert distance(actual[0], vectors) < 1e-9, str(case)
        if actual[1] is not None:
            assert distance(actual[1], weights) < 1e-9, str(case)
