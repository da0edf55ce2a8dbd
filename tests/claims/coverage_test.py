"""Every interval that claims print holds the truth as often as it says, from rows whose truth is known."""

import jax
import numpy as np
import pytest

from attention_lab.claims import mechanism, quantities
from attention_lab.evaluation import statistics
from attention_lab.evaluation.metrics import bleu_of
from attention_lab.evaluation.statistics import of_seeds
from tests.evaluation.studies import bleu_parts, logits, quantiles, word_parts
from tests.studies.made import BLEU

STUDIES = 250
SHORT, LONG = 5, 35  # words of the source
# What a seed does better on short sentences it does better on long ones, as well, not at all, or worse.
TOGETHER = (1.0, 0.0, -1.0)


def both(rng, seeds, together, sentences):
    """BLEU's parts of short and of long sentences; `together` is what both have of a seed."""
    own = rng.normal(size=seeds.shape) * 0.25 * (1 - together**2) ** 0.5
    short, long = 0.5 + 0.25 * seeds, 0.25 * together * seeds + own
    return [bleu_parts(rng, logits(rng, each, sentences)) for each in (short, long)]


def rows(arm, short, long):
    """An arm's rows, from parts [R, N, 10] each."""
    words = [SHORT] * short.shape[1] + [LONG] * long.shape[1]
    return [
        {
            "arm": arm,
            "split": "test",
            "statistics": {"test": {"bleu": np.concatenate(parts), "source_words": words}},
        }
        for parts in zip(short, long, strict=True)
    ]


def lost(parts):
    short, long = (bleu_of(each.sum(-2)).mean() for each in parts)
    return short - long


@pytest.mark.parametrize("together", TOGETHER)
@pytest.mark.parametrize("replicas", [3, 4, 5, 10])
def test_what_is_lost_with_length_is_covered(replicas, together):
    rng = np.random.default_rng(replicas)
    truth = lost(both(rng, rng.permuted(quantiles()), together, 4000))
    quantity, held = quantities.loss_with_length("a", BLEU), 0
    for _ in range(STUDIES):
        found = quantity(rows("a", *both(rng, rng.normal(size=replicas), together, 25)))
        held += found.low <= truth <= found.high
    assert 0.90 <= held / STUDIES <= 0.99


@pytest.mark.parametrize("together", TOGETHER)
@pytest.mark.parametrize("replicas", [3, 5])
def test_the_gain_with_length_is_covered(replicas, together):
    rng = np.random.default_rng(replicas)
    quantity, held = quantities.gain_with_length("a", "b", BLEU), 0
    for _ in range(STUDIES):
        short, long = both(rng, rng.normal(size=2 * replicas), together, 25)
        a, b = (rows("ab"[n], short[n::2], long[n::2]) for n in (0, 1))
        found = quantity([*a, *b])
        held += found.low <= 0 <= found.high
    assert 0.90 <= held / STUDIES <= 0.99


def test_what_is_lost_with_length_is_a_difference_within_each_seed():
    rng = np.random.default_rng(0)
    seeds = np.array(
        [-2.0, -1.0, 0.0, 1.0, 2.0]
    )  # all that differs is how good a seed is throughout
    short = bleu_parts(rng, logits(rng, seeds, 400))
    found = quantities.loss_with_length("a", BLEU)(rows("a", short, short))
    assert found.estimate == pytest.approx(0, abs=1e-9) and found.spread < 1e-9
    assert found.high - found.low < 10 < np.ptp(bleu_of(short.sum(1)))


@pytest.mark.parametrize("replicas", [3, 4, 5])
def test_more_words_of_a_class_are_covered(replicas):
    def row(arm, parts):
        words = np.stack([0 * parts, parts], axis=1)  # [N, classes, 2]
        return {"arm": arm, "split": "test", "statistics": {"test": {"frequency": words.tolist()}}}

    rng = np.random.default_rng(replicas)
    quantity, held = quantities.more_words("a", "b", "frequency", [1]), 0
    for _ in range(STUDIES):
        seeds = -1 + 0.3 * rng.normal(size=2 * replicas)
        parts = word_parts(rng, logits(rng, seeds, 30))  # of the same references
        found = quantity([row("ab"[n < replicas], one) for n, one in enumerate(parts)])
        held += found.low <= 0 <= found.high
    assert 0.90 <= held / STUDIES <= 0.99


def agreement(values, of):
    return [{"arm": "a", "agreement": {of: list(one)}} for one in values]


@pytest.mark.parametrize("replicas", [3, 4, 5, 10])
def test_agreement_of_heads_counts_sentences_as_chance(replicas):
    rng = np.random.default_rng(replicas)
    quantity, held = quantities.agreement_of_heads("a"), 0
    for _ in range(1000):
        values = (
            0.5
            + 0.02 * rng.normal(size=(replicas, 1))
            + 0.1 * rng.normal(size=(1, 40))
            + 0.1 * rng.normal(size=(replicas, 40))
        )
        found = quantity(agreement(values, "heads"))
        held += found.low <= 50 <= found.high
    assert 0.92 <= held / 1000 <= 0.98


def test_agreement_of_seeds_is_the_jackknife_s_over_seeds_and_sentences():
    values = np.random.default_rng(0).uniform(size=(4, 30))
    found = quantities.agreement_of_seeds("a")(agreement(values, "seeds"))
    naive = statistics.interval(100 * values)
    assert found.estimate == pytest.approx(100 * values.mean())
    assert found.high - found.low > naive.high - naive.low
    assert quantities.agreement_of_seeds("a")(agreement(values[:2], "seeds")) is None


def test_the_mean_of_a_few_draws_of_the_mechanism_is_covered():
    for measure in (mechanism.bits("dot", 8), mechanism.permuted("alibi")):
        draws = jax.jit(jax.vmap(measure))(jax.random.split(jax.random.key(7), 4000))
        draws = np.asarray(draws, np.float64).reshape(-1, mechanism.DRAWS)
        found = [of_seeds(one) for one in draws]
        held = np.mean([one.low <= draws.mean() <= one.high for one in found])
        assert 0.92 <= held <= 0.98


@pytest.mark.slow
@pytest.mark.promise
@pytest.mark.parametrize("residual", [True, False])
def test_the_mean_of_a_few_deep_stacks_is_covered(residual):
    measure = mechanism.gradient(residual)
    draws = jax.jit(lambda keys: jax.lax.map(measure, keys))(
        jax.random.split(jax.random.key(7), 4000)
    )
    draws = np.asarray(draws, np.float64).reshape(-1, mechanism.DRAWS)
    held = np.mean(
        [abs(of_seeds(d).estimate - draws.mean()) <= of_seeds(d).high - d.mean() for d in draws]
    )
    assert 0.92 <= held <= 0.98
