"""Beam search: the N best prefixes of every sentence are extended by a token, and the N best of these are kept.

A hypothesis that is complete leaves the beam, which shrinks until it is empty (Sutskever et al. 2014, §3.2): a beam
of one is greedy. The loop is over positions of the whole batch; inside, `model.step` is mapped over sentences and
beams, and the source is not mapped over beams. A full beam (`Search.full`) has 2 N candidates at each position instead,
of which the N best that have not ended are extended. When half of the searches are finished, the others continue in a
batch of half the size. Attention weights are stored by step, with pointers to parents, and traced back once.
"""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from attention_lab.decoding.greedy import greedy, limits, mask_special_tokens, most_steps
from attention_lab.decoding.search import Search, checked
from attention_lab.mechanism.contracts import Array, Params
from attention_lab.models.base import Model, Source
from attention_lab.padded import Padded
from attention_lab.special_tokens import END, PAD, START


class Hypotheses(NamedTuple):
    """The hypotheses of each sentence, best first.

    tokens: int[B, N, L], END included, then PAD; scores: [B, N] −inf if there is none; ended: bool[B, N],
    False if the length limit truncated it; log_probability: [B, N]; weights: by layer [B, N, L, H, K], or None.
    """

    tokens: Array
    scores: Array
    ended: Array
    log_probability: Array
    weights: dict[str, Array] | None


class Beam(NamedTuple):
    """The state of the search at one position: N prefixes of each of B sentences, and the complete hypotheses."""

    read: Source  # the encoded source, [B, ..]
    limit: Array  # [B] the most tokens
    state: Any  # the model's, [B, N, ..]
    token: Array  # [B, N] the last one
    alive: Array  # [B, N] log-probability, −inf if the beam has shrunk
    coverage: Array  # [B, N, K] Σ_i w_ij
    done: "Done"
    tokens: Array  # [B, W, L] of the candidates of every step, of which the first N are the prefixes, and
    parents: Array  # [B, W, L] the beam that each continued
    weights: dict[str, Array] | None  # [B, N, L, H, K]


class Done(NamedTuple):
    """The N best complete hypotheses so far, each as a pointer to its last token."""

    scores: Array  # [B, N]
    ended: Array  # bool[B, N]
    log_probability: Array  # [B, N]
    number: Array  # [B, N] the step of the last token
    beam: Array  # [B, N] and its index among the candidates


@partial(jax.jit, static_argnums=(0, 3, 4))
def decode(
    model: Model, params: Params, source: Padded, search: Search, weights: bool = False
) -> Hypotheses:
    """Returns the N best translations of each source [B, K], by `beam` or, if the result is the same, by `greedy`.

    For a beam of one without weights, greedy is the shorter program and compiles in half the time.
    """
    if checked(search).beam > 1 or weights or search.coverage_penalty:
        return beam(model, params, source, search, weights)
    output = greedy(model, params, source, search.longest)
    length = (output.tokens != PAD).sum(-1)
    score = final_score(search, length, None, output.log_probability, None)
    tokens, score, ended, total = (
        x[:, None] for x in (output.tokens, score, output.ended, output.log_probability)
    )
    return Hypotheses(tokens, score, ended, total, None)


@partial(jax.jit, static_argnums=(0, 3, 4, 5))
def beam(
    model: Model,
    params: Params,
    source: Padded,
    search: Search,
    weights: bool = False,
    min_batch: int = 32,
) -> Hypotheses:
    """Returns the N best translations of each source [B, K].

    min_batch: batches of at most this size are not reduced further, since each size is one more loop to compile.
    """
    size, batch = checked(search).beam, len(source.valid)
    full = _is_full(search)
    width = 2 * size if full else size
    most = model.limits(params).target
    steps = most_steps(model, source, search.longest, most)
    needs_weights = weights or search.coverage_penalty != 0
    over_beams = jax.vmap(partial(model.step, weights=needs_weights), (None, None, 0, 0))
    step = partial(jax.vmap(over_beams, (None, 0, 0, 0)), params)

    def extend(number, beam):
        after, output = step(beam.read, beam.state, beam.token)
        logits = output.logits
        # The W best of N · V are among the W best of each prefix: two small sorts, and no log-softmax of all.
        per_prefix = min(width, logits.shape[-1])
        best, token = greatest(mask_special_tokens(logits), per_prefix)
        best = best - jax.nn.logsumexp(logits, -1, keepdims=True) + beam.alive[..., None]
        best = jnp.where(jnp.isnan(best), -jnp.inf, best)  # which a sort places first
        best, flat = jax.lax.top_k(best.reshape(len(best), -1), width)
        parent = flat // per_prefix
        token = jnp.take_along_axis(token.reshape(len(best), -1), flat, 1).astype(jnp.int32)
        # Where there are fewer than N continuations, the model reads END in place of the missing ones.
        token = jnp.where(jnp.isfinite(best), token, END)
        counts = jnp.broadcast_to(jnp.arange(width) < size, token.shape)
        if full:  # those that continue come first; of those that end, the N best candidates count
            order = jnp.argsort(token == END, axis=-1, stable=True)
            token, parent, best, counts = (pick(x, order) for x in (token, parent, best, counts))
        coverage = beam.coverage
        if needs_weights and output.weights:
            cross = [w.mean(-2) for p, w in output.weights.items() if p.startswith("cross/")]
            coverage = coverage + sum(cross) / len(cross)
        coverage = pick(coverage, parent)
        # A search that cannot improve any more is finished, even while the rest of the batch continues.
        best = jnp.where(can_improve(search, number, beam)[:, None], best, -jnp.inf)
        ends = token == END
        leaves = ends | (number + 1 >= beam.limit)[:, None]
        score = final_score(search, number + 1, beam.read.valid, best, coverage)
        new = Done(
            jnp.where(leaves & counts & jnp.isfinite(best), score, -jnp.inf),
            ends,
            best,
            jnp.full_like(parent, number),
            jnp.broadcast_to(jnp.arange(width), parent.shape),
        )
        rows = beam.weights
        if weights:
            rows = jax.tree.map(lambda r, w: r.at[:, :, number].set(w), rows, output.weights)
        return beam._replace(
            state=jax.tree.map(lambda x: pick(x, parent[:, :size]), after),
            token=token[:, :size],
            alive=jnp.where(leaves, -jnp.inf, best)[:, :size],
            coverage=coverage[:, :size],
            done=best_of(beam.done, new, full),
            tokens=beam.tokens.at[:, :, number].set(token),
            parents=beam.parents.at[:, :, number].set(parent),
            weights=rows,
        )

    def run(number, beam):
        """Runs all searches until they are finished; the last ones run in smaller batches."""
        count = len(beam.limit)
        left = count // 2 if count > min_batch else 0

        def unfinished(carry):
            return (carry[0] < steps) & (jnp.sum(can_improve(search, *carry)) > left)

        number, beam = jax.lax.while_loop(
            unfinished, lambda carry: (carry[0] + 1, extend(*carry)), (number, beam)
        )
        if not left:
            return beam
        rows = jnp.argsort(~can_improve(search, number, beam))[:left]
        rest = run(number, jax.tree.map(lambda x: x[rows], beam))
        return jax.tree.map(lambda x, y: x.at[rows].set(y), beam, rest)

    read, state = jax.vmap(lambda s: model.start(params, s, steps))(source)
    first = Beam(
        read=read,
        limit=limits(read.valid, search.longest, most),
        state=jax.tree.map(lambda x: jnp.repeat(x[:, None], size, 1), state),
        token=jnp.full((batch, size), START, jnp.int32),
        # All beams are equal at first: only one of them has a finite score.
        alive=jnp.broadcast_to(jnp.where(jnp.arange(size) == 0, 0.0, -jnp.inf), (batch, size)),
        coverage=jnp.zeros((batch, size, read.valid.shape[1])),
        done=Done(
            jnp.full((batch, size), -jnp.inf),
            jnp.zeros((batch, size), bool),
            jnp.full((batch, size), -jnp.inf),
            jnp.zeros((batch, size), int),
            jnp.zeros((batch, size), int),
        ),
        tokens=jnp.full((batch, width, steps), PAD, jnp.int32),
        parents=jnp.zeros((batch, width, steps), int),
        weights=None,
    )
    if weights:
        shapes = jax.eval_shape(lambda: step(first.read, first.state, first.token)[1].weights)
        blank = jax.tree.map(
            lambda s: jnp.zeros((batch, size, steps, *s.shape[2:]), s.dtype), shapes
        )
        first = first._replace(weights=blank)
    last = run(jnp.zeros((), int), first)
    tokens, rows = trace_back(last)
    done = last.done
    return Hypotheses(tokens, done.scores, done.ended, done.log_probability, rows)


def _is_full(search: Search) -> bool:
    return search.full and search.beam > 1  # a beam of one is greedy


def _length_penalty(search: Search, length: Any) -> Any:
    """((k + length) / (k + 1))^α"""
    offset = search.length_offset
    return ((offset + length) / (offset + 1)) ** search.length_penalty


def final_score(search, length, valid, log_probability, coverage):
    """Returns the score [B, N] by which translations of `length` tokens are ranked (Wu et al. 2016, eq. 14)."""
    score = log_probability / _length_penalty(search, length)
    if search.coverage_penalty:
        logs = jnp.where(valid[:, None], jnp.log(jnp.clip(coverage, 1e-9, 1.0)), 0)
        score = score + search.coverage_penalty * logs.sum(-1)
    return score


def can_improve(search: Search, number: Array, beam: Beam) -> Array:
    """Returns bool[B], whether a prefix may still displace one of the n best hypotheses.

    In a full beam this is an estimate, for which all N hypotheses count: a longer prefix may have a better score.
    """
    if _is_full(search):
        best, worst = beam.alive.max(1), beam.done.scores[:, -1]
        best = best / _length_penalty(search, jnp.maximum(number, 1))
        finished = search.early & jnp.isfinite(worst)
        return (number < beam.limit) & jnp.isfinite(best) & (best > worst) & ~finished
    largest_penalty = jnp.maximum(_length_penalty(search, beam.limit), 1.0)
    upper_bound = beam.alive.max(1) / largest_penalty
    threshold = beam.done.scores[:, search.n_best - 1]
    threshold = jnp.where(beam.done.ended[:, search.n_best - 1], threshold, -jnp.inf)
    return (number < beam.limit) & jnp.isfinite(upper_bound) & (upper_bound > threshold)


def greatest(x: Array, count: int, groups: int = 64) -> tuple[Array, Array]:
    """Returns the `count` greatest of x [.., V] and their indices, as `jax.lax.top_k` does, by two smaller top_k.

    The greatest elements are members of the `count` groups with the greatest maxima.
    """
    size = -(-x.shape[-1] // groups)
    padding = [(0, 0)] * (x.ndim - 1) + [(0, groups * size - x.shape[-1])]
    grouped = jnp.pad(x, padding, constant_values=-jnp.inf).reshape(*x.shape[:-1], groups, size)
    _, chosen = jax.lax.top_k(grouped.max(-1), min(count, groups))
    chosen = jnp.sort(chosen, -1)  # of equal elements the first is chosen, as by top_k
    members = jnp.take_along_axis(grouped, chosen[..., None], -2)
    best, index = jax.lax.top_k(members.reshape(*x.shape[:-1], -1), count)
    group = jnp.take_along_axis(chosen, index // size, -1)
    return best, group * size + index % size


def pick(x: Array, parent: Array) -> Array:
    """Returns x [B, N, ..] with its beams reordered: row n becomes row parent[b, n]."""
    return jax.vmap(lambda rows, order: rows[order])(x, parent)


def best_of(old: Done, new: Done, full: bool = False) -> Done:
    """Returns the N best of both; truncated hypotheses rank below all that ended with END, but not in a full beam."""
    both = jax.tree.map(lambda a, b: jnp.concatenate([a, b], 1), old, new)
    rank = jnp.where(both.ended | full, both.scores, both.scores - 1e9)
    _, order = jax.lax.top_k(rank, old.scores.shape[1])
    return jax.tree.map(lambda x: pick(x, order), both)


def trace_back(beam: Beam) -> tuple[Array, dict[str, Array] | None]:
    """Returns the tokens [B, N, L] and weights [B, N, L, H, K] of complete hypotheses, by following their parents."""

    def previous(slot, inputs):
        number, tokens, parents, weights = inputs
        inside = (number <= beam.done.number) & jnp.isfinite(beam.done.scores)
        token = jnp.where(inside, jnp.take_along_axis(tokens, slot, 1), PAD)
        parent = jnp.take_along_axis(parents, slot, 1)

        def row(w):
            mask = inside.reshape(*inside.shape, *(1,) * (w.ndim - 2))
            return jnp.where(mask, pick(w, parent), 0)

        return jnp.where(inside, parent, slot), (token, jax.tree.map(row, weights))

    by_step = jax.tree.map(
        lambda x: jnp.moveaxis(x, 2, 0), (beam.tokens, beam.parents, beam.weights)
    )
    inputs = (jnp.arange(beam.tokens.shape[2]), *by_step)
    _, (tokens, weights) = jax.lax.scan(previous, beam.done.beam, inputs, reverse=True)
    return jax.tree.map(lambda x: jnp.moveaxis(x, 0, 2), (tokens, weights))
