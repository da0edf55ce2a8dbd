"""The optimizers: Adam or Adafactor, with decoupled weight decay and a learning-rate schedule.

    θ ← θ − η · schedule(t) · (adam(clip(∇)) + λ θ)            Kingma & Ba 2015; Loshchilov & Hutter 2019

η and λ are traced hyperparameters (`hyper`); the other settings are static. With λ = 0 it is Adam. Weight decay
applies to matrices only, as in nanoGPT: to embeddings, tables of positions (learned, location, shaw), projections and
W of scores, but not to norms, biases, a score's v or β, T5's biases and coverage's w.
"""

import functools
from collections.abc import Callable
from types import MappingProxyType
from typing import Any

import jax
import jax.numpy as jnp
import optax

from attention_lab.mechanism.contracts import Array, Params

Schedule = Callable[[Array], Array]  # t -> a factor whose peak is 1


def constant(warmup: int, total: int, final: float = 0.0) -> Schedule:
    """Rises linearly over `warmup` updates, then stays 1."""
    del total, final
    return lambda t: jnp.minimum(1.0, (t + 1) / max(warmup, 1))


def inverse_sqrt(warmup: int, total: int, final: float = 0.0) -> Schedule:
    """Rises linearly, then falls as √(warmup / t) (Vaswani et al. 2017, §5.3)."""
    del total, final
    warmup = max(warmup, 1)
    return lambda t: jnp.minimum((t + 1) / warmup, jnp.sqrt(warmup / (t + 1)))


def level_inverse_sqrt(warmup: int, total: int, final: float = 0.0) -> Schedule:
    """Is 1 for `warmup` updates, then falls as √(warmup / t) (Raffel et al. 2020, §3.1.2)."""
    del total, final
    warmup = max(warmup, 1)
    return lambda t: jnp.sqrt(warmup / jnp.maximum(t + 1, warmup))


def cosine(warmup: int, total: int, final: float = 0.0) -> Schedule:
    """Rises linearly, then falls to `final` at `total` along half a cosine (Loshchilov & Hutter 2017)."""
    rise = constant(warmup, total)
    span = max(total - warmup, 1)

    def factor(t):
        progress = jnp.clip((t - warmup) / span, 0.0, 1.0)
        return rise(t) * (final + (1 - final) * 0.5 * (1 + jnp.cos(jnp.pi * progress)))

    return factor


SCHEDULES = MappingProxyType(
    {
        "constant": constant,
        "inverse_sqrt": inverse_sqrt,
        "level_inverse_sqrt": level_inverse_sqrt,
        "cosine": cosine,
    }
)
FROM_PEAK = ("level_inverse_sqrt",)  # schedules that do not rise


@functools.cache  # equal optimizers are one object, for which programs are compiled once
def adam(clip: float, b1: float = 0.9, b2: float = 0.999) -> optax.GradientTransformation:
    """Returns the transformation that clips gradients to a global norm and then applies Adam, without learning rate."""
    return optax.chain(optax.clip_by_global_norm(clip), optax.scale_by_adam(b1, b2))


@functools.cache
def adafactor(clip: float, b1: float = 0.0, b2: float = 0.999) -> optax.GradientTransformation:
    """Returns Adafactor (Shazeer & Stern 2018, algorithm 5) without learning rate, after clipping to a global norm.

    The second moments of a matrix are those of its rows and columns; their decay is 1 − t^−0.8, so that b2 is not
    used. Steps are clipped to a root mean square of 1, and are relative to that of the parameter. b1: the decay of
    the first moment; 0, as in the paper: there is none.
    """
    del b2
    first = [optax.ema(b1, debias=False)] if b1 else []
    return optax.chain(
        optax.clip_by_global_norm(clip),
        optax.scale_by_factored_rms(),
        optax.clip_by_block_rms(1.0),
        optax.scale_by_param_block_rms(),
        *first,
    )


OPTIMIZERS = MappingProxyType({"adam": adam, "adafactor": adafactor})


def move(params: Params, direction: Params, rate: Any, decay: Any, decays: Any) -> Params:
    """Returns θ − rate · (direction + decay · θ) for each leaf; without decay · θ if its leaf of `decays` is False.

    params: θ. direction: the output of `adam`. rate: η · schedule(t), []. decay: λ, []. decays: a tree of bools.
    """

    def leaf(p, d, decaying):
        return p - rate * (d + decay * p if decaying else d)

    return jax.tree.map(leaf, params, direction, decays)
