"""Collective operations of processes that train one run together (`jax.distributed`).

Each process computes with its own devices and reads its own rows; the first one writes files and prints. If there is
only one process, these functions have no effect.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import NamedSharding, PartitionSpec


def is_first() -> bool:
    """Returns whether this is the first process, which writes files and prints."""
    return jax.process_index() == 0


def barrier(name: str) -> None:
    """Waits until every process has reached the barrier of this name."""
    if jax.process_count() > 1:
        multihost_utils.sync_global_devices(name)


def any_process(flag: bool) -> bool:
    """Returns whether the flag is set on any process. A collective: every process must call it."""
    if jax.process_count() == 1:
        return flag
    return bool(np.any(multihost_utils.process_allgather(np.array(flag))))


def from_first(numbers: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the numbers or arrays of the first process, in float64. A collective: every process must call it.

    Decisions that depend on them are the same on all processes, although rounding, or the view of a network disk, may
    differ; otherwise some processes might not take part in a collective save.
    """
    if jax.process_count() == 1:
        return dict(numbers)
    arrays = {name: np.asarray(value, np.float64) for name, value in numbers.items()}
    # JAX would round float64 to float32: the bits are broadcast as integers.
    bits = {name: array.reshape(-1).view(np.uint32) for name, array in arrays.items()}
    received = multihost_utils.broadcast_one_to_all(bits)
    return {
        name: np.asarray(received[name]).view(np.float64).reshape(array.shape)
        for name, array in arrays.items()
    }


@contextmanager
def all_or_none() -> Iterator[None]:
    """At its end, raises ValueError on every process if the body raised an exception on another one. A collective."""
    try:
        yield
    except Exception:
        any_process(True)
        raise
    if any_process(False):
        raise ValueError("another process failed, and reports the reason")


def shutdown() -> None:
    """Disconnects from the other processes, after which each one computes by itself."""
    if jax.process_count() > 1:
        jax.distributed.shutdown()


def gather(tree: Any) -> Any:
    """Replicates arrays that are sharded over many processes, so that each can compute with them. A collective."""
    if jax.process_count() == 1:
        return tree
    replicated = jax.tree.map(lambda x: NamedSharding(x.sharding.mesh, PartitionSpec()), tree)
    gathered = jax.jit(lambda tree: tree, out_shardings=replicated)(tree)
    return jax.tree.map(lambda x: x.addressable_data(0), gathered)
