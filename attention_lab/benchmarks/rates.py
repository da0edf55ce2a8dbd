"""Rates: how fast this machine does the arithmetic that attention is made of.

A shared machine may be twice as fast in one minute as in the next. So a meter takes its turn among
the cases of every round, and a case's share is of the rates of its own round.
"""

import os
import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

SIDE = 2048
STREAM = 2**24
CACHE, TURNS = 2**18, 64


class Meter(NamedTuple):
    """call: does `operations` operations, until all are done. unit: what 1e9 a second are."""

    call: Callable[[], Any]
    operations: float
    unit: str
    says: str


def meters() -> dict[str, Meter]:
    """The meters by name, compiled and called once."""
    made = {"matmul": _matmul(), "tanh_cache": _tanh_cache(), "tanh_stream": _tanh_stream()}
    for meter in made.values():
        meter.call()
    return made


def summary(made: Mapping[str, Meter], rates: Sequence[Mapping[str, float]]) -> str:
    """A line per meter: the median of the rounds' rates, their range, and what it is."""
    lines = ["Rates of this machine: the median and the range of all rounds."]
    for name, meter in made.items():
        found = [1e-9 * rate[name] for rate in rates]
        middle = f"{statistics.median(found):8.2f} {meter.unit:<10}"
        span = f"{min(found):.2f} to {max(found):.2f}"
        lines.append(f"{name:<11} {middle} {span:<18} {meter.says}")
    return "\n".join(lines)


def environment() -> dict[str, Any]:
    """What the numbers depend on besides the code."""
    device = jax.devices()[0]
    return {
        "jax": jax.__version__,
        "backend": device.platform,
        "device": device.device_kind,
        "cpus": os.cpu_count(),
    }


def _matmul() -> Meter:
    matrix = jnp.ones((SIDE, SIDE), jnp.float32)
    multiply = jax.jit(jnp.matmul)
    says = f"product of two float32 matrices {SIDE} x {SIDE}, 2 x {SIDE}^3 FLOPs"
    return Meter(
        lambda: multiply(matrix, matrix).block_until_ready(), 2.0 * SIDE**3, "GFLOP/s", says
    )


def _tanh_cache() -> Meter:
    turns = jax.jit(lambda x: jax.lax.fori_loop(0, TURNS, lambda _, x: jnp.tanh(x), x))
    numbers = jnp.linspace(-3, 3, CACHE, dtype=jnp.float32)
    says = f"tanh of {CACHE:,} float32, {TURNS} times over, in cache"
    return Meter(
        lambda: turns(numbers).block_until_ready(), float(CACHE * TURNS), "Gelement/s", says
    )


def _tanh_stream() -> Meter:
    # The input is donated and becomes the output: no fresh pages for the system to clear.
    once = jax.jit(jnp.tanh, donate_argnums=0)
    held = [jnp.linspace(-3, 3, STREAM, dtype=jnp.float32)]

    def step() -> None:
        held[0] = once(held[0]).block_until_ready()

    says = f"tanh of {STREAM:,} float32, from memory to the same memory"
    return Meter(step, float(STREAM), "Gelement/s", says)
