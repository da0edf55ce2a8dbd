"""A run's folder, without any training: parameters at hand are saved in it, and loaded."""

import jax
import numpy as np
import pytest

from attention_lab import runs
from attention_lab.data.tokenizer import train
from attention_lab.data.vocabularies import Codec
from attention_lab.runs import folder
from attention_lab.training import checkpoint
from attention_lab.training.checkpoint import BEST, Checkpoints
from tests.runs.precision_test import config_of


@pytest.fixture
def saved(tmp_path):
    """A folder with a run, and its parameters."""
    config = config_of("recurrent")
    codec = Codec(*[train("word", ["a b c"], 10)] * 2)
    params = folder.model_of(config, codec).init(jax.random.key(3))
    folder.write(tmp_path, config, codec, {"train": "0" * 64})
    Checkpoints(tmp_path / "checkpoints").save(BEST, 1, params)
    return tmp_path, params


def test_a_run_is_loaded_with_its_best_parameters_by_one_process_without_the_others(
    saved, monkeypatch
):
    """Of several processes that have trained it, the first one evaluates: no other would answer."""
    workdir, params = saved

    def from_first(numbers):
        raise AssertionError("asks the other processes")

    monkeypatch.setattr(checkpoint, "from_first", from_first)
    monkeypatch.setattr(jax, "process_count", lambda: 2)
    loaded = runs.load(workdir)
    assert len(loaded.codec.source) == 7
    jax.tree.map(np.testing.assert_array_equal, loaded.params, params)
