"""One run on many devices: the shardings of its state and batches, from which XLA derives the communication.

    mesh = make_mesh(Devices(data=4, heads=2, shard_state=True))
    state = place(state, mesh)
    batches = Split(batches, mesh)
    state, metrics = jax.jit(train_step)(state, batches[0])

The mesh has two axes. The rows of a batch are split over "data", and optionally the state too (fully sharded data
parallelism: Rajbhandari et al. 2020); attention heads and hidden features are split over "heads" (tensor parallelism:
Shoeybi et al. 2019). With either axis the update is the same, to rounding.
"""

import re
from typing import Any, NamedTuple, Protocol

import jax
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from attention_lab.padded import Padded

DATA, HEADS = "data", "heads"
# The axis of heads, key-value heads or hidden features of a parameter, by the end of its path.
SPLIT_BY_HEAD = (
    (re.compile(r"heads/(W_[QKV]|b_[QV]|attention/.*)$"), 0),
    (re.compile(r"heads/W_O$"), 1),
    (re.compile(r"feed/W_[13]/kernel$"), 1),
    (re.compile(r"feed/W_[13]/bias$"), 0),
    (re.compile(r"feed/W_2/kernel$"), 0),
)


class Devices(NamedTuple):
    """The number of devices along each axis, and whether the state is split over "data" too.

    data: None for all available devices, divided by `heads`.
    """

    data: int | None = None
    heads: int = 1
    shard_state: bool = False


def make_mesh(devices: Devices) -> Mesh:
    """Returns the mesh ("data", "heads") of the first devices. Raises ValueError if there are too few devices."""
    available = jax.device_count()
    data = max(1, available // devices.heads) if devices.data is None else devices.data
    if data * devices.heads > available:
        raise ValueError(
            f"{data} x {devices.heads} devices (data x heads) were requested, but there are {available}"
        )
    chosen = np.array(jax.devices()[: data * devices.heads]).reshape(data, devices.heads)
    return Mesh(chosen, (DATA, HEADS), axis_types=(AxisType.Auto, AxisType.Auto))


def shardings(state: Any, mesh: Mesh, shard_state: bool = False, leading: int = 0) -> Any:
    """Returns the sharding of each array of a state, by its path and shape: a tree of NamedSharding.

    shard_state: whether an array is split over "data" along its longest axis that is divisible by the number of
    devices there; arrays without such an axis are replicated. leading: the number of axes before a parameter's own,
    such as that of replicas. Raises ValueError if the number of heads or hidden features is not divisible by that of
    devices, or if the model has neither.
    """
    names = [
        jax.tree_util.keystr(path, simple=True, separator="/")
        for path, _ in jax.tree_util.tree_leaves_with_path(state)
    ]
    if mesh.shape[HEADS] > 1 and not any(p.search(n) for p, _ in SPLIT_BY_HEAD for n in names):
        raise ValueError(
            f"devices.heads is {mesh.shape[HEADS]}, but this model has no heads and no hidden features of a Transformer "
            "that devices could share, and each would compute the whole model; set devices.heads to 1"
        )

    def sharding(path, leaf):
        spec: list[str | None] = [None] * leaf.ndim
        name = jax.tree_util.keystr(path, simple=True, separator="/")
        empty = leaf.shape[leading:] == (1,)  # a moment that Adafactor does not keep
        for pattern, axis in SPLIT_BY_HEAD if mesh.shape[HEADS] > 1 and not empty else ():
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
    """Places a state with its `shardings` on the devices. Every process must pass the same state."""

    def put(leaf, sharding):
        if jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key):
            return jax.random.wrap_key_data(put(jax.random.key_data(leaf), sharding))
        return jax.make_array_from_callback(leaf.shape, sharding, np.asarray(leaf).__getitem__)

    return jax.tree.map(put, state, shardings(state, mesh, shard_state, leading))


class Batches(Protocol):
    """Training batches with random access by number."""

    def __getitem__(self, number: int, /) -> dict[str, Padded]:
        """Returns a batch."""


class Split:
    """Batches whose rows are split over "data", with rows of padding so that they are divisible.

    leading: the number of axes before that of rows, such as that of replicas. Each process transfers only the rows of
    its own devices.
    """

    def __init__(self, batches: Batches, mesh: Mesh, leading: int = 0) -> None:
        self.batches, self.mesh, self.leading = batches, mesh, leading
        self.sharding = NamedSharding(mesh, PartitionSpec(*[None] * leading, DATA))

    def __getitem__(self, number: int) -> dict[str, Any]:
        return jax.tree.map(self._split, self.batches[number])

    def _split(self, rows):
        padding = [(0, 0)] * rows.ndim
        padding[self.leading] = (0, -rows.shape[self.leading] % self.mesh.shape[DATA])
        rows = np.pad(rows, padding)
        return jax.make_array_from_callback(rows.shape, self.sharding, rows.__getitem__)
