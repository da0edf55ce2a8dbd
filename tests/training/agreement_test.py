"""Of several processes the first decides: what each finds by itself may differ in its last digit."""

from types import SimpleNamespace

import jax
import numpy as np
import pytest
from jax.experimental import multihost_utils

from attention_lab.training import processes
from attention_lab.training.checkpoint import LATEST, Checkpoints
from attention_lab.training.hooks import Meter, MetricsLog, Validate
from attention_lab.training.loop import Update


@pytest.fixture
def processes_in_turn(monkeypatch):
    """Runs what two processes do, the first before the second, which is sent what the first has sent."""

    def in_turn(first, second):
        sent = []
        monkeypatch.setattr(jax, "process_count", lambda: 2)
        monkeypatch.setattr(processes, "any_process", bool)
        broadcast = "broadcast_one_to_all"
        monkeypatch.setattr(multihost_utils, broadcast, lambda tree: sent.append(tree) or tree)
        found = first()
        left = iter(sent)
        monkeypatch.setattr(multihost_utils, broadcast, lambda tree: next(left))
        both = found, second()
        assert sent and not list(left)  # each has taken part in every collective
        return both

    return in_turn


def validated(folder, scores, patience):
    """At which updates a process saves, and when it stops, that finds these scores."""
    folder.mkdir()
    metrics_log, saved = MetricsLog(folder / "metrics.jsonl", 0), []
    meter = Meter(metrics_log, len(scores))
    judge = iter(scores)
    validate = Validate(
        lambda params: {"bleu": np.array([next(judge)]), "perplexity": np.array([1 / 3])},
        metrics_log,
        meter,
        {},
        better={"bleu": "higher", "perplexity": "lower"},
        patience=patience,
        improved=lambda update: saved.append(update.number),
    )
    state = SimpleNamespace(params={})
    for number in range(1, len(scores) + 1):
        if validate(Update(number, state, {}, False)):
            return saved, number
    return saved, None


@pytest.mark.parametrize("patience", [0, 2])
def test_a_rounding_difference_changes_neither_what_is_saved_nor_when_it_ends(
    tmp_path, processes_in_turn, patience
):
    least = np.nextafter(20.0, 21.0)
    ones, others = [20.0, least, 20.0, 20.0, 30.0], [20.0, 20.0, least, 20.0, 20.0]
    alone = validated(tmp_path / "alone", ones, patience)
    first, second = processes_in_turn(
        lambda: validated(tmp_path / "first", ones, patience),
        lambda: validated(tmp_path / "second", others, patience),
    )
    assert first == second == alone == (([1, 2], 4) if patience else ([1, 2, 5], None))


def test_the_numbers_of_the_first_are_sent_to_the_last_bit(processes_in_turn):
    ours = {"a": np.pi, "b": np.array([1 / 3, np.nan, 2.0**60])}
    theirs = {"a": 0.0, "b": np.zeros(3)}
    found = processes_in_turn(
        lambda: processes.from_first(ours), lambda: processes.from_first(theirs)
    )
    for one in found:
        np.testing.assert_array_equal(one["a"], ours["a"])
        np.testing.assert_array_equal(one["b"], ours["b"])


def test_all_resume_from_the_checkpoint_that_the_first_sees(tmp_path, processes_in_turn):
    for number in (3, 7):
        (tmp_path / "first" / LATEST / str(number)).mkdir(parents=True)
    (tmp_path / "late" / LATEST / "3").mkdir(parents=True)  # a disk that does not show all yet
    first, second = (Checkpoints(tmp_path / name) for name in ("first", "late"))
    assert processes_in_turn(lambda: first.step(LATEST), lambda: second.step(LATEST)) == (7, 7)
    alone = Checkpoints(tmp_path / "late", single_process=True)
    assert alone.step(LATEST) == 3  # and asks nobody
