"""Several processes that train one run together (`jax.distributed`): who writes, and what they agree on.

Each process computes with its own devices and reads its own rows; one of them, the first, writes files and speaks.
Where there is but one process, nothing here does anything.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import NamedSharding, PartitionSpec


def is_first() -> bool:
    """Whether this is the process that writes and speaks."""
    return jax.process_index() == 0


def barrier(where: str) -> None:
    """Waits until every process has come to this place."""
    if jax.process_count() > 1:
        multihost_utils.sync_global_devices(where)


def any_process(flag: bool) -> bool:
    """Whether any process asks; all have to be asked at the same place."""
    if jax.process_count() == 1:
        return flag
    return bool(np.any(multihost_utils.process_allgather(np.array(flag))))


def from_first(numbers: Mapping[str, Any]) -> dict[str, Any]:
    """The numbers, or arrays of them, that the first process has, in float64. A collective: every process must call it.

    What is decided by them is decided alike, whatever rounding, or a disk that is slow to show a file, did elsewhere:
    of processes that save together none may stay away.
    """
    if jax.process_count() == 1:
        return dict(numbers)
    arrays = {name: np.asarray(value, np.float64) for name, value in numbers.items()}
    # JAX would round them to float32: what is sent are their bits.
    bits = {name: array.reshape(-1).view(np.uint32) for name, array in arrays.items()}
    sent = multihost_utils.broadcast_one_to_all(bits)
    return {
        name: np.asarray(sent[name]).view(np.float64).reshape(a.shape) for name, a in arrays.items()
    }


@contextmanager
def or_none() -> Iterator[None]:
    """What is done within is done by all processes or by none. Raises ValueError where another one could not."""
    try:
        yield
    except Exception:
        any_process(True)
        raise
    if any_process(False):
        raise ValueError("another of the processes cannot go on, and says why")


def shutdown() -> None:
    """Leaves the other processes; what follows, each does by itself."""
    if jax.process_count() > 1:
        jax.distributed.shutdown()


def gather(tree: Any) -> Any:
    """Arrays that lie on the devices of many processes, whole on each, for who computes with them by itself."""
    if jax.process_count() == 1:
        return tree
    everywhere = jax.tree.map(lambda x: NamedSharding(x.sharding.mesh, PartitionSpec()), tree)
    gathered = jax.jit(lambda tree: tree, out_shardings=everywhere)(tree)
    return jax.tree.map(lambda x: x.addressable_data(0), gathered)
