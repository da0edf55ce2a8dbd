"""The settings of sampling, their ranges, and what each does to the logits of the next token."""

from numbers import Integral, Real
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from attention_lab.mechanism.contracts import Array
from attention_lab.special_tokens import END, PAD, START


class Sampling(NamedTuple):
    """How a next token is drawn; `filtered` gives the formulas.

    temperature: divides the logits; 0: the most likely token, as in greedy decoding. top_k: only the k most likely
    tokens can be drawn; 0: all. top_p: only the fewest most likely tokens with this probability (Holtzman et al. 2020).
    repetition_penalty: of the tokens that the text contains, its prompt included (Keskar et al. 2019). no_repeat_ngram:
    no n-gram occurs twice in the text, its prompt included; 0: any may. min_length, max_length: the least and the most
    generated tokens; `end` counts as one, and comes after at least min_length others. banned: tokens that are never
    generated, as PAD and START. end: the tokens that end a text. start: whether START is read before a prompt, since it
    is the beginning of a text; START is read before an empty prompt in any case.

    temperature, top_k, top_p, repetition_penalty and min_length may be arrays [], and other numbers need no compilation.
    """

    temperature: Any = 1.0
    top_k: Any = 0
    top_p: Any = 1.0
    repetition_penalty: Any = 1.0
    no_repeat_ngram: int = 0
    min_length: Any = 0
    max_length: int = 256
    banned: tuple[int, ...] = ()
    end: tuple[int, ...] = (END,)
    start: bool = True


# The values of settings that change nothing; they cost nothing either.
NEUTRAL = {"top_k": 0, "top_p": 1.0, "repetition_penalty": 1.0}
TRACED = ("temperature", *NEUTRAL, "min_length")
# Bounds of what fits into memory, and of one loop in the code of a compiled program.
MOST, LARGEST, LONGEST_NGRAM = 2**16, 2**30, 64


def checked_sampling(sampling: Sampling) -> Sampling:
    """Returns the settings. Raises ValueError, with the field and what is expected, if one is out of range.

    A setting that is traced has no value yet, and is not checked.
    """
    numbers = {
        name: value.item() if isinstance(value, jax.Array) and not value.shape else value
        for name, value in sampling._asdict().items()
        if not isinstance(value, jax.core.Tracer)
    }
    longest = sampling.max_length
    _check_number(numbers, "max_length", Integral, 1, MOST)
    _check_number(numbers, "temperature", Real, 0, 100)
    _check_number(numbers, "top_k", Integral, 0, LARGEST)
    _check_number(numbers, "repetition_penalty", Real, 0.01, 100)
    _check_number(numbers, "no_repeat_ngram", Integral, 0, LONGEST_NGRAM)
    _check_number(numbers, "min_length", Integral, 0, longest, f" (max_length is {longest:,})")
    top_p = numbers.get("top_p", 1.0)
    if not (_is_number(top_p, Real) and 0 < top_p <= 1):
        raise ValueError(f"top_p is {top_p!r}; it must be a number above 0, and at most 1")
    for name in ("banned", "end"):
        ids = numbers[name]
        if not (isinstance(ids, tuple) and all(_is_number(i, Integral) and i >= 0 for i in ids)):
            raise ValueError(f"{name} is {ids!r}; it must be a tuple of ids, such as (4, 7)")
    if not isinstance(sampling.start, bool):
        raise ValueError(f"start is {sampling.start!r}; it must be True or False")
    return sampling


def _check_number(numbers, name, kind, least, most, why=""):
    """Raises ValueError if the number of that name is not of its kind, or not between its bounds."""
    value = numbers.get(name, least)
    if not (_is_number(value, kind) and least <= value <= most):
        what = "whole number" if kind is Integral else "number"
        raise ValueError(f"{name} is {value!r}; it must be a {what} from {least} to {most:,}{why}")


def _is_number(value, kind):
    return isinstance(value, kind) and not isinstance(value, bool | np.bool_)


def is_neutral(sampling: Sampling, name: str) -> bool:
    """Returns whether a setting is known to change nothing, so that no code is needed for it."""
    value = getattr(sampling, name)
    return isinstance(value, Real) and value == NEUTRAL[name]


def filtered(
    logits: Array, text: Array, known: Array, generated: Array, sampling: Sampling
) -> Array:
    """Returns the logits [V] of the distribution from which the next token is drawn; −inf where that is impossible.

    The model's logits [V] are changed in this order: (1) `penalized` by the tokens of the text; (2) −inf for tokens that
    would complete an n-gram of the text (`repeats`), for `end` before min_length, for PAD, START and `banned`; (3)
    `tempered`; (4) −inf for tokens that are not among the `likeliest`: the top k, then of these the nucleus. All are
    −inf if no token is possible.
    text: int[L] of which the first `known` tokens exist, the prompt included; generated: how many follow the prompt.
    """
    size = logits.shape[-1]
    # A model that is not finite has no certain token, and NaN orders nothing.
    logits = jnp.where(
        jnp.isnan(logits), -jnp.inf, jnp.minimum(logits, jnp.finfo(logits.dtype).max)
    )
    if not is_neutral(sampling, "repetition_penalty"):
        logits = penalized(logits, text, known, sampling.repetition_penalty)
    forbidden = _among((PAD, START, *sampling.banned), size)
    forbidden = forbidden | (_among(sampling.end, size) & (generated < sampling.min_length))
    if sampling.no_repeat_ngram:
        forbidden = forbidden | repeats(text, known, sampling.no_repeat_ngram, size)
    logits = tempered(jnp.where(forbidden, -jnp.inf, logits), sampling.temperature)
    if is_neutral(sampling, "top_k") and is_neutral(sampling, "top_p"):
        return logits
    return jnp.where(likeliest(logits, sampling.top_k, sampling.top_p), logits, -jnp.inf)


def penalized(logits: Array, text: Array, known: Array, penalty: Any) -> Array:
    """Returns the logits [V] with those of the tokens of text[:known] divided by the penalty, or multiplied if negative."""
    (size,) = logits.shape
    tokens = jnp.where(jnp.arange(len(text)) < known, text, size)
    seen = jnp.zeros(size, bool).at[tokens].set(True, mode="drop")
    penalty = jnp.asarray(penalty, logits.dtype)
    return jnp.where(seen, jnp.where(logits > 0, logits / penalty, logits * penalty), logits)


def repeats(text: Array, known: Array, n: int, size: int) -> Array:
    """Returns bool[V], for V = size: the tokens that would complete an n-gram that text[:known] contains already."""
    starts = jnp.arange(len(text))
    same = starts + n <= known
    for j in range(n - 1):  # n-grams of the text that begin with its last n − 1 tokens
        same &= jnp.roll(text, -j) == jnp.take(text, known - (n - 1) + j, mode="clip")
    completions = jnp.where(same, jnp.roll(text, -(n - 1)), size)
    return jnp.zeros(size, bool).at[completions].set(True, mode="drop")


def tempered(logits: Array, temperature: Any) -> Array:
    """Returns (logits − their maximum) / temperature, [V]; at 0 all are −inf but the first that is greatest."""
    temperature = jnp.asarray(temperature, logits.dtype)
    possible = jnp.isfinite(logits)
    only = possible & (jnp.arange(len(logits)) == logits.argmax())
    divided = (logits - logits.max()) / jnp.where(temperature > 0, temperature, 1)
    return jnp.where(
        temperature > 0, jnp.where(possible, divided, -jnp.inf), jnp.where(only, 0.0, -jnp.inf)
    )


def likeliest(logits: Array, top_k: Any, top_p: Any) -> Array:
    """Returns bool[V]: the k greatest logits, and of these the fewest greatest whose probabilities sum to top_p or more.

    The probabilities are those of the k. At least one token is kept; of equal logits the first are.
    """
    order = jnp.argsort(-logits, stable=True)
    ranked = logits[order]
    kept = (jnp.arange(len(logits)) < top_k) | jnp.asarray(top_k < 1)
    sums = jnp.cumsum(jax.nn.softmax(jnp.where(kept, ranked, -jnp.inf)))
    before = jnp.concatenate([jnp.zeros_like(sums[:1]), sums[:-1]])
    kept &= (before < top_p) | jnp.asarray(top_p >= 1)
    last = order[jnp.maximum(kept.sum() - 1, 0)]
    ties = (logits == logits[last]) & (jnp.arange(len(logits)) <= last)
    return (logits > logits[last]) | ties


def _among(ids, size):
    """Returns bool[V] for V = size. Raises ValueError if an id is not in the vocabulary."""
    if max(ids, default=0) >= size:
        raise ValueError(
            f"id {max(ids)} is to be banned or to end texts, but the vocabulary has {size} tokens"
        )
    return jnp.asarray(np.isin(np.arange(size), ids))
