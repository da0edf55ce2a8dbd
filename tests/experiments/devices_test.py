"""Devices that a command cannot have are told before it has written anything."""

from tests.experiments.commands import command
from tests.experiments.sentences import corpus, words


def test_devices_that_are_not_there_are_told_before_anything_is_written(tmp_path):
    corpus(tmp_path)
    told = command("train", *words(tmp_path, tmp_path / "run", **{"devices.heads": 99}))
    assert told.returncode == 2
    assert "1 x 99 devices (data x heads) are asked for" in told.stderr
    assert not (tmp_path / "run").exists()
