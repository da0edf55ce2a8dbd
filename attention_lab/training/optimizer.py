"""How parameters move: Adam with decoupled weight decay, on a schedule.

    θ ← θ − η · schedule(t) · (adam(clip(∇)) + λ θ)            Kingma & Ba 2015; Loshchilov & Hutter 2019

η and λ are traced numbers of the run (`hyper`), the rest is chosen once. With λ = 0 it is plain Adam. λ is
that of matrices, and 0 for all others, as in nanoGPT: embeddings, tables of positions (learned, location, shaw),
projections and W of scores decay; norms, biases, a score's v or β, T5's numbers and coverage's w do not.
"""

from collections.abc import Callable
from types import MappingProxyType
from typing import Any

import jax
import jax.numpy as jnp
import optax

from attention_lab.mechanism.contracts import Array, Params

Schedule = Callable[[Array], Array]  # t -> a factor whose peak is 1


def constant(warmup: int, total: int) -> Schedule:
    """1, after a linear rise over `warmup` updates."""
    del total
    return lambda t: jnp.minimum(1.0, (t + 1) / max(warmup, 1))


def inverse_sqrt(warmup: int, total: int) -> Schedule:
    """Rises linearly, then falls as √(warmup / t) (Vaswani et al. 2017, §5.3)."""
    del total
    warmup = max(warmup, 1)
    return lambda t: jnp.minimum((t + 1) / warmup, jnp.sqrt(warmup / (t + 1)))


def cosine(warmup: int, total: int) -> Schedule:
    """Rises linearly, then falls to 0 at `total` along half a cosine (Loshchilov & Hutter 2017)."""
    rise = constant(warmup, total)
    span = max(total - warmup, 1)

    def factor(t):
        progress = jnp.clip((t - warmup) / span, 0.0, 1.0)
        return rise(t) * 0.5 * (1 + jnp.cos(jnp.pi * progress))

    return factor


SCHEDULES = MappingProxyType({"constant": constant, "inverse_sqrt": inverse_sqrt, "cosine": cosine})


def adam(clip: float, b1: float = 0.9, b2: float = 0.999) -> optax.GradientTransformation:
    """The direction to go: gradients clipped to a global norm, then Adam's."""
    return optax.chain(optax.clip_by_global_norm(clip), optax.scale_by_adam(b1, b2))


def move(params: Params, direction: Params, rate: Any, decay: Any, decays: Any) -> Params:
    """θ − rate · (direction + decay · θ), leaf by leaf; without decay · θ where `decays`, a tree of bools, says no."""

    def leaf(p, d, decaying):
        return p - rate * (d + decay * p if decaying else d)

    return jax.tree.map(leaf, params, direction, decays)
