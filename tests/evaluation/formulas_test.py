"""Statistics against their formulas, number by number."""

import math

import numpy as np
import pytest
from scipy import stats

from attention_lab.evaluation.metrics import aer_of, bleu_of, bleu_statistics
from attention_lab.evaluation.statistics import (
    Interval,
    bootstrap,
    components,
    contributions,
    effect_size,
    holm,
    interval,
    of_pairs,
    of_seeds,
    percentiles,
    ratio_of,
    seeds_needed,
)
from tests.evaluation import formulas
from tests.evaluation.studies import bleu_parts as drawn_parts
from tests.evaluation.studies import logits


def values(replicas, sentences, sizes, seed=0, mean=0.0):
    """One study of the two-way model; sizes: of seeds, sentences and the rest."""
    rng = np.random.default_rng(seed)
    shapes = (replicas, 1), (1, sentences), (replicas, sentences)
    return mean + sum(s * rng.normal(size=n) for s, n in zip(sizes, shapes, strict=True))


# Seeds, sentences or the rest are the most; the last has less between sentences than within.
SIZES = [(3.0, 1.0, 1.0), (0.2, 4.0, 1.0), (0.2, 0.2, 5.0), (1.0, 0.0, 3.0)]


@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("replicas", [2, 3, 5])
@pytest.mark.parametrize("level", [0.95, 0.8])
def test_an_interval_is_satterthwaite_s(replicas, sizes, level):
    study = values(replicas, 12, sizes, replicas, mean=1.0)
    np.testing.assert_allclose(
        interval(study, level), formulas.interval(study.tolist(), level), rtol=1e-9
    )


def test_the_interval_of_many_studies_is_each_one_s():
    studies = np.stack([values(3, 8, SIZES[0], n) for n in range(4)])
    assert interval(studies[:1]).low.shape == (1,)
    found = interval(studies)
    for number, study in enumerate(studies):
        expected = formulas.interval(study.tolist())
        np.testing.assert_allclose([part[number] for part in found], expected, rtol=1e-9)


def test_an_interval_is_of_95_percent_unless_another_is_asked_for():
    study = values(3, 8, SIZES[0])
    assert interval(study) == interval(study, 0.95) and of_seeds([1, 2]) == of_seeds([1, 2], 0.95)
    assert str(Interval(1.234, 0.5, 2.0, 0.1, 0.2, 3)) == "1.23 [0.50, 2.00]"


@pytest.mark.parametrize("draws", [[1.0, 2.0], [0.3, -0.5, 0.9, 4.0], [-3.0, -2.0, -2.5]])
@pytest.mark.parametrize("level", [0.95, 0.5])
def test_the_interval_of_seeds_is_student_s(draws, level):
    np.testing.assert_allclose(of_seeds(draws, level), formulas.of_seeds(draws, level), rtol=1e-9)


@pytest.mark.parametrize("draws", [[1.0], [[1.0, 2.0], [1.0, 2.0]], 3.0])
def test_one_value_has_no_interval(draws):
    with pytest.raises(ValueError, match="one for each of 2 or more seeds"):
        of_seeds(draws)


@pytest.mark.parametrize("shape", [(1, 5), (5, 1), (5,), (3, 1, 5)])
def test_a_table_needs_two_seeds_and_two_sentences(shape):
    for function in (interval, components, effect_size, seeds_needed):
        with pytest.raises(ValueError, match="at least 2 of each"):
            function(np.zeros(shape))


def test_values_that_are_all_the_same_have_no_width_and_p_says_whether_they_are_nothing():
    for study in (interval(np.full((3, 4), 2.0)), of_seeds([2.0, 2.0])):
        assert (study.estimate, study.low, study.high, study.p) == (2, 2, 2, 0)
    assert of_seeds([0.0, 0.0]).p == 1
    assert interval(np.full((3, 4), 2.0)).degrees == 2


@pytest.mark.parametrize("sizes", SIZES)
def test_components_are_of_the_mean_squares(sizes):
    study = values(4, 9, sizes)
    seed, sentence, rest = formulas.mean_squares(study.tolist())
    expected = max(0, seed - rest) / 9, max(0, sentence - rest) / 4, rest
    np.testing.assert_allclose(components(study), expected, rtol=1e-9)


@pytest.mark.parametrize("count", [1, 2, 3, 6])
def test_holm_s_rule(count):
    for seed in range(5):
        p = np.random.default_rng(seed).uniform(0, 0.6, count).tolist()
        np.testing.assert_allclose(holm(p), formulas.holm(p))
    assert holm([0.2] * 3).tolist() == pytest.approx([0.6] * 3)


@pytest.mark.parametrize("replicas", [2, 3, 5])
def test_effect_sizes_are_hedges_g(replicas):
    studies = np.stack([values(replicas, 6, SIZES[0], n) for n in range(3)])
    expected = [formulas.effect_size(study.tolist()) for study in studies]
    np.testing.assert_allclose(effect_size(studies), expected)


def test_seeds_that_agree_exactly_have_an_infinite_effect_or_none():
    assert effect_size(np.full((3, 2), 2.0)) == np.inf
    assert effect_size(np.full((3, 2), -2.0)) == -np.inf
    assert np.isnan(effect_size(np.zeros((3, 2))))


@pytest.mark.parametrize("mean", [0.4, -0.8, 1.5, 4.0])
@pytest.mark.parametrize("sizes", [(1.0, 1.0, 4.0), (2.0, 0.1, 1.0), (0.01, 0.1, 0.2)])
def test_the_seeds_that_are_needed_are_the_fewest_that_reach_the_power(mean, sizes):
    study = values(4, 40, sizes, mean=mean)
    assert seeds_needed(study) == formulas.seeds_needed(study.tolist())
    for given in ({"level": 0.8}, {"power": 0.5}, {"maximum": 5}):
        assert seeds_needed(study, **given) == formulas.seeds_needed(study.tolist(), **given)


def test_more_than_a_thousand_seeds_are_none():
    # By hand: two seeds' values differ by 2, so that the rest is nothing and a seed has the variance 2.
    def study(difference):
        return np.array([[difference - 1] * 2, [difference + 1] * 2], float)

    least = [
        (stats.t.ppf(0.975, count - 1) + stats.t.ppf(0.8, count - 1)) * math.sqrt(2 / count)
        for count in (999, 1000)
    ]
    assert seeds_needed(study(1.0001 * least[0])) == 999
    assert seeds_needed(study(1.0001 * least[1])) == 1000
    assert seeds_needed(study(0.9999 * least[1])) is None
    assert seeds_needed(study(100.0)) == 2


def test_what_a_seed_contributes_to_pairs():
    # Three seeds, U = 2: of each, 2 + 2·2/1·(value − 2).
    np.testing.assert_allclose(of_pairs([1.0, 2.0, 3.0]), [-2, 2, 6])
    table = np.array([[1.0, 0.0], [2.0, 0.0], [3.0, 0.0], [2.0, 4.0]])
    np.testing.assert_allclose(of_pairs(table), [[-1, -2], [2, -2], [5, -2], [2, 10]])


SCORES = {"BLEU": (bleu_of, formulas.bleu), "words": (ratio_of, formulas.ratio)}
SCORES["links"] = (aer_of, formulas.aer)


def parts(kind, replicas=2, sentences=7):
    rng = np.random.default_rng(len(kind))
    if kind == "BLEU":
        return drawn_parts(rng, logits(rng, rng.normal(size=replicas), sentences))
    if kind == "words":
        right = rng.integers(0, 5, (replicas, sentences))
        return np.stack([right, right + rng.integers(1, 4, right.shape)], -1).astype(float)
    hit = rng.integers(0, 4, (replicas, sentences))
    possible = hit + rng.integers(0, 3, hit.shape)
    more = (rng.integers(1, 4, hit.shape) for _ in range(2))
    return np.stack([possible + next(more), possible, hit, hit + next(more)], -1).astype(float)


@pytest.mark.parametrize("kind", SCORES)
def test_scores_and_what_sentences_contribute_to_them(kind):
    (of, by_hand), tables = SCORES[kind], parts(kind)
    np.testing.assert_allclose(of(tables.sum(1)), [formulas.score(t, by_hand) for t in tables])
    expected = [formulas.contributions(one, by_hand) for one in tables]
    np.testing.assert_allclose(contributions(tables, of), expected, rtol=1e-6)


def test_rates_by_hand():
    assert aer_of(np.array([4.0, 3, 1, 3])) == pytest.approx(100 * (1 - 4 / 7))
    assert ratio_of(np.array([[1.0, 4], [3, 4]])).tolist() == [25, 75]
    halves = np.array([4.0, 2, 0, 0, 5, 4, 3, 2, 5, 10])
    product = (4 / 5) * (2 / 4) * (1 / (2 * 3)) * (1 / (4 * 2))
    assert bleu_of(halves) == pytest.approx(100 * math.exp(1 - 10 / 5) * product**0.25)
    assert bleu_of(np.array([5.0, 4, 3, 2, 5, 4, 3, 2, 5, 4])) == pytest.approx(100)  # longer
    assert bleu_of(np.array([1.0, 0, 0, 0, 3, 2, 1, 0, 3, 3])) == 0  # too short for four
    assert bleu_of(np.array([0.0, 0, 0, 0, 6, 5, 4, 3, 6, 6])) == 0
    one = np.array([1.0, 0, 0, 0, 4, 3, 2, 1, 4, 4])  # one word of four: all totals are there
    assert bleu_of(one) == pytest.approx(100 * (1 / 4 / 6 / 8 / 8) ** 0.25)


def test_what_bleu_counts_in_a_sentence():
    found = bleu_statistics(["the cat sat on mats", "a"], ["the cat sat on mat .", "a b"])
    # 4 of 5 words, 3 of 4 pairs, ..; of one word there are no pairs.
    expected = [[4, 3, 2, 1, 5, 4, 3, 2, 5, 6], [1, 0, 0, 0, 1, 0, 0, 0, 1, 2]]
    assert found.tolist() == expected


def means(by_seed_and_sentence):
    table = np.asarray(by_seed_and_sentence, float)
    return np.stack([table, np.ones_like(table)], -1)


def test_a_bootstrap_varies_as_its_theory_says():
    # A mean of N values that are drawn again has their variance (over N, not N − 1) divided by N.
    sentences = np.random.default_rng(0).normal(size=(1, 20))
    found = bootstrap(means(sentences), ratio_of, draws=5000)
    assert found.shape == (5000,)
    assert found.mean() == pytest.approx(100 * sentences.mean(), abs=1.5)
    assert found.std() == pytest.approx(100 * sentences.std() / 20**0.5, rel=0.05)
    seeds = np.array([0.0, 1.0, 5.0])
    found = bootstrap(means(np.tile(seeds[:, None], 4)), ratio_of, draws=5000)
    assert found.std() == pytest.approx(100 * seeds.std() / 3**0.5, rel=0.05)


def test_arms_are_drawn_alike():
    table = np.random.default_rng(0).normal(size=(3, 20))
    one, other = (bootstrap(means(t), ratio_of, draws=50) for t in (table, table + 2))
    np.testing.assert_allclose(other - one, 200)
    again = bootstrap(means(table), ratio_of, draws=50, seed=0)
    np.testing.assert_array_equal(again, one)
    assert not np.allclose(bootstrap(means(table), ratio_of, draws=50, seed=1), one)
    assert bootstrap(means(table), ratio_of).shape == (1000,)


def test_percentiles_leave_out_as_much_on_either_side():
    numbers = np.arange(1001.0)
    assert percentiles(numbers) == pytest.approx((25, 975))
    assert percentiles(numbers, 0.5) == pytest.approx((250, 750))
