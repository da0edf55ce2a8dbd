"""One run on 1, 2 and 8 devices, in every layout, is one run; a checkpoint of 8 can be restored on any other number."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from tests.experiments.commands import ROOT

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("x64", [False, True], ids=["float32", "float64"])
@pytest.mark.parametrize("name", ["recurrent", "transformer"])
def test_losses_are_those_of_one_device(name, x64, tmp_path):
    environment = {**os.environ, "JAX_NUM_CPU_DEVICES": "8", "JAX_ENABLE_X64": str(int(x64))}
    result = subprocess.run(
        [sys.executable, "-m", "tests.training.eight_devices", name, str(tmp_path)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr[-3000:]
    found = {line["layout"]: line["losses"] for line in map(json.loads, result.stdout.splitlines())}
    alone = found.pop("1")
    assert len(found) == {"recurrent": 7, "transformer": 11}[name] and len(set(alone)) == 200
    for layout, losses in found.items():
        furthest = np.abs(np.array(losses) - alone[-len(losses) :])
        print(f"{name}, {layout}: {furthest[:20].max():.1e}, {furthest.max():.1e}")
        if x64:
            assert furthest.max() < 1e-9, layout
        else:
            assert furthest[:20].max() < 1e-5 or "resumed" in layout, layout
            assert furthest.max() < 1e-3, layout
