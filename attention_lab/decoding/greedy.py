"""Greedy decoding: the most likely next token, until the sentence ends."""

import math
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp

from attention_lab.mechanism.contracts import Array, Params
from attention_lab.models.base import Model
from attention_lab.padded import Padded
from attention_lab.special_tokens import END, PAD, START


class Sentences(NamedTuple):
    """The output: tokens int[B, L], PAD after END; their log-probability [B]; whether each ended with END, bool[B]."""

    tokens: Array
    log_probability: Array
    ended: Array


@partial(jax.jit, static_argnums=(0, 3))
def greedy(model: Model, params: Params, source: Padded, longest: tuple[int, float]) -> Sentences:
    """Chooses the most likely next token, until END or the limit of each source [B, K]."""
    most = model.limits(params).target
    batch, steps = len(source.valid), most_steps(model, source, longest, most)
    read, state = jax.vmap(lambda s: model.start(params, s, steps))(source)
    limit = limits(read.valid, longest, most)
    step = jax.vmap(partial(model.step, params))

    def unfinished(carry):
        number, _, token, _ = carry
        return (number < steps) & jnp.any(token != PAD)

    def extend(carry):
        number, state, token, greedy_output = carry
        state, output = step(read, state, token)
        logits = mask_special_tokens(output.logits)
        best = logits.argmax(-1).astype(token.dtype)
        finished = (token == PAD) | (token == END) | (number >= limit)
        log_probability = logits.max(-1) - jax.nn.logsumexp(output.logits, -1)
        best = jnp.where(finished, PAD, best)
        greedy_output = Sentences(
            greedy_output.tokens.at[:, number].set(best),
            greedy_output.log_probability + jnp.where(finished, 0, log_probability),
            greedy_output.ended | (best == END),
        )
        return number + 1, state, best, greedy_output

    first = jnp.full(batch, START, jnp.int32)
    blank = Sentences(
        jnp.full((batch, steps), PAD, jnp.int32), jnp.zeros(batch), jnp.zeros(batch, bool)
    )
    return jax.lax.while_loop(unfinished, extend, (0, state, first, blank))[3]


def mask_special_tokens(logits: Array) -> Array:
    """Returns the logits [.., V] with −inf for PAD and START, which do not occur in a sentence."""
    return logits.at[..., jnp.array([PAD, START])].set(-jnp.inf)


def limits(valid: Array, longest: tuple[int, float], most: int | None) -> Array:
    """Returns the most target tokens of each source with the states that are valid, bool[B, K], whatever its padding.

    most: the limit of the model, for any sentence.
    """
    limit = (longest[0] + longest[1] * valid.sum(-1)).astype(int)
    return limit if most is None else jnp.minimum(limit, most)


def most_steps(model: Model, source: Padded, longest: tuple[int, float], most: int | None) -> int:
    """Returns the limit of a source that fills all positions of a batch [B, ..]."""
    states = math.prod(-(-size // model.stride) for size in source.valid.shape[1:])
    steps = int(longest[0] + longest[1] * states)
    return steps if most is None else min(steps, most)
