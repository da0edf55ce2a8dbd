"""Greedy and beam search, whole, against searches in plain loops that never stop early.

The model is a table: the logits of the next token depend on the last one and on how many there were.
"""

import math
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from attention_lab.decoding import Search, beam, decode, greedy
from attention_lab.models import Model, Output
from attention_lab.models.base import Limits, Source
from attention_lab.special_tokens import END, PAD, START
from tests.models.small import tokens

V, STEPS, H, K = 7, 8, 2, 3
SOURCES = [[END, PAD, PAD], [4, 4, END]]


@cache
def table(target=None, watched=None):
    """The model whose params are {"logits": [B?, t, V, V], "weights": [t, V, H, K]}, read by the step t."""

    def start(params, source, length):
        return Source(source.values[0], source.valid), jnp.zeros((), int)

    def step(params, read, state, token, *, weights=False):
        if watched is not None:
            jax.debug.callback(watched.add, state)
        looked = params["weights"][state, token]
        shown = {"cross/0": looked, "cross/1": looked[:1], "decoder/0": looked[:, :1]}
        return state + 1, Output(params["logits"][state, token], shown if weights else None)

    limited = Limits(None, target)
    return Model("table", lambda rng: None, lambda *_: None, start, step, limits=lambda p: limited)


class Watched(set):
    """The numbers of the steps that were taken."""

    __hash__ = object.__hash__
    __eq__ = object.__eq__

    def add(self, step):
        super().add(int(step))


def params_of(seed, scale=2.0):
    rng = np.random.default_rng(seed)
    weights = rng.dirichlet(np.ones(K), (STEPS, V, H))
    weights[..., K - 1] = 0
    return {
        "logits": jnp.asarray(rng.normal(scale=scale, size=(STEPS, V, V))),
        "weights": jnp.asarray(weights),
    }


def logs_of(params):
    logits = np.asarray(params["logits"])
    return logits - np.log(np.exp(logits).sum(-1, keepdims=True))


def said_greedily(params, limit):
    """Tokens, log-probability, and whether it ended, one token at a time."""
    logs, words, total = logs_of(params), [], 0.0
    while len(words) < limit and END not in words:
        each = logs[len(words), words[-1] if words else START]
        best = max((v for v in range(V) if v not in (PAD, START)), key=lambda v: each[v])
        words, total = [*words, best], total + each[best]
    return words, total, END in words


@pytest.mark.parametrize("longest, target", [((2, 1.0), None), ((0, 1.0), None), ((6, 1.0), 4)])
def test_greedy_says_the_most_likely_token_until_the_end_or_the_limit(longest, target):
    ends = set()
    for seed in range(6):
        params = params_of(seed)
        found = greedy(table(target), params, tokens(SOURCES), longest)
        for b, source in enumerate(SOURCES):
            most = longest[0] + longest[1] * sum(token != PAD for token in source)
            limit = int(most if target is None else min(most, target))
            words, total, ended = said_greedily(params, limit)
            padded = words + [PAD] * (found.tokens.shape[1] - len(words))
            assert found.tokens[b].tolist() == padded
            assert float(found.log_probability[b]) == pytest.approx(total, rel=1e-6)
            assert bool(found.ended[b]) == ended
            ends.add(ended)
    assert ends == {True, False}
    assert found.tokens.shape[1] == (4 if target else longest[0] + 3)


def test_greedy_takes_no_step_after_the_last_end():
    params = params_of(0)
    later = (
        params["logits"].at[:, :, END].add(jnp.where(jnp.arange(STEPS) == 2, 99.0, -99.0)[:, None])
    )
    steps = Watched()
    found = greedy(table(None, steps), params | {"logits": later}, tokens(SOURCES), (5, 1.0))
    jax.effects_barrier()
    # One more than there are tokens: that it has ended is seen when padding was said.
    assert found.ended.all() and (found.tokens != PAD).sum(1).tolist() == [3, 3]
    assert steps == {0, 1, 2, 3}


def searched(params, source, search):
    """(score, ended, log-probability, tokens) of the n best, by a beam search that goes on to the limit.

    N beginnings live; the N best continuations are kept, and of them those that end, or that the limit cuts, leave.
    """
    logs, looks = logs_of(params), np.asarray(params["weights"])
    real = sum(token != PAD for token in source)
    limit = int(search.longest[0] + search.longest[1] * real)
    alive, done = [(0.0, [], np.zeros(K))], []
    for t in range(limit):
        grown = []
        for total, words, seen in alive:
            last = words[-1] if words else START
            # Two attentions, one of two heads and one of one: the mean of heads, then of attentions.
            looked = (looks[t, last].mean(0) + looks[t, last, 0]) / 2
            for v in set(range(V)) - {PAD, START}:
                grown.append((total + logs[t, last, v], [*words, v], seen + looked))
        best = sorted(grown, key=lambda one: -one[0])[: search.beam]
        alive = []
        for total, words, seen in best:
            if words[-1] == END or len(words) == limit:
                score = total / ((5 + len(words)) / 6) ** search.length_penalty
                covered = sum(math.log(max(1e-9, min(seen[j], 1))) for j in range(real))
                done.append(
                    (score + search.coverage_penalty * covered, words[-1] == END, total, words)
                )
            else:
                alive.append((total, words, seen))
    return sorted(done, key=lambda one: (-one[1], -one[0]))[: search.n_best]


@pytest.mark.parametrize(
    "search",
    [
        Search(3, 0.0, 0.0, (5, 1.0), 1),
        Search(3, 1.0, 0.0, (5, 1.0), 2),
        Search(4, 0.6, 0.0, (2, 1.0), 4),
        Search(2, 2.0, 0.0, (5, 1.0), 2),
        Search(3, 1.0, 0.0, (0, 1.0), 3),
        Search(1, 0.7, 0.0, (5, 1.0), 1),
    ],
    ids=str,
)
def test_stopping_early_loses_none_of_the_n_best(search):
    lengths = set()
    for seed in range(12):
        params = params_of(seed, scale=1.0 + seed % 3)
        found = decode(table(), params, tokens(SOURCES), search)
        for b, source in enumerate(SOURCES):
            for n, (score, ended, total, words) in enumerate(searched(params, source, search)):
                assert [t for t in found.tokens[b, n].tolist() if t != PAD] == words
                assert float(found.scores[b, n]) == pytest.approx(score, rel=1e-6)
                assert float(found.log_probability[b, n]) == pytest.approx(total, rel=1e-6)
                assert bool(found.ended[b, n]) == ended
                lengths.add((len(words), ended))
    assert len(lengths) > 2


def searched_full(params, source, search):
    """(score, ended, log-probability, tokens) of the N best, by a search whose beam stays full, as transformers has it.

    Of the 2 N best continuations, those among the first N that end are complete; the N best others live.
    """
    logs, limit = logs_of(params), int(search.longest[0] + search.longest[1] * len(source))

    def scored(total, length):
        offset = search.length_offset
        return total / ((offset + length) / (offset + 1)) ** search.length_penalty

    alive, done = [(0.0, [])], []
    for t in range(limit):
        grown = [
            (total + logs[t, words[-1] if words else START, v], [*words, v])
            for total, words in alive
            for v in set(range(V)) - {PAD, START}
        ]
        best = sorted(grown, key=lambda one: -one[0])[: 2 * search.beam]
        ends = [words[-1] == END or t + 1 == limit for _, words in best]
        for (total, words), end in list(zip(best, ends, strict=True))[: search.beam]:
            if end:
                done.append((scored(total, t + 1), words[-1] == END, total, words))
        done = sorted(done, key=lambda one: -one[0])[: search.beam]
        alive = [one for one, end in zip(best, ends, strict=True) if not end][: search.beam]
        full = len(done) == search.beam
        if full and (search.early or scored(alive[0][0], t + 1) <= done[-1][0] if alive else True):
            break
    return done


FULL = [
    Search(3, 1.0, 0.0, (5, 1.0), 3, 0.0, True),
    Search(2, 0.0, 0.0, (5, 1.0), 2, 0.0, True),
    Search(4, 2.0, 0.0, (2, 1.0), 4, 0.0, True, True),
    Search(2, 0.7, 0.0, (5, 1.0), 1, 5.0, True),
]


@pytest.mark.parametrize("search", FULL, ids=str)
def test_a_full_beam_goes_on_with_as_many_where_some_have_ended(search):
    lengths, narrower = set(), 0
    shrinking = search._replace(full=False, early=False)
    for seed in range(12):
        params = params_of(seed, scale=1.0 + seed % 3)
        found, other = (
            decode(table(), params, tokens(SOURCES), one) for one in (search, shrinking)
        )
        narrower += not np.array_equal(found.tokens, other.tokens)
        for b, source in enumerate([SOURCES[0], SOURCES[1]]):
            expected = searched_full(params, [i for i in source if i != PAD], search)
            for n, (score, ended, total, words) in enumerate(expected):
                assert [t for t in found.tokens[b, n].tolist() if t != PAD] == words
                assert float(found.scores[b, n]) == pytest.approx(score, rel=1e-5)
                assert float(found.log_probability[b, n]) == pytest.approx(total, rel=1e-5)
                assert bool(found.ended[b, n]) == ended
                lengths.add((len(words), ended))
    assert len(lengths) > 2 and narrower > 2


def test_a_full_beam_of_one_is_greedy():
    params = params_of(4)
    for weights in (False, True):
        one = decode(table(), params, tokens(SOURCES), Search(1, full=True), weights)
        other = decode(table(), params, tokens(SOURCES), Search(1), weights)
        np.testing.assert_array_equal(one.tokens, other.tokens)


def test_a_coverage_penalty_counts_all_that_was_looked_at():
    # Early stopping knows nothing of coverage, so that the limit is where the search ends: no END before it.
    search = Search(3, 1.0, 1.0, (2, 1.0), 3)
    for seed in range(6):
        params = params_of(seed)
        never = params["logits"].at[:, :, END].set(-30.0)
        params = params | {"logits": never}
        found = beam(table(), params, tokens(SOURCES), search, False, 1)
        for b, source in enumerate(SOURCES):
            expected = searched(params, source, search)
            np.testing.assert_allclose(found.scores[b], [one[0] for one in expected], rtol=1e-6)
            message = [[t for t in words if t != PAD] for words in found.tokens[b].tolist()]
            assert message == [one[3] for one in expected]
        assert found.weights is None


@pytest.mark.parametrize("search", [Search(3, 1.0, 0.0, (4, 1.0), 3), FULL[0]], ids=str)
def test_weights_are_those_of_each_token_and_nothing_behind_the_end(search):
    params = params_of(3)
    found = beam(table(), params, tokens(SOURCES), search, True, 1)  # in halves
    assert {place: w.shape[-2:] for place, w in found.weights.items()} == {
        "cross/0": (H, K),
        "cross/1": (1, K),
        "decoder/0": (H, 1),
    }
    for b in range(2):
        for n in range(3):
            words = [t for t in found.tokens[b, n].tolist() if t != PAD]
            for t, last in enumerate([START, *words[:-1]]):
                looked = np.asarray(params["weights"][t, last])
                np.testing.assert_allclose(found.weights["cross/0"][b, n, t], looked, rtol=1e-6)
                own = found.weights["decoder/0"][b, n, t]
                np.testing.assert_allclose(own, looked[:, :1], rtol=1e-6)
            assert not np.any(found.weights["cross/0"][b, n, len(words) :])


def test_where_there_are_fewer_than_n_nothing_stands_in_their_place():
    found = beam(table(), params_of(0), tokens(SOURCES), Search(V, 1.0, 0.0, (0, 1.0), V))
    # Of a source of one token there are as many translations as words that can be said.
    assert np.isfinite(found.scores[0]).tolist() == [True] * (V - 2) + [False] * 2
    assert found.ended[0].tolist() == [True] + [False] * (V - 1)
    assert not np.any(found.tokens[0, V - 2 :])


STEPS_TAKEN = Watched()


def steps_of(search, logits):
    """How many steps a search takes."""
    STEPS_TAKEN.clear()
    params = params_of(0) | {"logits": jnp.asarray(logits)}
    beam(table(None, STEPS_TAKEN), params, tokens([[4, 4, END]]), search)
    jax.effects_barrier()
    return max(STEPS_TAKEN) + 1


def test_a_search_stops_as_soon_as_its_n_best_are_settled():
    # Each step ends with probability 0.6, so the best is settled at once: whatever lives has 0.4 at most. With
    # four words of 0.1 each the second best has 0.1 · 0.6, and lives until nothing has more: 0.01 after two steps.
    p = np.full((STEPS, V, V), 1e-9)
    p[:, :, END] = 0.6
    p[:, :, [2, 4, 5, 6]] = 0.1
    logits = np.log(p)
    assert steps_of(Search(4, 0.0, 0.0, (5, 1.0), 1), logits) == 1
    assert steps_of(Search(4, 0.0, 0.0, (5, 1.0), 2), logits) == 2
    # To divide by the length of the limit makes the living hopeful: log 0.1 / (13 / 6) against log 0.6, never;
    # with 2 it is log 0.1 / 4.7 = −0.49 > −0.51, and after another token, log 0.01, no more.
    assert steps_of(Search(4, 1.0, 0.0, (5, 1.0), 1), logits) == 1
    assert steps_of(Search(4, 2.0, 0.0, (5, 1.0), 1), logits) == 2
    # What never ends goes on to the limit.
    p[:, :, END] = 1e-12
    assert steps_of(Search(4, 0.0, 0.0, (5, 1.0), 1), np.log(p)) == 8
