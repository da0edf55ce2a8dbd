"""Any search of a tiny language finds what trying every sentence finds, or is refused before it begins."""

import itertools
from functools import cache

import hypothesis
import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from attention_lab.decoding import Search, beam, decode
from attention_lab.models import Model, Output, make_model
from attention_lab.models.base import Source
from attention_lab.runs import search_of
from attention_lab.special_tokens import END, PAD, START
from tests.models.small import params_of, tokens


def start(params, source, length):
    return Source((), source.valid), jnp.zeros((), int)


def step(params, read, state, token, *, weights=False):
    return state + 1, Output(params[state, token])


@cache
def bigrams():
    """A model whose next token depends on the last one and on how many there were."""
    return Model("bigrams", lambda rng: None, lambda *_: None, start, step)


def table(size, seed):
    return jnp.asarray(np.random.default_rng(seed).normal(scale=3, size=(8, size, size)))


def every_sentence(params, limit, alpha):
    """(score, tokens) of all that ends by itself within the limit, then of all that the limit cuts; best first."""
    size = params.shape[-1]
    logs = np.asarray(jax.nn.log_softmax(params, -1))
    words = [i for i in range(size) if i not in (PAD, START, END)]
    ended, cut = [], []
    for length in range(1, limit + 1):
        for body in itertools.product(words, repeat=length - 1):
            ended.append([*body, END])
    cut = [list(body) for body in itertools.product(words, repeat=limit)]

    def scored(sentences):
        found = []
        for words in sentences:
            pairs = zip([START, *words[:-1]], words, strict=True)
            total = sum(logs[t, a, b] for t, (a, b) in enumerate(pairs))
            found.append((total / ((5 + len(words)) / 6) ** alpha, words))
        return sorted(found, key=lambda one: -one[0])

    return scored(ended) + scored(cut)


@pytest.mark.parametrize("alpha", [0.0, 1.0])
@pytest.mark.parametrize(("size", "limit"), [(6, 3), (7, 2), (5, 4)])
def test_a_beam_as_wide_as_the_language_finds_every_sentence_in_order(size, limit, alpha):
    params = table(size, seed=size)
    expected = every_sentence(params, limit, alpha)
    search = Search(len(expected), alpha, longest=(limit, 0.0), n_best=len(expected))
    found = beam(bigrams(), params, tokens([[4, END]]), search)
    np.testing.assert_allclose(found.scores[0], [score for score, _ in expected], atol=1e-6)
    message = [[t for t in row if t != PAD] for row in np.asarray(found.tokens[0]).tolist()]
    assert message == [tokens for _, tokens in expected]


def test_the_best_is_the_same_at_any_width_that_holds_it():
    model = make_model(
        8,
        8,
        encoder={"kind": "recurrent", "embedding": 8, "features": 8},
        decoder={"kind": "bahdanau", "embedding": 8, "hidden": 8},
    )
    params = params_of(model)
    source = tokens([[4, 5, 3, 0]])
    best = []
    for width in (8, 9, 20):
        found = beam(model, params, source, Search(width, longest=(4, 1.0), n_best=width))
        assert np.isfinite(found.scores).all() and found.tokens.max() < 8
        best.append((round(float(found.scores[0, 0]), 4), found.tokens[0, 0].tolist()))
    assert len({str(one) for one in best}) == 1


@hypothesis.settings(max_examples=30, deadline=None, derandomize=True)
@hypothesis.given(
    size=st.integers(5, 7),
    width=st.integers(-1, 12),
    n_best=st.integers(0, 12),
    penalties=st.tuples(*[st.sampled_from([0.0, 0.6, 2.0, -1.0, float("nan")])] * 2),
    longest=st.tuples(st.integers(0, 4), st.sampled_from([0.0, 0.3, 1.5])),
)
def test_any_search_gives_sorted_sentences_of_the_vocabulary_or_is_refused(
    size, width, n_best, penalties, longest
):
    settings = {"beam": width, "n_best": n_best, "longest": longest}
    settings |= dict(zip(("length_penalty", "coverage_penalty"), penalties, strict=True))
    possible = 1 <= n_best <= width and all(p >= 0 for p in penalties) and sum(longest) >= 1
    if not possible:
        with pytest.raises(ValueError) as error:
            search_of(settings)
        assert "\n" not in str(error.value)
        return
    source = tokens([[4, 3, PAD], [4, 4, 3]])
    found = decode(bigrams(), table(size, seed=size), source, search_of(settings))
    scores, text = np.asarray(found.scores), np.asarray(found.tokens)
    assert text.min() >= 0 and text.max() < size
    for row, words, ended in zip(scores, text, np.asarray(found.ended), strict=True):
        there = np.isfinite(row)
        assert there[0] and not np.isnan(row).any()
        for kind in (True, False):
            assert (np.diff(row[there & (ended == kind)]) <= 1e-9).all()
        message = [tuple(words[n]) for n in np.flatnonzero(there)]
        assert len(set(message)) == len(message)


NO_NUMBER = [
    None,
    True,
    -1,
    "1",
    b"",
    1j,
    {},
    (1,),
    np.arange(2),
    float("nan"),
    float("inf"),
    10**400,
]
NO_FIELD = {
    "beam": [*NO_NUMBER, 0, 1.0, 2**17],
    "n_best": [*NO_NUMBER, 0, 1.0],
    "length_penalty": [*NO_NUMBER, 11],
    "coverage_penalty": [*NO_NUMBER, 1e300],
    "longest": [
        *(3, None, "ab", {1, 2}, (1,), (1, 2, 3), ("1", 1), (None, 1), ((1, 2), 3), (1j, 1)),
        *((True, 2.0), (0, 0.5), (1, 1e30), (2**17, 1), np.ones(2)),
    ],
}


@pytest.mark.parametrize("field", NO_FIELD)
def test_what_is_no_setting_of_a_search_is_refused_by_name(field):
    for value in NO_FIELD[field]:
        with pytest.raises(ValueError, match=field) as error:
            search_of({field: value})
        assert "\n" not in str(error.value)


def test_numbers_of_numpy_are_numbers():
    settings = {"beam": np.int64(2), "n_best": np.int32(1), "length_penalty": np.float32(0.5)}
    assert search_of({**settings, "longest": [np.int64(3), np.float64(1.0)]}).beam == 2


def test_a_search_that_cannot_be_is_refused_wherever_it_enters():
    params = table(6, seed=0)
    for search in (Search(beam=0), Search(beam=2, n_best=3), Search(longest=(0, 0.0))):
        for find in (beam, decode):
            with pytest.raises(ValueError, match=r"beam|n_best|longest"):
                find(bigrams(), params, tokens([[4, 3]]), search)
