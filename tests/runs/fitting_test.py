"""Where the one trainer puts batches."""

from pathlib import Path

import jax
import numpy as np

from attention_lab.runs.fitting import Group, _transfer
from attention_lab.training.mesh import Devices, make_mesh
from attention_lab.training.replicas import Layout


def test_batches_are_transferred_ahead_to_a_device_that_needs_all_of_them():
    """Where devices share a batch, it is split when it is used: a copy on one of them would be moved again."""
    batch = {"source": np.arange(3)}
    alone = Group((), Path())
    transferred = _transfer(alone)(batch)["source"]
    assert isinstance(transferred, jax.Array) and transferred.tolist() == [0, 1, 2]
    several = alone._replace(layout=Layout(2))
    split = alone._replace(devices=make_mesh(Devices(2)))
    for group in (several, split):
        assert _transfer(group)(batch) is batch
