"""One run on many devices: where its state and batches lie. What is computed is written nowhere: XLA derives it.

    mesh = make_mesh(Devices(data=4, heads=2, shard_state=True))
    state = place(state, mesh)
    batches = Split(batches, mesh)
    state, metrics = jax.jit(train_step)(state, batches[0])

The mesh has two axes. Over "data" the rows of a batch are split, and the state too where that is asked for
(fully sharded: Rajbhandari et al. 2020); over "heads" what belongs to attention heads or hidden features
(tensor parallel: Shoeybi et al. 2019). With either axis the update is the same to rounding.
"""

import re
from typing import Any, NamedTuple, Protocol

import jax
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from attention_lab.padded import Padded

DATA, HEADS = "data", "heads"
# Which axis of a parameter counts heads, key-value heads or hidden features, by the end of its path.
SPLIT_BY_HEAD = (
    (re.compile(r"heads/(W_[QKV]|attention/.*)$"), 0),
    (re.compile(r"heads/W_O$"), 1),
    (re.compile(r"feed/W_[13]/kernel$"), 1),
    (re.compile(r"feed/W_[13]/bias$"), 0),
    (re.compile(r"feed/W_2/kernel$"), 0),
)


class Devices(NamedTuple):
    """How many devices there are along each axis, and whether the state is split over "data" too.

    data: None for all that "heads" leaves over.
    """

    data: int | None = None
    heads: int = 1
    shard_state: bool = False


def make_mesh(devices: Devices) -> Mesh:
    """The mesh ("data", "heads") of the first devices. Raises ValueError where there are not so many."""
    available = jax.device_count()
    data = max(1, available // devices.heads) if devices.data is None else devices.data
    if data * devices.heads > available:
        raise ValueError(
            f"{data} x {devices.heads} devices (data x heads) are asked for, and there are {available}"
        )
    chosen = np.array(jax.devices()[: data * devices.heads]).reshape(data, devices.heads)
    return Mesh(chosen, (DATA, HEADS), axis_types=(AxisType.Auto, AxisType.Auto))


def shardings(state: Any, mesh: Mesh, shard_state: bool = False, leading: int = 0) -> Any:
    """Where each array of a state lies, by its path and shape: a tree of NamedSharding.

    shard_state: what has an axis that the devices along "data" divide is split along the longest such; else
    each of them holds all of it. leading: axes before a parameter's own, such as that of replicas. Raises ValueError
    where heads or hidden features do not divide, or there are none.
    """
    names = [
        jax.tree_util.keystr(path, simple=True, separator="/")
        for path, _ in jax.tree_util.tree_leaves_with_path(state)
    ]
    if mesh.shape[HEADS] > 1 and not any(p.search(n) for p, _ in SPLIT_BY_HEAD for n in names):
        raise ValueError(
            f"devices.heads is {mesh.shape[HEADS]}, but this model has no heads and no hidden features of a Transformer "
            "that devices could share: each would compute all of it; set devices.heads to 1"
        )

    def sharding(path, leaf):
        spec: list[str | None] = [None] * leaf.ndim
        name = jax.tree_util.keystr(path, simple=True, separator="/")
        for pattern, axis in SPLIT_BY_HEAD if mesh.shape[HEADS] > 1 else ():
            axis = axis + leading
            if pattern.search(name) and leaf.ndim > axis:
                if leaf.shape[axis] % mesh.shape[HEADS]:
                    raise ValueError(
                        f"{name} has {leaf.shape[axis]} heads or features, which {mesh.shape[HEADS]} devices "
                        "cannot share evenly; choose another devices.heads"
                    )
                spec[axis] = HEADS
                break
        free = [
            axis
            for axis in range(leading, leaf.ndim)
            if spec[axis] is None and leaf.shape[axis] % mesh.shape[DATA] == 0
        ]
        if shard_state and free:
            spec[max(free, key=lambda axis: leaf.shape[axis])] = DATA
        return NamedSharding(mesh, PartitionSpec(*spec))

    return jax.tree_util.tree_map_with_path(sharding, state)


def place(state: Any, mesh: Mesh, shard_state: bool = False, leading: int = 0) -> Any:
    """The state, where `shardings` says. Of several processes, each has to have the same one."""

    def put(leaf, sharding):
        if jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key):
            return jax.random.wrap_key_data(put(jax.random.key_data(leaf), sharding))
        return jax.make_array_from_callback(leaf.shape, sharding, np.asarray(leaf).__getitem__)

    return jax.tree.map(put, state, shardings(state, mesh, shard_state, leading))


class Batches(Protocol):
    """Batch number t, for any t."""

    def __getitem__(self, number: int, /) -> dict[str, Padded]:
        """The batch."""


class Split:
    """The same batches, their rows split over "data"; rows of padding make them divide.

    leading: axes before that of rows, such as that of replicas.

    Each process hands over only what its own devices hold.
    """

    def __init__(self, batches: Batches, mesh: Mesh, leading: int = 0) -> None:
        self.batches, self.mesh, self.leading = batches, mesh, leading
        self.sharding = NamedSharding(mesh, PartitionSpec(*[None] * leading, DATA))

    def __getitem__(self, number: int) -> dict[str, Any]:
        return jax.tree.map(self._split, self.batches[number])

    def _split(self, rows):
        more = [(0, 0)] * rows.ndim
        more[self.leading] = (0, -rows.shape[self.leading] % self.mesh.shape[DATA])
        rows = np.pad(rows, more)
        return jax.make_array_from_callback(rows.shape, self.sharding, rows.__getitem__)
