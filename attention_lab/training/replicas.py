"""Replicas: runs that differ in seeds and hyperparameters, trained as one program with a leading axis S.

    layout = choose(len(seeds))
    step = jax.jit(spread(train_step, layout), donate_argnums=0)
    states = init_states(model, optimizer, seeds, hypers, layout)
    states, metrics = step(states, StackedBatches(batches_of_each_seed)[0])       # metrics: [S]

Replica r has the same result as a single run with its seed and hyperparameters. Code and shapes are shared and
compiled once; seeds, data and `hyper` are arrays.
"""

from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from attention_lab.mechanism.contracts import Array
from attention_lab.models.base import Hyper, Model
from attention_lab.padded import Padded
from attention_lab.training.step import TrainState, init_state

AXIS = "replicas"


class Layout(NamedTuple):
    """The distribution of replicas over devices.

    devices: the number of devices over which the axis is split; each has the same number of replicas. at_once: the
    number of replicas that a device computes as one vectorized program; it computes groups of that size one after
    the other. None: all of them.
    """

    devices: int = 1
    at_once: int | None = None

    def slots(self, replicas: int) -> int:
        """Returns the least multiple of `devices` that is at least `replicas`."""
        return -(-replicas // self.devices) * self.devices

    def width(self, replicas: int) -> int:
        """Returns the number of replicas that are computed at the same time, on all devices together."""
        each = self.slots(replicas) // self.devices
        return self.devices * (each if self.at_once is None else min(self.at_once, each))

    def __str__(self):
        devices = f"{self.devices} device{'s' if self.devices > 1 else ''}"
        how = "all at once" if self.at_once is None else f"{self.at_once} at a time"
        return f"{devices}, {how} on each"


def choose(replicas: int, working: int = 0) -> Layout:
    """Returns the layout for a number of replicas on this kind of device, without measurements.

    working: the bytes that one replica's step requires. An accelerator vectorizes over as many replicas as fit into
    half of its memory. A CPU core does not profit from this: each core computes one replica at a time, and no core
    waits for another (`cores_as_devices`).
    """
    devices = min(jax.local_device_count(), replicas)
    if jax.default_backend() == "cpu":
        return Layout(devices, 1)
    limit = (jax.local_devices()[0].memory_stats() or {}).get("bytes_limit", 0)
    each = -(-replicas // devices)
    fitting = limit // 2 // working if limit and working else each
    return Layout(devices, None if fitting >= each else max(1, fitting))


def cores_as_devices(count: int) -> None:
    """Sets the number of CPU devices in JAX. Raises RuntimeError if JAX has already computed something."""
    jax.config.update("jax_num_cpu_devices", count)


def spread(function: Callable[..., Any], layout: Layout) -> Callable[..., Any]:
    """Maps a function of one replica over the leading axis S of all its arguments and results.

    S must be a multiple of `layout.devices`.
    """
    if layout.at_once is None:
        mapped: Callable[..., Any] = jax.vmap(function)
    else:
        batch_size = None if layout.at_once == 1 else layout.at_once

        def mapped(*args):
            return jax.lax.map(lambda one: function(*one), args, batch_size=batch_size)

    def on_device(*args):
        if len(jax.tree.leaves(args)[0]) > 1:
            return mapped(*args)
        # A single replica needs neither a loop nor a batch axis: the function is called directly.
        return jax.tree.map(lambda x: jnp.asarray(x)[None], function(*take(args, 0)))

    if layout.devices == 1:
        return on_device
    split = PartitionSpec(AXIS)
    return jax.shard_map(
        on_device, mesh=_mesh(layout), in_specs=split, out_specs=split, check_vma=False
    )


def place(states: Any, layout: Layout) -> Any:
    """Places states on the devices of a layout, as `spread` leaves its results; otherwise its second call compiles again.

    On one device the arrays are committed to it, as restored arrays are: XLA's cached programs differ between committed
    and uncommitted arrays, and a resumed run would otherwise compile everything again.
    """
    if layout.devices == 1:
        states = jax.tree.map(jnp.asarray, states)
        return jax.device_put(states, jax.tree.map(lambda x: x.sharding, states))
    return jax.device_put(states, NamedSharding(_mesh(layout), PartitionSpec(AXIS)))


def _mesh(layout: Layout) -> Mesh:
    return jax.make_mesh((layout.devices,), (AXIS,), axis_types=(AxisType.Auto,))


def init_states(
    model: Model,
    optimizer: optax.GradientTransformation,
    seeds: Sequence[int],
    hypers: Sequence[Hyper],
    layout: Layout = Layout(),
) -> TrainState:
    """Returns the `init_state` of each seed and its hyperparameters, stacked [S, ..] and placed on the devices.

    It is one program, since operations on single leaves would compile one program for each shape. The number of seeds
    must be a multiple of `layout.devices`.
    """
    rngs = jnp.stack([jax.random.key(seed) for seed in seeds])
    numbers = {name: np.array([hyper[name] for hyper in hypers], np.float32) for name in hypers[0]}
    return _program(jax.default_backend())(model, optimizer, layout, rngs, numbers)


@cache
def _program(backend):
    # The program is executed once: optimizing it would take longer than what it saves.
    options = {"xla_backend_optimization_level": 0} if backend == "cpu" else None
    return jax.jit(_init_states, static_argnums=(0, 1, 2), compiler_options=options)


def _init_states(model, optimizer, layout, rngs, hypers):
    return spread(partial(init_state, model, optimizer), layout)(rngs, hypers)


class Batches(Protocol):
    """Training batches with random access by number."""

    def __getitem__(self, number: int, /) -> dict[str, Padded]:
        """Returns a batch."""


class StackedBatches:
    """The batches of all replicas, stacked on a leading axis: batch t of each has its own pairs, and all have one shape."""

    def __init__(self, batches: Sequence[Batches]) -> None:
        self.batches = batches

    def __getitem__(self, number: int) -> dict[str, Padded]:
        by_replica = [batches[number] for batches in self.batches]
        return jax.tree.map(lambda *rows: np.stack(rows), *by_replica)


def stack(replicas: Sequence[Any]) -> Any:
    """Stacks trees of one structure along a new leading axis."""
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *replicas)


def take(states: Any, replica: int) -> Any:
    """Returns the tree of one replica: the inverse of `stack`."""
    return jax.tree.map(lambda leaf: leaf[replica], states)


@jax.jit  # as one program, instead of one for each shape
def where(condition: Array, x: Any, y: Any) -> Any:
    """Selects for each replica the leaves of x if its condition [S] is true, else those of y. x, y: trees [S, ..]."""

    def leaf(a, b):
        return jnp.where(jnp.reshape(condition, (-1,) + (1,) * (a.ndim - 1)), a, b)

    return jax.tree.map(leaf, x, y)
