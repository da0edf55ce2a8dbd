"""Devices that a command cannot have are told before it has written anything."""

from tests.experiments.commands import command
from tests.experiments.sentences import corpus, words


def test_devices_that_are_not_there_are_reported_before_anything_is_written(tmp_path):
    corpus(tmp_path)
    result = command("train", *words(tmp_path, tmp_path / "run", **{"devices.heads": 99}))
    assert result.returncode == 2
    assert "1 x 99 devices (data x heads) were requested" in result.stderr
    assert not (tmp_path / "run").exists()


def test_heads_that_a_model_has_not_are_reported_before_anything_is_written(tmp_path):
    corpus(tmp_path)
    result = command(
        "train",
        *words(tmp_path, tmp_path / "run", **{"devices.heads": 2}),
        environment={"XLA_FLAGS": "--xla_force_host_platform_device_count=2"},
    )
    assert result.returncode == 2 and len(result.stderr.strip().splitlines()) == 1
    assert "devices.heads is 2, but this model has no heads" in result.stderr
    assert not (tmp_path / "run").exists()
