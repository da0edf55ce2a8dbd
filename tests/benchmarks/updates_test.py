"""Updates for timing: every seed trains on its own batches, in whatever layout."""

import os
from types import SimpleNamespace

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


class Pipe:
    """A pipe whose other end asks so often, and is then gone."""

    def __init__(self, requests=2):
        self.left, self.log = requests, []

    def recv(self):
        self.log.append("recv")
        if not self.left:
            raise EOFError
        self.left -= 1

    def send(self, value):
        assert value is None
        self.log.append("send")

    def close(self):
        self.log.append("close")


def test_a_worker_performs_its_updates_as_often_as_it_has_seeds_for_each_request(monkeypatch):
    pipe, asked = Pipe(2), []
    monkeypatch.setattr(updates, "keep_memory", lambda: None)
    monkeypatch.setattr(updates.setup, "prepare", lambda: asked.append("prepared"))
    monkeypatch.setattr(updates, "updates_of", lambda *arguments: arguments)
    monkeypatch.setattr(
        updates, "alone", lambda made: asked.append(made) or (lambda: pipe.log.append("updates"))
    )
    updates.run_worker(pipe, {"a": 1}, 4, 3, 20)
    assert asked == ["prepared", ({"a": 1}, [4], 20)]
    assert pipe.log == [*["recv", *["updates"] * 3, "send"] * 2, "recv"]


@pytest.mark.parametrize("before", [None, "3"])
def test_seeds_are_shared_by_processes_of_one_thread(monkeypatch, before):
    started, parents, children = [], [], []

    class Process:
        def __init__(self, target, args, daemon):
            self.args = target, *args, daemon

        def start(self):
            started.append((os.environ["NPROC"], *self.args))

        def kill(self):
            started.remove(("1", *self.args))

    def pipe():
        parents.append(Pipe())
        children.append(Pipe())
        return parents[-1], children[-1]

    context = SimpleNamespace(Process=Process, Pipe=pipe)
    monkeypatch.setattr(updates.multiprocessing, "get_context", {"spawn": context}.get)
    if before is None:
        monkeypatch.delenv("NPROC", raising=False)
    else:
        monkeypatch.setenv("NPROC", before)
    apart = updates.Apart({"a": 1}, seeds=5, count=20, processes=2)
    assert os.environ.get("NPROC") == before
    shares = [("1", updates.run_worker, children[n], {"a": 1}, n, 3 - n, 20, True) for n in (0, 1)]
    assert started == shares and all(child.log == ["close"] for child in children)
    apart()
    apart()
    assert all(parent.log == ["send", "recv"] * 2 for parent in parents)
    with pytest.raises(RuntimeError, match="ended unexpectedly"):
        apart()
    apart.close()
    assert not started
