"""Checkpoints: whole or not at all, and told in one line where they cannot be had."""

import resource
import shutil
import subprocess
from contextlib import contextmanager
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from attention_lab.training import checkpoint
from attention_lab.training.checkpoint import BEST, LATEST, Checkpoints
from attention_lab.training.cost import tree_bytes


def test_a_missing_or_foreign_checkpoint_is_refused_in_one_line(tmp_path):
    checkpoints = Checkpoints(tmp_path)
    with pytest.raises(ValueError, match="no latest checkpoint"):
        checkpoints.restore(LATEST, {"a": jnp.ones(3)})
    checkpoints.save(BEST, 1, {"a": jnp.ones(3)})
    for other in ({"b": jnp.ones(3)}, {"a": jnp.ones(4)}):
        with pytest.raises(ValueError, match="another model") as error:
            checkpoints.restore(BEST, other)
        assert "\n" not in str(error.value)


@contextmanager
def files_of_at_most(size):
    """The system refuses to write more, as a full disk does."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_what_cannot_be_written_is_reported_and_costs_nothing(tmp_path):
    checkpoints = Checkpoints(tmp_path)
    states = [{"a": jax.random.normal(jax.random.key(seed), (100_000,))} for seed in (0, 1)]
    checkpoints.save(LATEST, 1, states[0])
    with files_of_at_most(100_000), pytest.raises(OSError, match="update 2 could not") as error:
        checkpoints.save(LATEST, 2, states[1])
    assert "File too large; what was saved before is intact" in str(error.value)
    assert "\n" not in str(error.value)
    assert sorted(path.name for path in (tmp_path / LATEST).iterdir()) == ["1", "1.sha256"]
    np.testing.assert_array_equal(checkpoints.restore(LATEST, states[1])["a"], states[0]["a"])
    checkpoints.save(LATEST, 2, states[1])
    assert checkpoints.step(LATEST) == 2


def kept(folder):
    """Two checkpoints, of updates 1 and 2."""
    checkpoints = Checkpoints(folder)
    for step in (1, 2):
        checkpoints.save(LATEST, step, state_of(step))
    return checkpoints


def state_of(step):
    rng = jax.random.key(step)
    return {"rng": rng, "weights": jax.random.normal(rng, (300,)), "step": jnp.asarray(step)}


def agree(one, other):
    for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
        assert jnp.array_equal(a, b)


@pytest.mark.parametrize("alone", [False, True])
def test_what_one_process_has_saved_another_restores(tmp_path, alone):
    Checkpoints(tmp_path, single_process=alone).save(BEST, 3, state_of(3))
    restored = Checkpoints(tmp_path, single_process=not alone).restore(BEST, state_of(0))
    agree(restored, state_of(3))


def flip(path, place):
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)


def cut(path, place):
    path.write_bytes(path.read_bytes()[:place])


@pytest.mark.parametrize("damage", [flip, cut, lambda path, place: path.unlink()])
def test_a_damaged_checkpoint_is_passed_over_for_the_one_before_and_said_so(
    tmp_path, capsys, damage
):
    kept(tmp_path / "sound")
    files = [path for path in (tmp_path / "sound" / LATEST / "2").rglob("*") if path.is_file()]
    assert len(files) >= 3
    for number, file in enumerate(path for path in files if path.stat().st_size):
        folder = tmp_path / str(number)
        shutil.copytree(tmp_path / "sound", folder)
        broken = folder / file.relative_to(tmp_path / "sound")
        damage(broken, broken.stat().st_size // 2)
        checkpoints = Checkpoints(folder)
        agree(checkpoints.restore(LATEST, state_of(0)), state_of(1))
        output = capsys.readouterr().err
        assert (
            "of update 2 in" in output and "update 1 is used" in output and output.count("\n") == 1
        )
        checkpoints.save(LATEST, 2, state_of(2))  # the run comes by again
        agree(checkpoints.restore(LATEST, state_of(0)), state_of(2))
        assert not capsys.readouterr().err


def test_a_damaged_checkpoint_is_not_kept_in_place_of_a_sound_one(tmp_path, capsys):
    kept(tmp_path)
    for newest in (2, 3):  # each time the run is stopped, saved, and then damaged once more
        file = next(path for path in (tmp_path / LATEST / str(newest)).rglob("*") if path.is_file())
        file.write_bytes(file.read_bytes() + b"x")
        checkpoints = Checkpoints(tmp_path)
        agree(checkpoints.restore(LATEST, state_of(0)), state_of(1))
        checkpoints.save(LATEST, newest + 1, state_of(newest + 1))
    assert "of update 3 in" in capsys.readouterr().err


def test_a_checkpoint_whose_writer_was_killed_before_its_digest_is_no_checkpoint(tmp_path, capsys):
    checkpoints = kept(tmp_path)
    (tmp_path / LATEST / "2.sha256").unlink()
    assert checkpoints.step(LATEST) == 1 and not capsys.readouterr().err
    (tmp_path / LATEST / "1.sha256").unlink()  # nor of any other: orbax has written it whole
    assert checkpoints.step(LATEST) == 2 and not capsys.readouterr().err
    (tmp_path / LATEST / "5.orbax-checkpoint-tmp").mkdir()  # what its killer left
    (tmp_path / LATEST / "5.tmp").touch()
    checkpoints.save(LATEST, 2, state_of(2))
    assert sorted(path.name for path in (tmp_path / LATEST).iterdir()) == ["1", "2", "2.sha256"]
    agree(checkpoints.restore(LATEST, state_of(0)), state_of(2))


def test_without_a_sound_checkpoint_nothing_is_restored(tmp_path):
    checkpoints = kept(tmp_path)
    for step in "12":
        flip(tmp_path / LATEST / f"{step}.sha256", 0)
    with pytest.raises(ValueError, match="is damaged"):
        checkpoints.restore(LATEST, state_of(0))


def test_two_checkpoints_are_kept_with_digests_that_sha256sum_reads(tmp_path):
    checkpoints = kept(tmp_path)
    checkpoints.save(LATEST, 7, state_of(7))
    names = ["2", "2.sha256", "7", "7.sha256"]
    assert sorted(path.name for path in (tmp_path / LATEST).iterdir()) == names
    if shutil.which("sha256sum"):
        for step in "27":
            check = ["sha256sum", "--check", "--strict", "--quiet", f"{step}.sha256"]
            subprocess.run(check, cwd=tmp_path / LATEST, check=True)


def test_a_disk_without_room_is_reported_before_anything_is_written(tmp_path, monkeypatch):
    checkpoints = Checkpoints(tmp_path / "checkpoints")
    checkpoints.save(LATEST, 1, state_of(1))
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=8))
    with pytest.raises(OSError, match=r"update 2 .* No space left on device .*, 0.0 are free\)"):
        checkpoints.save(LATEST, 2, state_of(2))
    assert checkpoints.step(LATEST) == 1
    just_enough = usage._replace(free=tree_bytes(state_of(2)))
    monkeypatch.setattr(shutil, "disk_usage", lambda path: just_enough)
    checkpoints.save(LATEST, 2, state_of(2))
    assert checkpoints.step(LATEST) == 2


@pytest.mark.parametrize(
    ("path", "plain"),
    [
        ("/", True),
        ("/a/b", True),
        ("/a b/c-d_e.f,g+h=i@j/é", True),
        ("/a*/b", False),  # the first folder counts as the others do
        ("/a/b?/c", False),
        ("/a/s3:", False),
        ("/a/\n", False),
    ],
)
def test_orbax_gets_a_path_only_if_all_its_folders_are_plain(path, plain):
    assert checkpoint._is_literal(Path(path)) == plain
