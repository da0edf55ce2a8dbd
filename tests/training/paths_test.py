"""Checkpoints under any path: kept and read back as they were, or refused while there is nothing to lose."""

import os
import tempfile

import hypothesis
import hypothesis.strategies as st
import jax.numpy as jnp
import numpy as np
import pytest

from attention_lab.training.checkpoint import BEST, LATEST, Checkpoints

STATE = {"a": jnp.arange(4.0), "b": {"c": jnp.ones((2, 3))}}
# Every byte but NUL and the slash.
BYTES = [bytes([n]) for n in range(1, 256) if n != ord("/")]
NAMES = st.lists(st.sampled_from(BYTES), min_size=1, max_size=40).map(b"".join)
FOUND = [
    [b"[a]"],
    [b"**"],
    [b"{a,b}"],
    [b"back\\"],
    [b"gs:", b"bucket"],
    [b"a?b=c#d", b"%2F"],
    [b"a\nb\x7f"],
    [b"-x", b"~", b" "],
    [b"\xff"],
    ["é\u202e".encode()],
    [b"x" * 255],
    [b"1.orbax-checkpoint-tmp"],
]


def under(folder, names):
    return folder.joinpath(*map(os.fsdecode, names))


def kept(folder):
    """That a checkpoint is written there and read back."""
    checkpoints = Checkpoints(folder)
    checkpoints.check_round_trip()
    assert not folder.exists()
    checkpoints.save(LATEST, 1, STATE)
    assert sorted(os.listdir(folder)) == [LATEST]
    assert sorted(os.listdir(folder / LATEST)) == ["1", "1.sha256"]
    found = Checkpoints(folder, single_process=True).restore(LATEST, STATE)
    np.testing.assert_array_equal(found["b"]["c"], STATE["b"]["c"])
    np.testing.assert_array_equal(found["a"], STATE["a"])


@pytest.mark.parametrize("names", FOUND)
def test_a_path_that_is_a_pattern_or_an_address_elsewhere_is_a_path_here(names, tmp_path):
    kept(under(tmp_path, names))


@hypothesis.settings(max_examples=30, deadline=None, derandomize=True)
@hypothesis.given(st.lists(NAMES.filter(lambda name: name not in (b".", b"..")), max_size=3))
def test_a_state_is_kept_under_any_path(tmp_path_factory, names):
    kept(under(tmp_path_factory.mktemp("any"), names) / "checkpoints")


def test_what_orbax_is_given_a_link_to_is_gone_afterwards(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    kept(tmp_path / "[a]" / "checkpoints")
    assert os.listdir(tmp_path) == ["[a]"]


def long(folder):
    """A path that can be, though nothing much can be below it."""
    while len(str(folder)) < 3800:
        folder /= "x" * 200
    return folder / ("y" * (4050 - len(str(folder))))


def in_a_file(folder):
    (folder / "file").touch()
    return folder / "file" / "run"


def without_a_plain_place_for_links(folder):
    (folder / "[t]").mkdir()
    tempfile.tempdir = str(folder / "[t]")
    return folder / "[a]"


@pytest.mark.parametrize("place", [long, in_a_file, without_a_plain_place_for_links])
def test_a_place_that_cannot_keep_a_checkpoint_is_refused_before_anything_is_written(
    place, tmp_path, monkeypatch
):
    monkeypatch.setattr(tempfile, "tempdir", None)
    folder = place(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(ValueError, match=r"cannot be read back .*; choose another folder") as error:
        Checkpoints(folder).check_round_trip()
    assert "\n" not in str(error.value)
    assert sorted(tmp_path.rglob("*")) == before


def test_where_a_checkpoint_stands_no_round_trip_is_made(tmp_path, monkeypatch):
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(BEST, 1, STATE)
    monkeypatch.setattr(Checkpoints, "_manager", None)
    checkpoints.check_round_trip()
