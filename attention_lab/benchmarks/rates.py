"""Rates: how fast this machine performs the arithmetic of attention.

The speed of a shared machine may vary by a factor of two from minute to minute. The meters are therefore measured
in alternation with the cases of every round, and each case is compared with the rates of its own round.
"""

import os
import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

SIDE = 2048
STREAM = 2**24
CACHE, REPEATS = 2**18, 64


class Meter(NamedTuple):
    """A measurement of one rate.

    call: performs `operations` operations and waits for them. unit: the name of 1e9 operations per second.
    description: the operation, in words.
    """

    call: Callable[[], Any]
    operations: float
    unit: str
    description: str


def meters() -> dict[str, Meter]:
    """Returns the meters by name, each compiled and called once."""
    built = {"matmul": _matmul(), "tanh_cache": _tanh_cache(), "tanh_stream": _tanh_stream()}
    for meter in built.values():
        meter.call()
    return built


def summary(built: Mapping[str, Meter], rates: Sequence[Mapping[str, float]]) -> str:
    """Returns a line for each meter: the median of its rates over the rounds, their range, and a description."""
    lines = ["Rates of this machine (median and range over all rounds):"]
    for name, meter in built.items():
        values = [1e-9 * rate[name] for rate in rates]
        middle = f"{statistics.median(values):8.2f} {meter.unit:<10}"
        span = f"{min(values):.2f} to {max(values):.2f}"
        lines.append(f"{name:<11} {middle} {span:<18} {meter.description}")
    return "\n".join(lines)


def environment() -> dict[str, Any]:
    """Returns the versions and the hardware on which the measurements depend."""
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
    description = f"product of two float32 matrices {SIDE} x {SIDE}, 2 x {SIDE}^3 FLOPs"
    return Meter(
        lambda: multiply(matrix, matrix).block_until_ready(), 2.0 * SIDE**3, "GFLOP/s", description
    )


def _tanh_cache() -> Meter:
    repeated = jax.jit(lambda x: jax.lax.fori_loop(0, REPEATS, lambda _, x: jnp.tanh(x), x))
    numbers = jnp.linspace(-3, 3, CACHE, dtype=jnp.float32)
    description = f"tanh of {CACHE:,} float32, {REPEATS} times in succession, in cache"
    return Meter(
        lambda: repeated(numbers).block_until_ready(),
        float(CACHE * REPEATS),
        "Gelement/s",
        description,
    )


def _tanh_stream() -> Meter:
    # The donated input buffer is reused for the output, so that the system need not clear new pages.
    once = jax.jit(jnp.tanh, donate_argnums=0)
    buffer = [jnp.linspace(-3, 3, STREAM, dtype=jnp.float32)]

    def step() -> None:
        buffer[0] = once(buffer[0]).block_until_ready()

    description = f"tanh of {STREAM:,} float32, in place in main memory"
    return Meter(step, float(STREAM), "Gelement/s", description)
