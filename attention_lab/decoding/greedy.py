"""Greedy decoding: the most likely next token, until the sentence ends."""

from functools import partial

import jax
import jax.numpy as jnp

from attention_lab.marks import END, PAD, START
from attention_lab.mechanism.contracts import Array, Params
from attention_lab.models.base import Model


@partial(jax.jit, static_argnums=(0, 3))
def greedy(model: Model, params: Params, source: Array, longest: tuple[int, float]) -> Array:
    """The most likely next token, until END: source int[B, K] -> int[B, L], PAD after END."""
    limit, steps = limits(source, longest), most_steps(source.shape[1], longest)
    read, state = jax.vmap(lambda s: model.start(params, s, steps))(source)
    step = jax.vmap(partial(model.step, params))

    def unfinished(carry):
        number, _, token, _ = carry
        return (number < steps) & jnp.any(token != PAD)

    def one(carry):
        number, state, token, tokens = carry
        state, output = step(read, state, token)
        best = sayable(output.logits).argmax(-1).astype(token.dtype)
        over = (token == PAD) | (token == END) | (number >= limit)
        best = jnp.where(over, PAD, best)
        return number + 1, state, best, tokens.at[:, number].set(best)

    blank = jnp.full((source.shape[0], steps), PAD, source.dtype)
    first = jnp.full(source.shape[0], START, source.dtype)
    return jax.lax.while_loop(unfinished, one, (0, state, first, blank))[3]


def sayable(logits: Array) -> Array:
    """The logits [.., V], but −inf for padding and the start mark, which are no part of a sentence."""
    return logits.at[..., jnp.array([PAD, START])].set(-jnp.inf)


def limits(source: Array, longest: tuple[int, float]) -> Array:
    """The most target tokens of each source [B, K]: it depends on the sentence, not on its padding."""
    length = (source != PAD).sum(-1)
    return (longest[0] + longest[1] * length).astype(int)


def most_steps(width: int, longest: tuple[int, float]) -> int:
    """The limit of a source that fills all `width` positions."""
    return int(longest[0] + longest[1] * width)
