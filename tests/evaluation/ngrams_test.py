"""n-gram models equal their formulas, written as loops, and are distributions."""

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attention_lab.data.sources import load
from attention_lab.evaluation.ngrams import SMOOTHINGS, ngram_loss, orders_of, probability
from tests.data.sources_test import DATA, needs_data

TRAIN = "abracadabra, a bad cab; abba and a crab"
texts = st.text(st.sampled_from("abc"), min_size=1, max_size=12)


def occurrences(text, gram):
    return sum(text.startswith(gram, i) for i in range(len(text)))


def alphabet(text):
    return sorted(set(text))


def witten_bell(train, history, symbol, size):
    """(count of h x + types after h · p of the shorter history) / (count of h + types after h)."""
    lower = witten_bell(train, history[1:], symbol, size) if history else 1 / size
    followers = [occurrences(train, history + x) for x in alphabet(train)]
    count, types = sum(followers), sum(n > 0 for n in followers)
    if not count:
        return lower
    return (occurrences(train, history + symbol) + types * lower) / (count + types)


def kneser_ney(train, history, symbol, size, top=True):
    """Absolute discounting of counts, or of the number of different symbols before an n-gram in lower orders."""
    lower = kneser_ney(train, history[1:], symbol, size, False) if history else 1 / size

    def count(gram):
        if top:
            return occurrences(train, gram)
        return sum(occurrences(train, x + gram) > 0 for x in alphabet(train))

    grams = {train[i : i + len(history) + 1] for i in range(len(train) - len(history))}
    counts = [count(gram) for gram in grams]
    once, twice = counts.count(1), counts.count(2)
    discount = once / (once + 2 * twice) if once and twice else 0.5
    followers = [count(history + x) for x in alphabet(train)]
    total, types = sum(followers), sum(n > 0 for n in followers)
    if not total:
        return lower
    return (max(count(history + symbol) - discount, 0) + discount * types * lower) / total


ORACLES = {"witten_bell": witten_bell, "kneser_ney": kneser_ney}


@pytest.mark.parametrize("smoothing", SMOOTHINGS)
@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_the_loss_is_that_of_the_formula(smoothing, order):
    text = "a cab, bad crab;"
    size = len(set(TRAIN))
    orders = orders_of(TRAIN, order, smoothing)
    expected = 0.0
    for i, symbol in enumerate(text):
        history = text[max(0, i - order + 1) : i]
        p = ORACLES[smoothing](
            TRAIN, history, symbol, size, *smoothing_arguments(smoothing, history, order)
        )
        assert probability(orders, history + symbol, size) == pytest.approx(p, rel=1e-12)
        expected -= math.log(p) / len(text)
    assert ngram_loss(TRAIN, text, order, smoothing) == pytest.approx(expected, rel=1e-12)


def smoothing_arguments(smoothing, history, order):
    """Only n-grams of the highest order are counted as such; shorter ones by their contexts."""
    return (len(history) == order - 1,) if smoothing == "kneser_ney" else ()


@given(texts, texts, st.sampled_from(SMOOTHINGS), st.integers(1, 4))
def test_probabilities_sum_to_one(train, history, smoothing, order):
    orders = orders_of(train, order, smoothing)
    symbols = alphabet(train)
    history = history[: order - 1]
    total = sum(probability(orders, history + symbol, len(symbols)) for symbol in symbols)
    assert total == pytest.approx(1, rel=1e-12)


def test_ids_are_counted_as_characters_are():
    ids = tuple(map(ord, TRAIN))
    for smoothing in SMOOTHINGS:
        assert ngram_loss(ids, ids[:9], 3, smoothing) == ngram_loss(TRAIN, TRAIN[:9], 3, smoothing)


def test_more_context_helps_on_the_training_text():
    losses = [ngram_loss(TRAIN, TRAIN, order) for order in (1, 2, 3)]
    assert all(longer < shorter for shorter, longer in pairwise(losses))


def test_a_symbol_that_is_new_needs_a_vocabulary():
    with pytest.raises(ValueError, match="the symbol 'z' does not occur in training; give the"):
        ngram_loss(TRAIN, "za")
    assert ngram_loss(TRAIN, "za", vocabulary=30) > ngram_loss(TRAIN, "aa", vocabulary=30)


@pytest.mark.parametrize(
    "arguments, why",
    [
        (("", "a"), "needs text for training and for evaluation"),
        (("a", ""), "needs text for training and for evaluation"),
        (("a", "a", 2, "kneser"), "no smoothing 'kneser'; did you mean 'kneser_ney'?"),
        (("a", "a", 0), "the order of an n-gram model is at least 1, not 0"),
    ],
)
def test_what_cannot_be_counted_is_reported(arguments, why):
    with pytest.raises(ValueError) as caught:
        ngram_loss(*arguments)
    assert why in str(caught.value)


@needs_data
def test_a_five_gram_of_shakespeare_has_the_known_loss():
    train, validation = (
        load("shakespeare", split, path=DATA / "chat")[0]["text"]
        for split in ("train", "validation")
    )
    assert ngram_loss(train, validation, 5) == pytest.approx(1.6688, abs=5e-5)
    assert ngram_loss(train, validation, 5, "kneser_ney") == pytest.approx(1.5789, abs=5e-5)
