"""Ring attention: one sequence over many devices, each of which holds one slice of it (Liu et al. 2023).

    ring = Ring(mesh, "sequence")
    context = self_attention(attention, params, x, ring=ring)    # or cross_attention, multi_head

With n devices, device d keeps its Q/n queries. The slices of keys rotate: after n hops each has visited every
device and is back at its own. A visit is processed tile by tile as in blockwise attention, and the accumulators of
a query (its total and its unscaled sum of values) stay on its device. So the result is that of `blockwise` for any
pair, mask, bias, locality and streaming normalizer, in O((Q + K) / n) memory on each device. In the backward pass
a slice of keys rotates together with the gradient that it has accumulated. Lengths need not be multiples of n;
those that are not are replicated before they are padded and split.

Positions are data. Under a causal mask, device 0 has the least work if slices are contiguous; with rows dealt out
in turn, and their `positions`, the load is nearly equal (Striped Attention, Brandon et al. 2023).
"""

from functools import partial
from typing import Any, NamedTuple

import jax
from jax import lax
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from attention_lab.mechanism import blockwise as tiles
from attention_lab.mechanism.contracts import Array, Params


class Ring(NamedTuple):
    """The devices along one axis of a mesh; jax.vmap(.., spmd_axis_name=) splits a batch over another axis."""

    mesh: Mesh
    axis: str = "sequence"


def ring_attention(
    ring: Ring, problem: tiles.Problem, params: Params, queries: Any, memory: Any
) -> Array:
    """Computes `blockwise` on a ring, where each device computes the context vectors of its slice of the queries.

    Shapes are those of `blockwise`: Q and K need not be multiples of the number of devices. Gradients are
    reverse-mode only. Raises ValueError if the mesh has no such axis, or has one that is not AxisType.Auto.
    """
    types = dict(zip(ring.mesh.axis_names, ring.mesh.axis_types, strict=True))
    if ring.axis not in types or {*types.values()} != {AxisType.Auto}:
        axes = ", ".join(f"{axis} ({kind.name})" for axis, kind in types.items())
        raise ValueError(
            f"a ring needs an axis {ring.axis!r} of AxisType.Auto, but the mesh has {axes}; create it with "
            "jax.make_mesh(.., axis_types=(AxisType.Auto,))"
        )
    split = PartitionSpec(ring.axis)
    sharded = jax.shard_map(
        partial(slice_by_slice, ring.axis, problem),
        mesh=ring.mesh,
        in_specs=(PartitionSpec(), split, split),
        out_specs=split,
        check_vma=False,
    )
    vectors = sharded(params, _divided(ring, queries), _divided(ring, memory))
    return vectors[: len(queries.position)]


def _divided(ring, rows):
    """Returns the rows, padded to equally many per device; rows that need padding are replicated first.

    XLA would split them unevenly, and then abort the process over the gradient of a gather (jax 0.10.2,
    `location`).
    """
    whole = NamedSharding(ring.mesh, PartitionSpec())

    def divided(x):
        if len(x) % ring.mesh.shape[ring.axis] == 0:
            return x
        return tiles.pad(lax.with_sharding_constraint(x, whole), ring.mesh.shape[ring.axis])

    return jax.tree.map(divided, rows)


def slice_by_slice(
    axis: str, problem: tiles.Problem, params: Params, queries: Any, memory: Any
) -> Array:
    """Returns the context vectors [Q/n, D] of one device's queries and the memory of all devices along the axis.

    To be called within `jax.shard_map(..., check_vma=False)`; `memory` is this device's slice [K/n].
    """
    # A slice may be shorter than a tile of the whole sequence.
    longest = tiles.Tile(len(queries.position), len(memory.positions))
    problem = problem._replace(tile=tiles.Tile(*map(min, problem.tile, longest)))
    return tiles.in_tiles(partial(_ring, axis), problem, params, queries, memory)


@partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def _ring(axis, problem, smooth, fixed):
    return _forward(axis, problem, smooth, fixed)[0]


def _forward(axis, problem, smooth, fixed):
    params, queries, keys = tiles.combine(smooth, fixed)

    def process_keys(so_far, keys):
        one_tile = partial(tiles.process_keys, problem, params)
        return lax.map(lambda tile: one_tile(tile[0], keys, tile[1]), (queries, so_far))

    def hop(so_far_and_keys, _):
        so_far, keys = so_far_and_keys
        # The keys are sent before they are used, so that communication and computation can overlap.
        return (process_keys(so_far, keys), _pass_on(axis, keys)), None

    nothing = lax.map(lambda query: tiles.start(problem, params, query, keys), queries)
    (so_far, _), _ = lax.scan(hop, (nothing, keys), length=lax.axis_size(axis))
    vectors, statistic = lax.map(partial(tiles.finish, problem), so_far)
    return vectors, (smooth, fixed, vectors, statistic)


def _backward(axis, problem, residuals, cotangents):
    params, queries, keys, so_far = tiles.backward_setup(problem, residuals, cotangents)

    def hop(so_far_and_keys, _):
        so_far, keys, d_keys = so_far_and_keys
        so_far, more = tiles.backward(problem, params, queries, keys, so_far)
        return (so_far, *_pass_on(axis, (keys, tiles.add(d_keys, more)))), None

    start = (so_far, keys, tiles.zeros(keys[0]))
    ((d_params, d_queries), _, d_keys), _ = lax.scan(hop, start, length=lax.axis_size(axis))
    return tiles.gradients((d_params, d_queries, d_keys), residuals[0]), None


_ring.defvjp(_forward, _backward)


def _pass_on(axis, tree):
    """Sends the arrays of each device to the next one of the ring."""
    devices = lax.axis_size(axis)
    to_next = [(d, (d + 1) % devices) for d in range(devices)]
    return jax.tree.map(lambda x: lax.ppermute(x, axis, to_next), tree)
