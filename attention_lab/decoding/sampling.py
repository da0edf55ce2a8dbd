"""Sampling: each next token is drawn from the distribution of the model, as a few settings change it.

    samples = sample(model, params, source, prompt, Sampling(temperature=0.8, top_k=50), jax.random.key(0))
    for token in stream(model, params, source[0], prompt[0], ..): ..   # the same tokens, one at a time

All texts of a batch are read from their first token on, one token at a time and at the same position, by
`model.step` with one cache. Where a prompt ends, the next token is drawn instead of given, so that prompts may have
different lengths and each token costs one step.

If a model has a table of positions (`Model.limits`) and it is full, the cache restarts at position 0 with the last half
of that many tokens, without START, as in a window from the middle of a text.
"""

from collections.abc import Iterator
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from attention_lab.decoding.filters import (
    NEUTRAL,
    TRACED,
    Sampling,
    checked_sampling,
    filtered,
    is_neutral,
)
from attention_lab.mechanism.contracts import Array, Params
from attention_lab.models.base import Model, Source
from attention_lab.padded import Padded
from attention_lab.special_tokens import PAD, START


class Samples(NamedTuple):
    """Generated tokens.

    tokens: int[B, L], without the prompt, with the token that ended it, then PAD; L = max_length.
    log_probabilities: [B, L] of each token under the model, before any setting changed its distribution, 0 at PAD.
    ended: bool[B], whether a token of `Sampling.end` was drawn. A text for which no token was possible has fewer than
    max_length tokens, and has not ended.
    """

    tokens: Array
    log_probabilities: Array
    ended: Array


class Texts(NamedTuple):
    """The texts of a batch, of which all have been read to the same place."""

    state: Any  # the model's, [B, ..]
    position: Array  # [] how many tokens the state has read
    cursor: Array  # [] the index of the token that is read next
    text: Array  # [B, W + L] the prompt, the generated tokens, then PAD
    prompt: Array  # [B] the length of the prompt, START included
    known: Array  # [B] the length of the text
    log_probabilities: Array  # [B, L]
    alive: Array  # bool[B], whether tokens are to be generated
    ended: Array  # bool[B]


def sample(
    model: Model, params: Params, source: Padded, prompt: Padded, sampling: Sampling, rng: Array
) -> Samples:
    """Continues each prompt [B, P] of a source [B, K]; a model without a source has K = 0.

    rng: a key for each text, [B], or one key [], from which and the number of a row the key of the row is made. The
    tokens of a row are a function of its source, its prompt and its key. Raises ValueError for settings that are out of
    range.
    """
    texts, extend = _begun(model, params, source, prompt, sampling, rng)
    return extend(texts, sampling.max_length)[1]


def sample_in_parts(
    model: Model,
    params: Params,
    source: Padded,
    prompt: Padded,
    sampling: Sampling,
    rng: Array,
    every: int,
) -> Iterator[Samples]:
    """Yields the samples so far, each time that `every` more tokens of all texts that have not ended are there.

    The last are those of `sample`, whose arguments these are.
    """
    first, extend = _begun(model, params, source, prompt, sampling, rng)

    def parts(texts):
        for until in range(every, sampling.max_length + every, every):
            texts, samples, alive = extend(texts, until)
            yield samples
            if not alive:
                return

    return parts(first)


def stream(
    model: Model, params: Params, source: Padded, prompt: Padded, sampling: Sampling, rng: Array
) -> Iterator[int]:
    """Yields the tokens that continue ONE prompt [P] of a source [K], each as soon as it is drawn.

    They are those of `sample` for a batch of this row with this key; and every one is computed by the same program,
    which updates the cache in place.
    """
    source, prompt, rng = jax.tree.map(lambda x: jnp.asarray(x)[None], (source, prompt, rng))
    parts = sample_in_parts(model, params, source, prompt, sampling, rng, every=1)
    tokens = (int(samples.tokens[0, number]) for number, samples in enumerate(parts))
    return (token for token in tokens if token != PAD)  # PAD: no token was possible


def _begun(model, params, source, prompt, sampling, rng):
    """Returns the texts of a batch before their first token, and the function of `_extend` from (texts, until)."""
    fixed, numbers = _divided(checked_sampling(sampling))
    rngs = _keys_of(rng, len(prompt.valid))
    read, texts = _begin(model, fixed, params, source, prompt)
    return texts, partial(_extend, model, fixed, params, numbers, source, read, rngs)


def _divided(sampling: Sampling) -> tuple[Sampling, dict[str, Any]]:
    """Returns the settings that are static under jit, and those that are traced."""
    names = [name for name in TRACED if name not in NEUTRAL or not is_neutral(sampling, name)]
    kinds = {name: int if name in ("top_k", "min_length") else float for name in names}
    numbers = {name: jnp.asarray(getattr(sampling, name), kinds[name]) for name in names}
    absent: dict[str, Any] = dict.fromkeys(names)
    return sampling._replace(**absent), numbers


def _keys_of(rng, batch):
    if not jax.dtypes.issubdtype(rng.dtype, jax.dtypes.prng_key) or rng.shape not in ((), (batch,)):
        raise ValueError(
            f"rng is {rng.dtype}{list(rng.shape)}; it must be a key that jax.random.key makes, or one for each of the "
            f"{batch} texts"
        )
    return rng if rng.shape else jax.vmap(jax.random.fold_in, (None, 0))(rng, jnp.arange(batch))


@partial(jax.jit, static_argnums=(0, 1))
def _begin(
    model: Model, sampling: Sampling, params: Params, source: Padded, prompt: Padded
) -> tuple[Source, Texts]:
    """Returns the encoded sources, and the texts before the first token is read."""
    batch, width = prompt.valid.shape
    text = jnp.where(prompt.valid, jnp.asarray(prompt.values, jnp.int32), PAD)
    known = jnp.asarray(prompt.valid).sum(-1)
    if sampling.start or not width:
        text = jnp.concatenate([jnp.full((batch, 1), START, jnp.int32), text], 1)
        known = known + 1
    else:
        text = text.at[:, 0].set(jnp.where(known == 0, START, text[:, 0]))
        known = jnp.maximum(known, 1)
    blank = jnp.full((batch, sampling.max_length), PAD, jnp.int32)
    text = jnp.concatenate([text, blank], 1)
    most = model.limits(params).target
    steps = text.shape[1] - 1  # the last token is not read
    length = steps if most is None else min(steps, most)
    read, state = jax.vmap(lambda s: model.start(params, s, length))(source)
    zero, none = jnp.zeros((), int), jnp.zeros(batch, bool)
    return read, Texts(
        state, zero, zero, text, known, known, jnp.zeros(blank.shape), alive=~none, ended=none
    )


@partial(jax.jit, static_argnums=(0, 1), donate_argnums=7)
def _extend(
    model: Model,
    sampling: Sampling,
    params: Params,
    numbers: dict[str, Any],
    source: Padded,
    read: Source,
    rngs: Array,
    texts: Texts,
    until: Any,
) -> tuple[Texts, Samples, Array]:
    """Reads the texts, and draws their next tokens, until `until` tokens of every text are there or it is complete."""
    sampling = sampling._replace(**numbers)
    most = model.limits(params).target
    rows, room = jnp.arange(len(texts.text)), texts.text.shape[1]
    step = jax.vmap(partial(model.step, params))
    draw = jax.vmap(partial(next_token, sampling=sampling))

    def due(texts):
        return jnp.any(texts.alive & (texts.known - texts.prompt < until))

    def restart(texts, most):
        _, state = jax.vmap(lambda s: model.start(params, s, most))(source)
        kept = max(most // 2, 1)
        return texts._replace(
            state=state, position=jnp.zeros_like(texts.position), cursor=texts.cursor + 1 - kept
        )

    def advance(texts):
        if most is not None and room - 1 > most:
            texts = jax.lax.cond(
                texts.position == most, partial(restart, most=most), lambda same: same, texts
            )
        token = jax.lax.dynamic_index_in_dim(texts.text, texts.cursor, 1, keepdims=False)
        state, output = step(read, texts.state, token)
        texts = texts._replace(state=state, position=texts.position + 1, cursor=texts.cursor + 1)
        # Texts of which the last token was read get the next one; the others are still given it.
        last = texts.alive & (texts.cursor == texts.known)
        generated = texts.known - texts.prompt
        token, log_probability, possible = jax.lax.cond(
            jnp.any(last), draw, _no_token, rngs, output.logits, texts.text, texts.known, generated
        )
        new = last & possible
        ends = new & jnp.isin(token, jnp.array(sampling.end, int))
        full = generated + 1 == sampling.max_length
        return texts._replace(
            text=texts.text.at[rows, jnp.where(new, texts.known, room)].set(token, mode="drop"),
            known=texts.known + new,
            log_probabilities=texts.log_probabilities.at[
                rows, jnp.where(new, generated, sampling.max_length)
            ].set(log_probability, mode="drop"),
            alive=texts.alive & ~(last & (~possible | ends | full)),
            ended=texts.ended | ends,
        )

    texts = jax.lax.while_loop(due, advance, texts)
    places = texts.prompt[:, None] + jnp.arange(sampling.max_length)[None]
    tokens = jnp.take_along_axis(texts.text, places, 1)
    samples = Samples(tokens, texts.log_probabilities, texts.ended)
    return texts, samples, jnp.any(texts.alive)


def next_token(
    rng: Array, logits: Array, text: Array, known: Array, generated: Array, sampling: Sampling
) -> tuple[Array, Array, Array]:
    """Returns a token [] drawn from `filtered`, its log-probability under the model, and whether any is possible.

    rng: of the text; that of a token is made from it and the number of generated tokens before.
    """
    allowed = filtered(logits, text, known, generated, sampling)
    token = jax.random.categorical(jax.random.fold_in(rng, generated), allowed)
    log_probability = logits[token] - jax.nn.logsumexp(logits)
    return token.astype(text.dtype), log_probability, jnp.any(jnp.isfinite(allowed))


def _no_token(rngs, logits, text, known, generated):
    del rngs, known, generated
    batch = len(text)
    return (
        jnp.full(batch, PAD, text.dtype),
        jnp.zeros(batch, logits.dtype),
        jnp.zeros(batch, bool),
    )
