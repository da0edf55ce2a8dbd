"""Checkpoints: whole or not at all, and told in one line where they cannot be had."""

import resource
from contextlib import contextmanager

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from attention_lab.training.checkpoint import BEST, LATEST, Checkpoints


def test_a_missing_or_foreign_checkpoint_is_told_in_one_line(tmp_path):
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


def test_what_cannot_be_written_is_told_and_costs_nothing(tmp_path):
    checkpoints = Checkpoints(tmp_path)
    states = [{"a": jax.random.normal(jax.random.key(seed), (100_000,))} for seed in (0, 1)]
    checkpoints.save(LATEST, 1, states[0])
    with files_of_at_most(100_000), pytest.raises(OSError, match="update 2 could not") as error:
        checkpoints.save(LATEST, 2, states[1])
    assert "File too large; what was saved before is intact" in str(error.value)
    assert "\n" not in str(error.value)
    assert [path.name for path in (tmp_path / LATEST).iterdir()] == ["1"]
    np.testing.assert_array_equal(checkpoints.restore(LATEST, states[1])["a"], states[0]["a"])
    checkpoints.save(LATEST, 2, states[1])
    assert checkpoints.step(LATEST) == 2
