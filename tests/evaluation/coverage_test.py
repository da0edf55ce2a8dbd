"""Every interval that a study prints holds the truth as often as it says, in studies whose truth is known.

A binomial's standard deviation of 600 studies is 0.9 %: what is asked for is 92 to 98 %, give or take one.
"""

import numpy as np
import pytest

from attention_lab.evaluation.metrics import aer_of, bleu_of
from attention_lab.evaluation.statistics import (
    bootstrap,
    contributions,
    holm,
    interval,
    of_pairs,
    of_seeds,
    percentiles,
    ratio_of,
)
from tests.evaluation.studies import (
    bleu_parts,
    covered,
    link_parts,
    logits,
    quantiles,
    word_parts,
)

STUDIES = 600
SEEDS = (3, 4, 5, 10)
METRICS = {
    "BLEU": (bleu_parts, bleu_of),
    "AER": (link_parts, aer_of),
    "words": (word_parts, ratio_of),
}


def parts_of(metric, seeds, sentences, number=0):
    """Parts and score of arms whose seeds do [.., R]."""
    draw, of = METRICS[metric]
    rng = np.random.default_rng([number, sentences, seeds.size])
    return draw(rng, logits(rng, seeds, sentences)), of


def seeds_of(replicas, spread, number=0, studies=STUDIES):
    return 0.3 + spread * np.random.default_rng(number).normal(size=(studies, replicas))


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("replicas", SEEDS)
def test_the_interval_of_an_arm_covers_its_score(metric, replicas):
    parts, of = parts_of(metric, 0.3 + 0.2 * quantiles(), 4000)
    truth = of(parts.sum(-2)).mean()
    parts, of = parts_of(metric, seeds_of(replicas, 0.2), 50)
    assert 0.91 <= covered(interval(contributions(parts, of)), truth) <= 0.99


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("replicas", SEEDS)
def test_the_interval_of_a_paired_difference_covers_it(metric, replicas):
    rng = np.random.default_rng(replicas)

    def difference(seeds, sentences):  # one sentence is as hard for one arm as for the other
        draw, of = METRICS[metric]
        one = logits(rng, seeds, sentences)
        other = one + 0.3 + logits(rng, 0.2 * rng.normal(size=seeds.shape), sentences, sentence=0.2)
        return [contributions(draw(rng, each), of) for each in (one, other)]

    one, other = difference(0.3 + 0.2 * quantiles(), 8000)
    truth = (other - one).mean()
    one, other = difference(seeds_of(replicas, 0.2), 50)
    assert 0.91 <= covered(interval(other - one), truth) <= 0.99


@pytest.mark.parametrize("sizes", [(3.0, 0.5, 0.5), (0.7, 3.0, 6.0), (0.1, 5.0, 5.0)])
def test_two_seeds_promise_no_more_than_they_hold(sizes):
    rng = np.random.default_rng(0)
    shapes = (2, 1), (1, 60), (2, 60)
    found = interval(
        sum(s * rng.normal(size=(4000, *n)) for s, n in zip(sizes, shapes, strict=True))
    )
    assert covered(found, 0) >= 0.94


@pytest.mark.parametrize("metric", ["BLEU", "words"])
@pytest.mark.parametrize("sentences", [10, 20])
def test_ten_sentences_are_enough_for_an_interval(metric, sentences):
    parts, of = parts_of(metric, 0.3 + 0.2 * quantiles(), 4000)
    truth = of(parts.sum(-2)).mean()
    parts, of = parts_of(metric, seeds_of(5, 0.2), sentences)
    assert 0.90 <= covered(interval(contributions(parts, of)), truth) <= 0.99


def agreements(rng, studies, replicas, sentences, quality):
    """How far each seed's attention agrees with the others' [.., R, N], two target words of six source words each.

    All seeds see something of the same; some are noisier than others, by `quality`.
    """
    noise = np.exp(quality * rng.normal(size=(studies, replicas, 1, 1, 1)))
    shape = (sentences, 2, 6)
    scores = 1.5 * rng.normal(size=(studies, 1, *shape))
    weights = np.exp(scores + noise * rng.normal(size=(studies, replicas, *shape)))
    weights /= weights.sum(-1, keepdims=True)
    pairs = np.minimum(weights[:, :, None], weights[:, None]).sum(-1).mean(-1)
    return (pairs.sum(2) - 1) / (replicas - 1)  # with itself, a seed agrees fully


@pytest.mark.parametrize("quality", [0.05, 0.3])
@pytest.mark.parametrize("replicas", SEEDS)
def test_the_interval_of_an_average_over_pairs_covers_it(replicas, quality):
    rng = np.random.default_rng(replicas)
    truth = agreements(rng, 4000, 2, 60, quality).mean()
    found = agreements(rng, 500, replicas, 60, quality)
    assert 0.91 <= covered(interval(np.stack([of_pairs(one) for one in found])), truth) <= 0.99


def test_seeds_that_share_pairs_are_not_independent():
    rng = np.random.default_rng(0)
    own = rng.normal(size=(4000, 5))
    values = (own * 3 + own.sum(1, keepdims=True)) / 4  # pairs are sums of what two seeds have
    found = [of_seeds(of_pairs(one)) for one in values]
    assert np.mean([abs(one.estimate) < one.high - one.estimate for one in found]) == pytest.approx(
        0.95, abs=0.015
    )
    assert np.mean([one.low <= 0 <= one.high for one in map(of_seeds, values)]) < 0.75


def test_an_average_over_pairs_is_the_jackknife_s():
    pairs = np.random.default_rng(0).normal(size=(6, 6))
    pairs = pairs + pairs.T

    def average(kept):
        return np.mean([pairs[i, j] for i in kept for j in kept if i != j])

    every = list(range(6))
    leave_out = [6 * average(every) - 5 * average([i for i in every if i != r]) for r in every]
    each = np.array([np.mean([pairs[r, j] for j in every if j != r]) for r in every])
    np.testing.assert_allclose(of_pairs(each), leave_out)


@pytest.mark.parametrize("count", [1, 2])
def test_one_pair_has_no_interval(count):
    with pytest.raises(ValueError, match="expected 3 or more"):
        of_pairs(np.ones((count, 20)))


@pytest.mark.parametrize("count", [3, 4, 7, 8])
def test_student_s_interval_covers_the_mean_of_draws_and_of_ratios_of_times(count):
    rng = np.random.default_rng(count)
    for drawn, truth in (
        (rng.normal(size=(2000, count)), 0.0),
        (np.exp(0.2 * rng.normal(size=(2000, count))), np.exp(0.02)),  # times are not symmetric
    ):
        found = [of_seeds(one) for one in drawn]
        held = np.mean([one.low <= truth <= one.high for one in found])
        assert 0.92 <= held <= 0.97


# What the report says of the bootstrap beside the interval; see `attention_lab.studies.reporting.NOTE`.
@pytest.mark.parametrize(("replicas", "covers"), [(3, 0.74), (5, 0.82), (10, 0.90)])
def test_the_bootstrap_is_as_narrow_as_the_report_says(replicas, covers):
    rng = np.random.default_rng(replicas)
    held = 0
    for number in range(STUDIES):
        values = rng.normal(size=(replicas, 1)) + 0.1 * rng.normal(size=(replicas, 30))
        parts = np.stack([values, np.ones_like(values)], -1)
        low, high = percentiles(bootstrap(parts, ratio_of, draws=300, seed=number))
        held += low <= 0 <= high
    assert held / STUDIES == pytest.approx(covers, abs=0.045)


def test_a_family_of_comparisons_errs_once_in_twenty_studies():
    # Five arms that are alike: ten differences, which share arms, seeds and sentences.
    rng = np.random.default_rng(0)
    arms = rng.normal(size=(1000, 5, 4, 1)) + 3 * rng.normal(size=(1000, 5, 4, 40))
    arms = arms + rng.normal(size=(1000, 1, 1, 40))
    p = np.stack([interval(arms[:, a] - arms[:, b]).p for a in range(5) for b in range(a)], axis=-1)
    assert np.mean([holm(one).min() < 0.05 for one in p]) <= 0.065
