"""Replicas: seeds and numbers of one run, trained together as a leading axis S of the whole state.

    layout = choose(len(seeds))
    step = jax.jit(spread(train_step, layout), donate_argnums=0)
    states = init_states(model, optimizer, seeds, hypers, layout)
    states, metrics = step(states, StackedBatches(batches_of_each_seed)[0])       # metrics: [S]

Replica r is what the same seed and numbers give alone. What is the same for all, code and shapes, is
compiled once; whatever may differ, seeds, data and `hyper`, is an array.
"""

from collections.abc import Callable, Sequence
from functools import partial
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
    """How replicas share the machine.

    devices: over so many the axis is split; each has equally many replicas. at_once: how many of its own a
    device computes side by side, as one wide program, wave after wave; None: all of them.
    """

    devices: int = 1
    at_once: int | None = None

    def slots(self, replicas: int) -> int:
        """The least multiple of `devices` that holds so many."""
        return -(-replicas // self.devices) * self.devices

    def width(self, replicas: int) -> int:
        """How many are computed at the same time, on all devices together."""
        each = self.slots(replicas) // self.devices
        return self.devices * (each if self.at_once is None else min(self.at_once, each))

    def __str__(self):
        devices = f"{self.devices} device{'s' if self.devices > 1 else ''}"
        how = "all at once" if self.at_once is None else f"{self.at_once} at a time"
        return f"{devices}, {how} on each"


def choose(replicas: int, working: int = 0) -> Layout:
    """The layout for a machine of this kind; nothing is measured. working: bytes that one replica's step needs.

    An accelerator has room for wide programs, as wide as half of its memory allows. A core of a CPU has
    none: there, one replica per core at a time leaves no core waiting for another (`cores_as_devices`).
    """
    devices = min(jax.local_device_count(), replicas)
    if jax.default_backend() == "cpu":
        return Layout(devices, 1)
    limit = (jax.local_devices()[0].memory_stats() or {}).get("bytes_limit", 0)
    each = -(-replicas // devices)
    fitting = limit // 2 // working if limit and working else each
    return Layout(devices, None if fitting >= each else max(1, fitting))


def cores_as_devices(count: int) -> None:
    """Makes JAX see so many CPU devices. Raises RuntimeError once JAX has computed anything."""
    jax.config.update("jax_num_cpu_devices", count)


def spread(function: Callable[..., Any], layout: Layout) -> Callable[..., Any]:
    """The function of one replica as one of S, all of whose arguments and results have the axis S first.

    S must be a multiple of `layout.devices`.
    """
    if layout.at_once is None:
        mapped: Callable[..., Any] = jax.vmap(function)
    else:
        waves = None if layout.at_once == 1 else layout.at_once

        def mapped(*all_):
            return jax.lax.map(lambda one: function(*one), all_, batch_size=waves)

    def inside(*all_):
        if len(jax.tree.leaves(all_)[0]) > 1:
            return mapped(*all_)
        # One replica is the function itself, with neither a loop nor a wider program around it.
        return jax.tree.map(lambda x: jnp.asarray(x)[None], function(*take(all_, 0)))

    if layout.devices == 1:
        return inside
    split = PartitionSpec(AXIS)
    return jax.shard_map(
        inside, mesh=_mesh(layout), in_specs=split, out_specs=split, check_vma=False
    )


def place(states: Any, layout: Layout) -> Any:
    """The states on their devices, where `spread` leaves them: otherwise its second call compiles again.

    One device is made their own (`committed`), as it is of states that come from a checkpoint: to XLA these are other
    programs than those of states that might be anywhere, and a run that goes on would compile everything again.
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
    """The states before the first update, of which each is `init_state`'s of its seed and numbers, in their places.

    As one program: done leaf by leaf, there are as many to compile as there are shapes. The number of seeds must be
    a multiple of `layout.devices`.
    """
    rngs = jnp.stack([jax.random.key(seed) for seed in seeds])
    numbers = {name: np.array([hyper[name] for hyper in hypers], np.float32) for name in hypers[0]}
    return _init_states(model, optimizer, layout, rngs, numbers)


@partial(jax.jit, static_argnums=(0, 1, 2))
def _init_states(model, optimizer, layout, rngs, hypers):
    return spread(partial(init_state, model, optimizer), layout)(rngs, hypers)


class Batches(Protocol):
    """Batch number t, for any t."""

    def __getitem__(self, number: int, /) -> dict[str, Padded]:
        """The batch."""


class StackedBatches:
    """Batch t of every replica, side by side: each its own pairs, all of one shape."""

    def __init__(self, batches: Sequence[Batches]) -> None:
        self.batches = batches

    def __getitem__(self, number: int) -> dict[str, Padded]:
        each = [batches[number] for batches in self.batches]
        return jax.tree.map(lambda *rows: np.stack(rows), *each)


def stack(replicas: Sequence[Any]) -> Any:
    """Trees of one structure as one, with a leading axis."""
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *replicas)


def take(states: Any, replica: int) -> Any:
    """One of what `stack` has put together."""
    return jax.tree.map(lambda leaf: leaf[replica], states)


@jax.jit  # else there is a program to compile for each shape
def where(chosen: Array, these: Any, those: Any) -> Any:
    """Replica by replica: these where chosen [S], else those."""

    def leaf(a, b):
        return jnp.where(jnp.reshape(chosen, (-1,) + (1,) * (a.ndim - 1)), a, b)

    return jax.tree.map(leaf, these, those)
