"""Ring attention is dense attention: however many devices share the sequence, and holding no more than a share."""

import functools
import json
import pathlib
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from attention_lab.mechanism import (
    SCORES,
    Dims,
    Ring,
    blockwise,
    cross_attention,
    init_attention,
    init_multi_head,
    make_attention,
    multi_head,
    remember,
    self_attention,
)
from attention_lab.mechanism.parallel import attend_all
from tests.cases import distance

pytestmark = pytest.mark.oldest

ROOT = pathlib.Path(__file__).parents[2]
QUERIES, KEYS, FEATURES, DEVICES = 35, 37, 4, 2
# A score, and beside it everything else that tiles can do.
CASES = {
    "dot": {"mask": "causal", "bias": "shaw(3)", "locality": "local_p(9)"},
    "scaled_dot": {"mask": "causal", "bias": "alibi"},
    "general": {"mask": "both(causal, window(7))", "normalize": "sigmoid"},
    "additive": {"mask": "causal", "bias": "shaw(3)"},
    "concat": {"locality": "local_p(9)", "normalize": "sigmoid"},
    "location": {"mask": "prefix(20)", "bias": "t5(buckets=8, max_distance=12)"},
    "cosine": {"locality": "local_m(9)", "bias": "alibi"},
    "distance": {"mask": "causal", "locality": "local_m(9)"},
}


@pytest.fixture(autouse=True)
def tiles_of_8(monkeypatch):
    """So that a device has several, the last of them in part padding."""
    monkeypatch.setattr(blockwise, "TILE_NUMBERS", 1)


def ring_of(devices, *more):
    """Devices that share the sequence; more: the names and sizes of other axes of the mesh."""
    names, sizes = ("sequence", *more[::2]), (devices, *more[1::2])
    types = (AxisType.Auto,) * len(names)
    chosen = jax.devices()[: int(np.prod(sizes))]
    return Ring(jax.make_mesh(sizes, names, axis_types=types, devices=chosen))


def normal(seed, *shape):
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape))


@functools.cache
def answers(score, devices, dtype=jnp.float64):
    """(vectors, gradients of parameters, queries, keys and values); without devices, dense.

    Some keys are padding, and rows stand in no order: the sequence is dealt out.
    """
    attention = make_attention(score=score, **CASES[score])
    dims = Dims(FEATURES, FEATURES, 6, positions=KEYS)
    params = init_attention(attention, jax.random.key(0), dims)
    inputs = (normal(0, QUERIES, FEATURES), normal(1, KEYS, FEATURES), normal(2, KEYS, 3))
    valid = ~np.isin(np.arange(KEYS), (5, 20, 36))
    order = np.random.default_rng(3).permutation(KEYS)
    how = {"implementation": "dense"} if devices is None else {"ring": ring_of(devices)}

    def vectors(params, queries, keys, values):
        memory = remember(attention, params, keys, values, valid, order)
        places = order[:QUERIES]
        return attend_all(
            "self", attention, params, queries, memory, positions=places, **how
        ).vector

    @jax.jit
    def both(*arguments):
        out, pull = jax.vjp(vectors, *arguments)
        return out, pull(normal(4, QUERIES, 3).astype(out.dtype))

    return both(*jax.tree.map(lambda x: x.astype(dtype), (params, *inputs)))


def errors(score, devices, dtype=jnp.float64):
    """How far outputs are from dense's, and each of the gradients by itself."""
    found, wanted = answers(score, devices, dtype), answers(score, None, dtype)
    pairs = zip((found[0], *found[1]), (wanted[0], *wanted[1]), strict=True)
    return [float(distance(*pair)) for pair in pairs if jax.tree.leaves(pair)]


def test_every_score_is_tried():
    assert {*SCORES} == {*CASES}


@pytest.mark.parametrize("score", CASES)
def test_outputs_and_gradients_are_those_of_dense(score):
    assert max(errors(score, DEVICES)) < 1e-10


def test_also_in_single_precision_and_on_one_device():
    assert max(errors("scaled_dot", 1, jnp.float32)) < 1e-5


def layer(words, batch, ring, spread):
    """A layer of four heads that share two sets of keys, for a batch with different padding, and its gradients."""
    attention = make_attention(**words)
    params = init_multi_head(
        attention, jax.random.key(0), Dims(8, 8), heads=4, key_value_heads=2, value_features=3
    )
    x = normal(0, batch, 13, 8)
    lengths = np.arange(batch) % 7 + 7
    valid = np.arange(13) < lengths[:, None]
    how = {"implementation": "dense"} if ring is None else {"ring": ring}

    def total(params, x):
        one = lambda x, valid: multi_head(attention, params, x, valid=valid, **how).vector  # noqa: E731
        vectors = jax.vmap(one, spmd_axis_name=spread)(x, valid)
        return jnp.sum(vectors * normal(1, *x.shape)), vectors

    return jax.jit(jax.value_and_grad(total, (0, 1), has_aux=True))(params, x)


WORDS = {"score": "rotary(additive)", "mask": "causal", "bias": "alibi"}


def test_heads_and_a_batch_are_mapped_outside():
    assert distance(layer(WORDS, 3, ring_of(DEVICES), None), layer(WORDS, 3, None, None)) < 1e-10


def test_no_device_ever_holds_all_keys_and_a_forbidden_tile_is_skipped():
    ring = ring_of(DEVICES)
    attention = make_attention(score="dot", mask="causal")
    x = jax.device_put(normal(0, 64, 8), NamedSharding(ring.mesh, PartitionSpec("sequence")))

    @jax.jit
    def ask(values, x):
        memory = remember(attention, PARAMS, x, x)._replace(values=values)
        return attend_all("self", attention, PARAMS, x, memory, ring=ring).vector

    program = ask.lower(x, x).compile().as_text()
    assert "collective-permute" in program and "all-gather" not in program
    # A weight of zero times NaN is NaN: only a tile that is skipped can hide it.
    vectors = np.asarray(ask(x.at[32:].set(jnp.nan), x))
    assert np.isfinite(vectors[:32]).all() and np.isnan(vectors[32:]).all()


PARAMS = init_attention(make_attention(), jax.random.key(0), Dims(8, 8))


@pytest.mark.parametrize(
    ("words", "options", "message"),
    [
        ({"normalize": "sparsemax"}, {}, "sparsemax needs the whole row of scores, but blockwise"),
        ({"bias": "alibi"}, {}, "bias alibi depends on j − i"),
        ({}, {"weights": True}, "only dense computes"),
        ({}, {"rng": 0}, "only dense supports dropout"),
        ({}, {"implementation": "dense"}, "only blockwise supports a ring of devices"),
    ],
)
def test_what_blockwise_refuses_a_ring_refuses(words, options, message):
    attention, x = make_attention(**words), jnp.ones((3, 8))
    memory = remember(attention, PARAMS, x, x)
    with pytest.raises(ValueError, match=message) as refusal:
        cross_attention(attention, PARAMS, x, memory, ring=ring_of(DEVICES), **options)
    assert "\n" not in str(refusal.value)


def test_a_mesh_that_no_ring_goes_around_is_reported():
    typed = jax.make_mesh((2,), ("sequence",), axis_types=(AxisType.Explicit,))
    for ring in (Ring(typed), ring_of(DEVICES)._replace(axis="heads")):
        with pytest.raises(ValueError, match=r"a ring needs an axis '(sequence|heads)' of Ax"):
            self_attention(make_attention(), PARAMS, jnp.ones((3, 8)), ring=ring)


# --- Eight devices --------------------------------------------------------------------------------------------


def found_with_eight_devices():
    """What the test below wants to know, by name."""
    blockwise.TILE_NUMBERS = 1
    found = {f"{score} {n}": max(errors(score, n)) for score in CASES for n in range(1, 9)}
    layers = layer(WORDS, 4, ring_of(4, "data", 2), "data"), layer(WORDS, 4, None, None)
    found["a batch over one axis, the sequence over the other"] = distance(*layers)
    return found


@pytest.mark.slow
def test_any_number_of_devices_up_to_eight_finds_what_dense_finds():
    found = eight("print(json.dumps(here.found_with_eight_devices()))")
    assert len(found) == 8 * len(CASES) + 1 and max(found.values()) < 1e-10, found


def layer_of_8192_positions(devices):
    """(MiB of temporaries on each device, whether it holds anything whole), for a layer's gradients."""
    ring, attention = ring_of(devices), make_attention(score="additive", mask="causal")
    split = NamedSharding(ring.mesh, PartitionSpec("sequence"))
    params = init_multi_head(
        attention, jax.random.key(0), Dims(256, 256), heads=4, key_value_heads=2
    )
    params = jax.tree.map(lambda x: x.astype(jnp.float32), params)
    x = jax.ShapeDtypeStruct((8192, 256), jnp.float32, sharding=split)

    def total(params, x):
        return jnp.sum(multi_head(attention, params, x, ring=ring).vector ** 2)

    gradient = jax.jit(jax.grad(total, (0, 1)), out_shardings=(None, split))
    program = gradient.lower(params, x).compile()
    temporaries = program.memory_analysis().temp_size_in_bytes / 2**20
    return temporaries, "all-gather" in program.as_text()


@pytest.mark.slow
def test_eight_devices_hold_less_than_a_third_each_and_nothing_whole():
    (one, _), (each, gathered) = eight(
        "print(json.dumps([here.layer_of_8192_positions(n) for n in (1, 8)]))"
    )
    assert each < one / 3 and not gathered


def eight(statement):
    """What a statement prints, in a process that has eight devices."""
    code = (
        "import json, jax; jax.config.update('jax_num_cpu_devices', 8); "
        "jax.config.update('jax_enable_x64', True); import tests.mechanism.ring_test as here; "
    )
    result = subprocess.run(
        [sys.executable, "-c", code + statement], capture_output=True, text=True, cwd=ROOT
    )
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)
