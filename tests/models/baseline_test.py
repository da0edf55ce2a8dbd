"""Losses of 50 updates in double precision do not move with the code: see baseline.py."""

import json

import numpy as np
import pytest

from tests.models import baseline


@pytest.mark.slow
@pytest.mark.promise
def test_losses_are_those_that_were_written_down(tmp_path):
    before, now = json.loads(baseline.PATH.read_text(encoding="utf-8")), baseline.measured(tmp_path)
    assert now["batches"] == before["batches"]
    for name in baseline.MODELS:
        np.testing.assert_allclose(now[name], before[name], rtol=0, atol=1e-9)
