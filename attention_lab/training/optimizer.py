"""The optimizer: Adam with decoupled weight decay and a learning-rate schedule.

    θ ← θ − η · schedule(t) · (adam(clip(∇)) + λ θ)            Kingma & Ba 2015; Loshchilov & Hutter 2019

η and λ are traced hyperparameters (`hyper`); the other settings are static. With λ = 0 it is Adam. Weight decay
applies to matrices only, as in nanoGPT: to embeddings, tables of positions (learned, location, shaw), projections and
W of scores, but not to norms, biases, a score's v or β, T5's biases and coverage's w.
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
    """Rises linearly over `warmup` updates, then stays 1."""
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
    """Returns the transformation that clips gradients to a global norm and then applies Adam, without learning rate."""
    return optax.chain(optax.clip_by_global_norm(clip), optax.scale_by_adam(b1, b2))


def move(params: Params, direction: Params, rate: Any, decay: Any, decays: Any) -> Params:
    """Returns θ − rate · (direction + decay · θ) for each leaf; without decay · θ if its leaf of `decays` is False.

    params: θ. direction: the output of `adam`. rate: η · schedule(t), []. decay: λ, []. decays: a tree of bools.
    """

    def leaf(p, d, decaying):
        return p - rate * (d + decay * p if decaying else d)

    return jax.tree.map(leaf, params, direction, decays)
