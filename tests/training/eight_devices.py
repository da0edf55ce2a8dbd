"""A program for scale_test.py, which needs eight devices: one run in every layout, as lines of JSON.

JAX_NUM_CPU_DEVICES=8 python -m tests.training.eight_devices recurrent FOLDER
"""

import json
import sys
from pathlib import Path

import jax
import jax.numpy as jnp

from attention_lab.training.checkpoint import LATEST, Checkpoints
from attention_lab.training.mesh import Devices, Split, make_mesh, place
from attention_lab.training.optimizer import SCHEDULES, adam
from attention_lab.training.step import init_state, make_train_step
from tests.models.small import recurrent, transformer
from tests.training import mesh_test

UPDATES = 200
# At a rate of 0.01 a rounding error flips a ReLU of so small a Transformer within 200 updates.
HYPER = {**mesh_test.HYPER, "learning_rate": 0.003}
MODELS = {
    "recurrent": recurrent,
    "transformer": lambda: transformer(heads=2, feed_forward=16, layers=1),
}
LAYOUTS = {
    "2": Devices(2),
    "8": Devices(8),
    "8, fully sharded": Devices(8, shard_state=True),
    "4 x 2 heads": Devices(4, heads=2),
    "4 x 2 heads, fully sharded": Devices(4, heads=2, shard_state=True),
}


def layouts_of(name):
    """Those that the model can have: a recurrent one has no heads to share."""
    return {layout: d for layout, d in LAYOUTS.items() if d.heads == 1 or name == "transformer"}


class Run:
    """A run of this model in a layout, None for plainly one device."""

    def __init__(self, name, devices):
        self.devices, optimizer = devices, adam(1.0)
        model = MODELS[name]()
        state = init_state(model, optimizer, jax.random.key(0), HYPER)
        self.state = jax.tree.map(widest, state)
        self.batches = mesh_test.batches()
        if devices is not None:
            mesh = make_mesh(devices)
            self.state = place(self.state, mesh, devices.shard_state)
            self.batches = Split(self.batches, mesh)
        self.step = jax.jit(make_train_step(model, optimizer, SCHEDULES["constant"](3, 1)))

    def go(self, first, last):
        """The losses of these updates."""
        losses = []
        for number in range(first, last):
            self.state, metrics = self.step(self.state, self.batches[number])
            losses.append(float(metrics["loss"]))
        return losses


def widest(x):
    """In float64 where JAX has that: Flax's own layers start with float32."""
    return x.astype(float) if jnp.issubdtype(x.dtype, jnp.floating) else x


def main(name, folder):
    def report(layout, losses):
        print(json.dumps({"layout": layout, "losses": losses}), flush=True)

    report("1", Run(name, None).go(0, UPDATES))
    for layout, devices in layouts_of(name).items():
        run = Run(name, devices)
        losses = run.go(0, UPDATES // 2)
        if layout == "8, fully sharded":
            Checkpoints(Path(folder)).save(LATEST, UPDATES // 2, run.state)
        report(layout, losses + run.go(UPDATES // 2, UPDATES))
    for layout, devices in {"1": None, **layouts_of(name)}.items():
        run = Run(name, devices)
        run.state = Checkpoints(Path(folder)).restore(LATEST, run.state)
        report(f"{layout}, resumed from 8", run.go(UPDATES // 2, UPDATES))


if __name__ == "__main__":
    main(*sys.argv[1:])
