"""What the one trainer makes of the configs of its replicas, before any update."""

from pathlib import Path
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from attention_lab.runs import fitting
from attention_lab.runs.fitting import Group, _transfer, fit
from attention_lab.studies.study import changed
from attention_lab.training.mesh import Devices, make_mesh
from attention_lab.training.replicas import Layout
from tests.runs.precision_test import config_of


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


class Reached(Exception):
    """Training would begin."""


@pytest.fixture
def asked(monkeypatch):
    """What the pieces of training were made from, by name."""
    made = {}

    def piece(name, result, module=fitting):
        def call(*arguments, **options):
            made[name] = (*arguments, *options.items())
            return result

        monkeypatch.setattr(module, name, call)

    states = SimpleNamespace(params={"a": jnp.ones((4, 2))}, step=jnp.zeros(4, int))
    piece("optimizer_of", "optimizer", fitting.setup)
    piece("init_states", states)
    piece("StackedBatches", "batches")
    monkeypatch.setattr(fitting, "_placed", lambda group, trees: trees)
    monkeypatch.setattr(fitting.setup, "updates_of", lambda config, batches: 90)
    monkeypatch.setattr(fitting.setup, "batches_of", lambda config, rows: (config["seed"], rows))
    monkeypatch.setattr(fitting.showing, "plan", lambda *arguments: "")
    for name in ("_shared", "_transfer", "Prefetch", "NonFiniteGuard", "Meter"):
        piece(name, name)

    def validate(*arguments, **options):
        made["Validate"] = options
        raise Reached

    monkeypatch.setattr(fitting, "Validate", validate)
    return made


def test_every_replica_has_its_own_seed_numbers_and_batches_and_the_last_one_fills_devices(
    asked, tmp_path
):
    fields = {"training.clip": 0.7, "training.patience": 3}
    own = [(5, 0.1), (7, 0.2), (6, 0.3)]
    configs = [
        changed(config_of("recurrent", **fields), {"seed": s, "training.dropout": d}, "this")
        for s, d in own
    ]
    better = {"bleu": "higher", "aer": "lower"}
    validation = SimpleNamespace(better=better, make_evaluator=lambda layout: None)
    group = Group(tuple(configs), tmp_path, Layout(2))
    model = SimpleNamespace(name="model")
    with pytest.raises(Reached):
        fit(group, SimpleNamespace(rows="rows"), model, validation, None)
    assert asked["optimizer_of"][0]["training"]["clip"] == 0.7
    assert asked["StackedBatches"] == ([(s, "rows") for s in (5, 7, 6, 6)],)
    found, optimizer, seeds, hypers, layout = asked["init_states"]
    assert (found, optimizer, seeds, layout) == (model, "optimizer", [5, 7, 6, 6], Layout(2))
    assert [one["dropout"] for one in hypers] == [0.1, 0.2, 0.3, 0.3]
    options = asked["Validate"]
    assert (options["better"], options["patience"]) == (better, 3)
    assert options["replicas"] == 3  # the filler is not validated
