"""What is done before training: what takes long says so, and what a config cannot mean is reported."""

import time
import warnings
from types import SimpleNamespace

import jax
import pytest

from attention_lab.runs import setup
from attention_lab.training.optimizer import adam
from tests.models.small import recurrent


def test_what_takes_long_says_so_and_what_does_not_is_silent(monkeypatch, capsys):
    monkeypatch.setattr(setup, "PATIENCE", 0.05)
    with setup.announce_if_slow("preparing the corpus"):
        while not (printed := capsys.readouterr().err):
            time.sleep(0.01)
    monkeypatch.setattr(setup, "PATIENCE", 0.2)
    with setup.announce_if_slow("encoding"):
        pass
    monkeypatch.setattr(jax, "process_index", lambda: 1)
    with setup.announce_if_slow("of another process"):
        time.sleep(0.3)
    assert printed == "preparing the corpus\n" and capsys.readouterr().err == ""


def config(**training):
    numbers = {"learning_rate": 1e-3, "weight_decay": 0.0, "dropout": 0.1, "label_smoothing": 0.2}
    how = {"microbatches": 1, "compute": "float32", "matmul_precision": "highest"}
    schedule = {"schedule": "constant", "warmup": 10, "tokens": 24}
    data = {"name": "corpus", "test": "other", "options": {"path": "p", "size": 3}}
    return {"task": "none", "data": data, "training": numbers | how | schedule | training}


@pytest.mark.parametrize(("updates", "unfinished"), [(9, True), (10, True), (11, False)])
def test_a_warmup_that_takes_all_updates_is_warned_of_once(updates, unfinished, monkeypatch):
    message = setup.unfinished_warmup(config(), updates)
    expected = f"training.warmup is 10 updates, and the run has {updates}: "
    assert message.startswith(expected) if unfinished else message == ""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        setup.step_of(config(), recurrent(), adam(1.0), updates)
        monkeypatch.setattr(jax, "process_index", lambda: 1)
        setup.step_of(config(), recurrent(), adam(1.0), updates)
    assert [str(one.message) for one in caught] == [message] * unfinished


def test_updates_are_as_many_as_show_the_tokens_of_the_budget():
    # 5 batches have the 12 tokens of an epoch.
    batches = SimpleNamespace(pairs=SimpleNamespace(target=[[0] * 3] * 4), per_epoch=5)
    found = [setup.updates_of(config(tokens=tokens), batches) for tokens in (24, 26, 27, 1)]
    assert found == [10, 10, 11, 1]
    batches.per_epoch = 12
    assert setup.updates_of(config(tokens=2**31 - 1), batches) == 2**31 - 1
    with pytest.raises(ValueError, match=r"tokens is 2,147,483,648, .* 2,147,483,648 updates; "):
        setup.updates_of(config(tokens=2**31), batches)


def test_a_split_without_an_example_is_reported_with_its_options(monkeypatch):
    splits = {name: [{"source": name}] for name in ("train", "validation", "other", "test")}
    task = SimpleNamespace(read=lambda config, split, cache: splits[split])
    monkeypatch.setattr(setup, "task_of", lambda config: task)
    assert setup.split_of(config(), "other") == [{"source": "other"}]
    # Those that a run is trained and judged on, and others where they are asked for.
    digests = setup.data_of(config())
    assert list(digests) == ["train", "validation", "other"] and len(set(digests.values())) == 3
    assert list(setup.data_of(config(), ["test"])) == ["train", "validation", "other", "test"]
    splits["other"] = []
    message = r"the split other of corpus has no example \(path=p, size=3\)"
    with pytest.raises(ValueError, match=message):
        setup.split_of(config(), "other")


def test_the_numbers_that_replicas_may_differ_in_are_traced():
    expected = {"learning_rate": 1e-3, "weight_decay": 0.0, "dropout": 0.1, "label_smoothing": 0.2}
    assert setup.hyper_of(config()) == expected
