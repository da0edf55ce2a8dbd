"""Greedy and beam search, piece by piece, by hand."""

import functools
import math
from types import SimpleNamespace

import jax.numpy as jnp
import numpy as np
import pytest

from attention_lab.decoding import Search, checked, in_batches
from attention_lab.decoding.beam import (
    Beam,
    Done,
    best_of,
    can_improve,
    final_score,
    pick,
    trace_back,
)
from attention_lab.decoding.greedy import limits, mask_special_tokens, most_steps
from attention_lab.models.base import Limits
from attention_lab.padded import pad
from attention_lab.special_tokens import PAD, START

V = 7  # the size of the vocabulary


def row(*places):
    return jnp.asarray([places])


def test_a_limit_is_a_length_and_so_many_for_each_source_token():
    valid = jnp.asarray([[True, True, True, False], [True, False, False, False]])
    assert limits(valid, (2, 1.5), None).tolist() == [6, 3]
    assert limits(valid, (2, 1.5), 4).tolist() == [4, 3]
    steps = functools.partial(most_steps, SimpleNamespace(stride=1))
    four, three = (pad([np.ones(size, np.int32)], size) for size in (4, 3))
    assert (steps(four, (2, 1.5), None), steps(four, (2, 1.5), 5)) == (8, 5)
    assert steps(three, (2, 0.5), 50) == 3
    image = pad([np.ones((5, 3, 1), np.float32)], 5)
    assert most_steps(SimpleNamespace(stride=2), image, (1, 2.0), None) == 1 + 2 * 3 * 3


def test_a_search_is_of_five_beams_and_normalized_by_length_where_nothing_else_is_printed():
    assert checked(Search()) == (5, 1.0, 0.0, (10, 2.0), 1, 5.0, False, False)
    assert checked(Search(longest=(0.5, 0.5))).longest == (0.5, 0.5)  # one token of one


def test_padding_and_the_start_mark_cannot_be_said():
    found = mask_special_tokens(jnp.arange(2 * V, dtype=float).reshape(2, V))
    expected = np.arange(2.0 * V).reshape(2, V)
    expected[:, [PAD, START]] = -np.inf
    np.testing.assert_array_equal(found, expected)


def state(**fields):
    """A beam of which only these fields are looked at."""
    return Beam(**{**dict.fromkeys(Beam._fields), **fields})


def done(scores, ended=None, number=None, beam=None):
    scores = jnp.asarray(scores, float)
    ended = jnp.isfinite(scores) if ended is None else jnp.asarray(ended)
    zeros = jnp.zeros(scores.shape, int)
    number, beam = (zeros if x is None else jnp.asarray(x) for x in (number, beam))
    return Done(scores, ended, 2 * scores, number, beam)


INF = np.inf


@pytest.mark.parametrize(
    ("expected", "alive", "scores", "ended", "penalty", "n_best", "number"),
    [
        (True, [-2.0, -1.0], [-1.5, -3.0], [1, 1], 0.0, 1, 3),  # the best of the living counts
        (False, [-2.0, -1.6], [-1.5, -3.0], [1, 1], 0.0, 1, 3),
        (False, [-1.5, -2.0], [-1.5, -3.0], [1, 1], 0.0, 1, 3),  # as good is no better
        (True, [-2.0, -1.6], [-1.5, -3.0], [1, 1], 0.0, 2, 3),  # than the second best
        (True, [-2.9, -INF], [-1.5, -3.0], [1, 1], 0.0, 2, 3),
        (False, [-INF, -INF], [-1.5, -INF], [1, 0], 0.0, 2, 3),  # nothing lives
        (True, [-9.0, -INF], [-1.5, -INF], [1, 0], 0.0, 2, 3),  # nothing is settled
        (True, [-9.0, -INF], [-1.5, -3.0], [0, 0], 0.0, 1, 3),  # what the limit cut is not
        (True, [-2.9, -INF], [-1.5, -9.0], [1, 1], 1.0, 1, 3),  # −2.9 / 2 = −1.45
        (False, [-3.1, -INF], [-1.5, -9.0], [1, 1], 1.0, 1, 3),  # −3.1 / 2 = −1.55
        (True, [-5.9, -INF], [-1.5, -9.0], [1, 1], 2.0, 1, 3),  # −5.9 / 4 = −1.475
        (True, [-2.9, -INF], [-1.5, -9.0], [1, 1], 1.0, 1, 6),
        (False, [-2.9, -INF], [-1.5, -9.0], [1, 1], 1.0, 1, 7),  # at the limit, of 7
    ],
)
def test_a_search_has_hope_while_a_living_beginning_may_be_among_the_n_best(
    expected, alive, scores, ended, penalty, n_best, number
):
    beam = state(
        limit=row(7)[0], alive=row(*alive), done=done([scores], [[bool(e) for e in ended]])
    )
    search = Search(2, penalty, n_best=n_best)
    assert can_improve(search, jnp.asarray(number), beam).tolist() == [expected]


def test_a_limit_of_nothing_leaves_a_penalty_of_one_at_least():
    beam = state(limit=row(0)[0], alive=row(-1.0), done=done([[-1.1]]))
    assert not can_improve(
        Search(1, 1.0), jnp.asarray(-1), state(**beam._asdict() | {"alive": row(-1.1)})
    )
    assert can_improve(Search(1, 1.0), jnp.asarray(-1), beam)


def test_of_two_lists_the_best_are_kept_and_what_was_cut_stands_behind():
    old = done([[-1.0, -4.0, -INF]], [[True, True, False]], [[1, 2, 0]], [[5, 6, 7]])
    new = done([[-0.5, -2.0, -INF]], [[False, True, True]], [[3, 3, 3]], [[0, 1, 2]])
    best = best_of(old, new)
    assert best.scores.tolist() == [[-1.0, -2.0, -4.0]]
    assert best.ended.tolist() == [[True] * 3]
    assert best.number.tolist() == [[1, 3, 2]] and best.beam.tolist() == [[5, 1, 6]]
    assert best.log_probability.tolist() == [[-2.0, -4.0, -8.0]]
    cut = best_of(done([[-9.0, -INF, -INF]]), new)
    assert cut.scores.tolist() == [[-2.0, -9.0, -0.5]] and cut.ended.tolist() == [
        [True, True, False]
    ]


def test_beams_are_reordered_within_their_sentence():
    x = jnp.arange(12).reshape(2, 3, 2)
    found = pick(x, jnp.asarray([[2, 0, 0], [1, 1, 2]]))
    assert found.tolist() == [[[4, 5], [0, 1], [0, 1]], [[8, 9], [8, 9], [10, 11]]]


def test_tokens_are_traced_back_from_the_last_through_parents():
    # Three steps of two beams: the second ended at step 1 as a child of beam 1, the first at 2 in beam 1.
    beam = state(
        tokens=jnp.asarray([[[4, 5, 6], [7, 3, 3]]]),
        parents=jnp.asarray([[[0, 1, 0], [0, 1, 0]]]),
        weights={"cross/0": jnp.arange(1.0, 7.0).reshape(1, 2, 3, 1, 1)},
        done=done([[-1.0, -2.0]], None, [[2, 1]], [[1, 1]]),
    )
    found, weights = trace_back(beam)
    # Best: step 2 in beam 1, whose parent is beam 0: 5 there, whose parent is beam 1: 7.
    assert found.tolist() == [[[7, 5, 3], [7, 3, PAD]]]
    # The weights of a step are those of the parent, which has asked: beams 0, 1, 0 and 0, 1.
    assert weights["cross/0"][0, :, :, 0, 0].tolist() == [[1.0, 5.0, 3.0], [1.0, 5.0, 0.0]]
    none, nothing = trace_back(beam._replace(done=done([[-INF, -INF]]), weights=None))
    assert none.tolist() == [[[PAD] * 3] * 2] and nothing is None


def test_a_final_score_is_the_paper_s_formula():
    logs, valid = jnp.asarray([[-3.0, -6.0]]), jnp.asarray([[True, True, False]])
    coverage = jnp.asarray([[[0.5, 2.0, 0.1], [0.0, 0.25, 0.1]]])
    plain = final_score(Search(2, 2.0), 7, valid, logs, coverage)
    np.testing.assert_allclose(plain, [[-3 / 4, -6 / 4]])
    np.testing.assert_allclose(final_score(Search(2, 0.0), 7, None, logs, None), logs)
    both = final_score(Search(2, 1.0, 0.5), 7, valid, logs, coverage)
    penalties = [math.log(0.5), math.log(1e-9) + math.log(0.25)]
    np.testing.assert_allclose(both, [[-1.5 + 0.5 * penalties[0], -3 + 0.5 * penalties[1]]])
    of_each = final_score(
        Search(1, 1.0), jnp.asarray([1, 13]), None, jnp.asarray([-3.0, -6.0]), None
    )
    np.testing.assert_allclose(of_each, [-3.0, -2.0])


def test_a_batch_is_as_wide_as_a_multiple_of_the_step_and_as_tall_as_a_power_of_two():
    ids = [np.full(n, n, np.int32) for n in (3, 9, 1, 8, 2)]
    targets = [np.full(n, 10 + n, np.int32) for n in (1, 2, 3, 4, 5)]
    seen, messages = [], []

    def answer(source, *target):
        seen.append((source.valid.shape, *(t.valid.shape for t in target)))
        return {"ids": source.values[:, 0], "pairs": [t.values[:, 0] for t in target]}

    found = in_batches(
        answer, ids, targets, rows=2, step=4, limits=Limits(9, None), progress=messages.append
    )
    assert [int(one["ids"]) for one in found] == [3, 9, 1, 8, 2]
    assert [int(one["pairs"][0]) for one in found] == [11, 12, 13, 14, 15]
    # Longest first: 9 and 8, in 12 places or the 9 of the limit, then 3 and 2, then 1 and padding.
    assert seen == [((2, 9), (2, 4)), ((2, 4), (2, 8)), ((2, 4), (2, 4))] and messages == [2, 2, 1]
    for count, rows in ((1, 1), (2, 2), (3, 4), (4, 4), (5, 8)):
        seen.clear()
        in_batches(answer, ids[:count])
        assert seen == [((rows, 8 * -(-max(map(len, ids[:count])) // 8)),)]
