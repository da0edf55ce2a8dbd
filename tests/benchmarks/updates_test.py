"""Updates for timing: every seed trains on its own batches, in whatever layout."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from attention_lab.benchmarks import updates
from attention_lab.models import Model
from attention_lab.training import replicas
from attention_lab.training.replicas import Layout


class Batches:
    """Batch t of a seed is the number 10 · seed + t."""

    def __init__(self, seed):
        self.seed = seed

    def __getitem__(self, number):
        return {"x": np.asarray(10.0 * self.seed + number)}


def step(state, batch):
    return state._replace(params=state.params + batch["x"]), {}


def updates_of(*seeds):
    model = Model("number", lambda rng: jnp.zeros(()), None, None, None)
    hyper = {"learning_rate": 0.1}
    return updates.Updates(model, optax.identity(), hyper, step, [*map(Batches, seeds)], [1, 4])


@pytest.fixture
def ended(monkeypatch):
    """What programs have waited for."""
    waited = []
    monkeypatch.setattr(jax, "block_until_ready", waited.append)
    return waited


@pytest.mark.parametrize("layout", [Layout(1), Layout(2), Layout(2, 1)], ids=str)
def test_the_last_seed_fills_the_devices_that_have_none(ended, layout):
    program = updates.side_by_side(updates_of(3, 5, 7), layout)
    program()
    program()  # from the same states again
    filler = [145.0] * (layout.slots(3) - 3)
    assert [params.tolist() for params in ended] == [[65.0, 105.0, 145.0, *filler]] * 2


def test_alone_the_first_seed_is_trained(ended):
    program = updates.alone(updates_of(3, 5))
    program()
    program()
    assert list(map(float, ended)) == [65.0, 65.0]


def test_states_are_those_of_their_seeds(monkeypatch, ended):
    asked = []
    init_states = replicas.init_states

    def kept(model, optimizer, seeds, hypers, layout):
        asked.append((seeds, len(hypers)))
        return init_states(model, optimizer, seeds, hypers, layout)

    monkeypatch.setattr(replicas, "init_states", kept)
    updates.side_by_side(updates_of(3, 5, 7), Layout(2))()
    assert asked == [([3, 5, 7, 7], 4)] and len(ended) == 1
