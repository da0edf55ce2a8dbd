"""Several processes that train together, of which this one believes to be one: what each says, all get to know."""

import jax
import numpy as np
import pytest

from attention_lab.training import processes


def test_alone_nothing_is_asked_and_nothing_gathered(monkeypatch):
    for module, name in (
        (processes.multihost_utils, "process_allgather"),
        (processes.multihost_utils, "sync_global_devices"),
        (processes.multihost_utils, "broadcast_one_to_all"),
        (jax.distributed, "shutdown"),
    ):
        monkeypatch.setattr(module, name, None)
    assert processes.is_first() and processes.any_process(True) and not processes.any_process(False)
    processes.barrier("here")
    processes.shutdown()
    with processes.all_or_none():
        pass
    tree = {"a": np.ones(2)}
    assert processes.gather(tree) is tree and processes.from_first(tree) == tree
    with pytest.raises(KeyError), processes.all_or_none():
        raise KeyError("its own error")


@pytest.fixture
def others(monkeypatch):
    """Two processes; what this one has said, and what the other answers."""
    message, answers = [], []

    def gather(value):
        message.append(bool(value))
        return np.array([value, answers.pop(0)])

    monkeypatch.setattr(jax, "process_count", lambda: 2)
    monkeypatch.setattr(processes.multihost_utils, "process_allgather", gather)
    monkeypatch.setattr(processes.multihost_utils, "sync_global_devices", message.append)
    monkeypatch.setattr(jax.distributed, "shutdown", lambda: message.append("left"))
    return message, answers


def test_a_reason_of_any_process_is_one_for_all(others):
    message, answers = others
    for mine, other in ((False, False), (True, False), (False, True), (True, True)):
        answers.append(other)
        assert processes.any_process(mine) == (mine or other)
    assert message == [False, True, False, True]
    processes.barrier("after saving")
    processes.shutdown()
    assert message[4:] == ["after saving", "left"]


def test_what_one_process_cannot_do_none_does(others):
    message, answers = others
    answers += [False, True, False]
    with processes.all_or_none():
        message.append("done")
    with pytest.raises(ValueError, match="another process failed"), processes.all_or_none():
        pass
    with pytest.raises(OSError, match="full"), processes.all_or_none():
        raise OSError("full")
    assert message == ["done", False, False, True]


def test_numbers_are_those_of_the_first_process_to_the_last_bit(others, monkeypatch):
    sent = []

    def broadcast(bits):
        sent.append(bits["bleu"].view(np.float64).tolist())
        return {"bleu": np.array([0.1, 1 / 3]).view(np.uint32)}

    monkeypatch.setattr(processes.multihost_utils, "broadcast_one_to_all", broadcast)
    found = processes.from_first({"bleu": [[2.0, 0.3]]})
    assert found["bleu"].tolist() == [[0.1, 1 / 3]] and sent == [[2.0, 0.3]]


def test_the_first_process_writes(monkeypatch):
    for index in (0, 1, 2):
        monkeypatch.setattr(jax, "process_index", lambda index=index: index)
        assert processes.is_first() == (index == 0)


def test_what_lies_on_several_devices_is_whole_on_each(others):
    mesh = jax.make_mesh((2,), ("data",), axis_types=(jax.sharding.AxisType.Auto,))
    split = jax.NamedSharding(mesh, jax.sharding.PartitionSpec("data"))
    tree = {"a": jax.device_put(np.arange(4.0), split), "b": jax.device_put(np.ones((2, 3)), split)}
    found = processes.gather(tree)
    assert {len(x.sharding.device_set) for x in found.values()} == {1}
    jax.tree.map(np.testing.assert_array_equal, found, tree)
