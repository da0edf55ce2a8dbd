"""Decoding: a beam of one is greedy, scores are the model's own, padding and batches change nothing."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from attention_lab.decoding import Search, beam, decode, greedy, in_batches
from attention_lab.decoding.beam import greatest
from attention_lab.special_tokens import END, PAD, START
from tests.models import small
from tests.models.small import STRUCTURES, VOCABULARY, params_of, row, sentences, tokens

pytestmark = pytest.mark.oldest
LONGEST = (3, 1.5)
SEARCH = Search(beam=3, n_best=3, length_penalty=0.7, longest=LONGEST)
SEARCHED = ("luong", "no attention", "coverage", "transformer, relative")
# The tests of one model run in one process, and share what is compiled.
searched = pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=pytest.mark.xdist_group(f"search {name}")) for name in SEARCHED],
)


def trained_like(name):
    """A model whose sentences end now and then, at different lengths."""
    model = STRUCTURES[name]()
    return model, params_of(model, seed=3)


def batch_of(*lengths, width=8):
    return small.batch_of(sentences(5, *lengths), width)


FOUR = (3, 8, 5, 6)


@searched
def test_a_beam_of_one_is_greedy(name):
    model, params = trained_like(name)
    search = Search(beam=1, longest=LONGEST)
    by_beam, by_greedy = (f(model, params, batch_of(*FOUR), search) for f in (beam, decode))
    np.testing.assert_array_equal(by_beam.tokens, by_greedy.tokens)
    np.testing.assert_array_equal(by_beam.ended, by_greedy.ended)
    np.testing.assert_allclose(by_beam.scores, by_greedy.scores, rtol=1e-5)
    np.testing.assert_allclose(by_beam.log_probability, by_greedy.log_probability, rtol=1e-5)


@searched
def test_n_best_are_sorted_distinct_and_scored_as_the_model_scores_them(name):
    model, params = trained_like(name)
    source = batch_of(*FOUR)
    found = beam(model, params, source, SEARCH, True)
    rescore = jax.jit(jax.vmap(partial(log_probability_of_padded, model), (None, None, 0)))
    for b in range(len(source.valid)):
        assert np.isfinite(found.scores[b]).all()
        assert len({tuple(row) for row in np.asarray(found.tokens[b])}) == SEARCH.beam
        for ended in (True, False):  # what was cut off stands behind what ended
            scores = np.asarray(found.scores[b])[np.asarray(found.ended[b]) == ended]
            assert list(scores) == sorted(scores, reverse=True)
        expected = np.asarray(rescore(params, row(source, b), tokens(found.tokens[b])))
        lengths = np.asarray((found.tokens[b] != PAD).sum(-1))
        np.testing.assert_allclose(found.log_probability[b], expected, atol=1e-4)
        np.testing.assert_allclose(
            found.scores[b], expected / ((5 + lengths) / 6) ** 0.7, atol=1e-4
        )
        last = [int(row[n - 1]) for row, n in zip(found.tokens[b], lengths, strict=True)]
        assert [bool(e) for e in found.ended[b]] == [token == END for token in last]


def log_probability_of_padded(model, params, source, target):
    logits = model.apply(params, {"source": source, "target": target}).logits
    each = jnp.take_along_axis(jax.nn.log_softmax(logits), target.values[:, None], 1)[:, 0]
    return jnp.where(target.valid, each, 0).sum()


@searched
def test_padding_and_company_change_no_translation(name):
    model, params = trained_like(name)
    found = beam(model, params, batch_of(*FOUR), SEARCH, True)
    wider = beam(model, params, batch_of(*FOUR, width=12), SEARCH, True)
    alone = beam(model, params, row(batch_of(*FOUR), slice(1)), SEARCH, True)
    steps = found.tokens.shape[-1]
    np.testing.assert_array_equal(wider.tokens[..., :steps], found.tokens)
    np.testing.assert_array_equal(alone.tokens, found.tokens[:1])
    assert not np.any(wider.tokens[..., steps:])
    np.testing.assert_allclose(wider.scores, found.scores, atol=1e-5)
    np.testing.assert_allclose(alone.scores, found.scores[:1], atol=1e-5)


@searched
def test_a_batch_that_shrinks_as_searches_end_finds_the_same(name):
    model, params = trained_like(name)
    source = batch_of(*FOUR)
    whole = beam(model, params, source, SEARCH, True)
    shrunk = beam(model, params, source, SEARCH, True, min_batch=1)
    np.testing.assert_array_equal(shrunk.tokens, whole.tokens)
    for part in ("scores", "log_probability", "weights"):
        expected = getattr(whole, part)
        jax.tree.map(
            partial(np.testing.assert_allclose, atol=1e-6), getattr(shrunk, part), expected
        )


@searched
def test_attention_is_carried_through_the_beam(name):
    model, params = trained_like(name)
    source = batch_of(*FOUR)
    found = beam(model, params, source, SEARCH, True)
    if name == "no attention":
        assert found.weights == {}
        return
    forced = jax.jit(partial(model.apply, weights=True))
    for b, n in ((0, 0), (1, 2)):
        target = found.tokens[b, n]
        length = int((target != PAD).sum())
        expected = forced(params, {"source": row(source, b), "target": tokens(target)}).weights
        assert set(found.weights) == {p for p in expected if not p.startswith("encoder")}
        for place, steps in found.weights.items():
            rows = np.asarray(steps[b, n][:length]).swapaxes(0, 1)
            wanted = np.asarray(expected[place])[:, :length]
            np.testing.assert_allclose(rows[..., : wanted.shape[-1]], wanted, atol=1e-5)


def test_a_wide_beam_finds_the_best_sentence_there_is():
    # So short that all targets can be tried: at most two tokens, and then the limit.
    model, params = trained_like("bahdanau")
    source = batch_of(3)
    search = Search(beam=VOCABULARY, length_penalty=0.0, longest=(2, 0.0), n_best=1)
    found = beam(model, params, source, search)
    every = [[END, PAD]] + [[a, END] for a in range(VOCABULARY) if a not in (PAD, START, END)]
    score = jax.jit(jax.vmap(partial(log_probability_of_padded, model), (None, None, 0)))
    best = every[int(score(params, row(source, 0), tokens(np.array(every))).argmax())]
    assert found.ended[0, 0] and found.tokens[0, 0].tolist() == best


def test_a_coverage_penalty_is_paid_for_what_was_not_looked_at():
    model, params = trained_like("bahdanau")
    source = batch_of(8, 6)
    search = Search(beam=3, coverage_penalty=5.0, longest=LONGEST)
    covering = beam(model, params, source, search, True)
    for b in range(2):
        seen = np.asarray(covering.weights["cross/0"][b, 0]).sum((0, 1))
        real = np.asarray(source.valid[b])
        length = int((covering.tokens[b, 0] != PAD).sum())
        penalty = 5.0 * np.log(np.clip(seen[real], 1e-9, 1.0)).sum()
        expected = float(covering.log_probability[b, 0]) / ((5 + length) / 6) + penalty
        np.testing.assert_allclose(covering.scores[b, 0], expected, rtol=1e-4)


def test_many_sentences_come_back_in_order_in_few_shapes():
    columns = sentences(7, 5, 1, 17, 3, 8, 9, 2)
    shapes = set()

    def answer(batch):
        shapes.add(batch.valid.shape)
        assert not np.any(batch.values[~batch.valid])
        return {"sum": batch.values.sum(1), "first": batch.values[:, 0]}

    messages = []
    found = in_batches(answer, columns, rows=4, progress=messages.append)
    assert [int(one["sum"]) for one in found] == [int(c.sum()) for c in columns]
    assert [int(one["first"]) for one in found] == [int(c[0]) for c in columns]
    assert shapes == {(4, 24), (4, 8)} and sum(messages) == len(columns)
    assert in_batches(answer, []) == []


def test_greedy_stops_at_the_end_or_the_limit():
    model, params = trained_like("luong")
    found = np.asarray(greedy(model, params, batch_of(*FOUR), LONGEST).tokens)
    for words, length in zip(found, FOUR, strict=True):
        message = [t for t in words if t != PAD]
        assert START not in message[1:] and len(message) <= LONGEST[0] + LONGEST[1] * length
        assert END not in message[:-1] and not np.any(words[len(message) :])


@pytest.mark.parametrize("size", [7, 64, 100, 1000])
def test_the_greatest_in_groups_are_the_greatest(size):
    x = np.random.default_rng(size).integers(0, 50, (3, 2, size)).astype(np.float32)  # with ties
    x[0, 0, 5:] = -np.inf
    found = greatest(jnp.asarray(x), 5)
    for ours, theirs in zip(found, jax.lax.top_k(x, 5), strict=True):
        np.testing.assert_array_equal(ours, theirs)
