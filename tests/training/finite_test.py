"""Updates that are not finite."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from attention_lab.training.finite import PATIENCE, Finite, skip_nonfinite
from attention_lab.training.hooks import Journal, Meter, read
from attention_lab.training.loop import train
from attention_lab.training.step import TrainState


def step(state, batch):
    """Adds the batch to the parameters; its loss is the batch, its gradient 1 / batch."""
    metrics = {
        "loss": batch["x"],
        "tokens": jnp.asarray(7),
        "gradient_norm": 1 / batch["x"],
        "learning_rate": 0.1,
    }
    return state._replace(step=state.step + 1, params=state.params + batch["x"]), metrics


def start(*shape):
    keys = jax.random.split(jax.random.key(0), shape) if shape else jax.random.key(0)
    return TrainState(jnp.zeros(shape, int), jnp.zeros(shape), (), keys, {})


def trained(folder, losses, wrap=lambda step: step):
    batches = [{"x": np.asarray(loss, np.float32)} for loss in losses]
    journal = Journal(folder / "metrics.jsonl", 0)
    meter = Meter(journal, len(losses), period=4, watch=Finite(batches, folder, journal))
    state = start(*batches[0]["x"].shape)
    return train(jax.jit(wrap(skip_nonfinite(step))), state, batches, len(losses), [meter])


def test_what_is_not_finite_is_skipped_and_counted(tmp_path, capsys):
    # 0 has a finite loss, but no finite gradient.
    state = trained(tmp_path, [1.0, np.nan, 2.0, np.inf, 4.0, 0.0, -np.inf, 8.0])
    assert int(state.step) == 8 and float(state.params) == 15.0
    lines = read(tmp_path / "metrics.jsonl")
    assert [line["update"] for line in lines if line["kind"] == "skipped"] == [2, 4, 6, 7]
    seen = [line for line in lines if line["kind"] == "train"]
    assert [line["tokens"] for line in seen] == [14, 28] and seen[0]["loss"] == pytest.approx(1.5)
    assert "NaN" not in (tmp_path / "metrics.jsonl").read_text()
    assert capsys.readouterr().err.count("skipped") == 4


def test_a_run_ends_where_nothing_is_finite_any_more_and_leaves_the_batch(tmp_path):
    losses = [1.0, 1.0, *[np.nan] * (PATIENCE + 5)]
    with pytest.raises(ValueError, match=f"{PATIENCE} updates up to {PATIENCE + 2}, the batch"):
        trained(tmp_path, losses)
    with np.load(tmp_path / f"batch_{PATIENCE + 2}.npz") as batch:
        assert np.isnan(batch["x"])


def test_finite_updates_in_between_let_a_run_go_on(tmp_path):
    losses = [*[np.nan] * (PATIENCE - 1), 1.0, *[np.nan] * (PATIENCE - 1), 1.0]
    assert float(trained(tmp_path, losses).params) == 2.0


def test_a_run_that_was_stopped_goes_on_counting(tmp_path):
    trained(tmp_path, [1.0, *[np.nan] * (PATIENCE - 1)])
    journal = Journal(tmp_path / "metrics.jsonl", PATIENCE)
    watch = Finite([{"x": np.zeros(())}] * 2 * PATIENCE, tmp_path, journal)
    with pytest.raises(ValueError, match=f"up to {PATIENCE + 1}"):
        watch(PATIENCE + 1, {"skipped": True})
    watch = Finite([], tmp_path, Journal(tmp_path / "metrics.jsonl", PATIENCE))
    assert watch(PATIENCE + 1, {"skipped": False}) is None
    assert watch(PATIENCE + 2, {"skipped": True})


def test_one_replica_that_is_not_finite_stops_no_other(tmp_path):
    losses = [[np.nan, 1.0]] * (PATIENCE + 3)
    state = trained(tmp_path, losses, jax.vmap)
    np.testing.assert_array_equal(state.params, [0.0, PATIENCE + 3])
    lines = [line for line in read(tmp_path / "metrics.jsonl") if line["kind"] == "skipped"]
    assert len(lines) == PATIENCE + 3 and lines[0]["skipped"] == [True, False]
    losses = [line["loss"] for line in read(tmp_path / "metrics.jsonl") if line["kind"] == "train"]
    assert all(one == [None, 1.0] for one in losses)
