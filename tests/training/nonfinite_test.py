"""Updates that are not finite."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from attention_lab.training.hooks import Meter, MetricsLog, read
from attention_lab.training.loop import train
from attention_lab.training.nonfinite import PATIENCE, NonFiniteGuard, skip_nonfinite
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
    metrics_log = MetricsLog(folder / "metrics.jsonl", 0)
    meter = Meter(
        metrics_log, len(losses), period=4, watch=NonFiniteGuard(batches, folder, metrics_log)
    )
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


def test_finite_updates_in_between_let_a_run_resume(tmp_path):
    losses = [*[np.nan] * (PATIENCE - 1), 1.0, *[np.nan] * (PATIENCE - 1), 1.0]
    assert float(trained(tmp_path, losses).params) == 2.0


def test_a_run_that_was_stopped_resumes_counting(tmp_path):
    trained(tmp_path, [1.0, *[np.nan] * (PATIENCE - 1)])
    metrics_log = MetricsLog(tmp_path / "metrics.jsonl", PATIENCE)
    watch = NonFiniteGuard([{"x": np.zeros(())}] * 2 * PATIENCE, tmp_path, metrics_log)
    with pytest.raises(ValueError, match=f"up to {PATIENCE + 1}"):
        watch(PATIENCE + 1, {"skipped": True})
    watch = NonFiniteGuard([], tmp_path, MetricsLog(tmp_path / "metrics.jsonl", PATIENCE))
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


def rows(folder, *numbers, step=99):
    """What is said of updates, each (its number, what was skipped), and how many were in a row at the end."""
    watch = NonFiniteGuard(
        [{"x": np.zeros(())}] * 99, folder, MetricsLog(folder / "metrics.jsonl", step)
    )
    message = [watch(number, {"skipped": skipped}) for number, skipped in numbers]
    return watch.consecutive.tolist(), message


def test_only_updates_that_follow_each_other_are_in_a_row(tmp_path):
    assert rows(tmp_path, (1, True), (2, True), (3, False), (4, True), (5, True), (6, True))[0] == 3
    assert rows(tmp_path)[0] == 3  # of the earlier session
    assert rows(tmp_path, (7, True))[0] == 4
    assert rows(tmp_path, (9, True))[0] == 1
    assert rows(tmp_path, step=4)[0] == 1 and rows(tmp_path, step=2)[0] == 2


def test_replicas_are_counted_each_for_itself(tmp_path):
    both, one, other = [True, True], [True, False], [False, True]
    row, message = rows(tmp_path, (1, both), (2, one), (3, one), (4, other), (5, both))
    assert row == [1, 2] and rows(tmp_path)[0] == [1, 2]
    assert message[0] == "update 1 skipped: its loss or gradient is not finite"
    assert message[1] == "update 2 skipped in some replicas: its loss or gradient is not finite"
    assert rows(tmp_path, (6, [False, False])) == ([1, 2], [None])


def test_ten_skipped_updates_in_a_row_end_a_run_in_the_batch_of_the_last(tmp_path):
    batches = [{"x": np.full(2, n)} for n in range(20)]
    watch = NonFiniteGuard(batches, tmp_path, MetricsLog(tmp_path / "metrics.jsonl", 0))
    for number in range(3, 12):
        watch(number, {"skipped": True})
    with pytest.raises(ValueError, match="in 10 updates up to 12, the batch of which is in"):
        watch(12, {"skipped": True})
    with np.load(tmp_path / "batch_12.npz") as batch:
        np.testing.assert_array_equal(batch["x"], [11, 11])


def test_a_skipped_update_keeps_all_but_its_number_and_counts_nothing():
    def step(state, batch):
        metrics = {"loss": batch[0], "tokens": 7, "gradient_norm": batch[1], "learning_rate": 0.1}
        return TrainState(state.step + 1, *[batch[0] + x for x in (1, 2)], state.rng, {}), metrics

    before = TrainState(jnp.asarray(4), jnp.asarray(10.0), jnp.asarray(20.0), jax.random.key(5), {})
    careful = jax.jit(skip_nonfinite(step))
    for batch, good in (((3.0, 1.0), True), ((3.0, np.inf), False), ((np.nan, 1.0), False)):
        after, metrics = careful(before, jnp.asarray(batch))
        found = [int(after.step), float(after.params), float(after.opt_state)]
        assert found == ([5, 4.0, 5.0] if good else [5, 10.0, 20.0])
        assert jnp.array_equal(after.rng, before.rng)
        counted = [float(metrics[name]) for name in ("loss", "tokens", "gradient_norm")]
        assert counted == ([3.0, 7, 1.0] if good else [0, 0, 0])
        assert bool(metrics["skipped"]) != good and float(
            metrics["learning_rate"]
        ) == pytest.approx(0.1)
