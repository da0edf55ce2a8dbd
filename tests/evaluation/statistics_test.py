"""Statistics: intervals cover what they promise to, scores are sacrebleu's, corrections the textbook's."""

import numpy as np
import pytest
import sacrebleu
from sacrebleu.significance import PairedTest

from attention_lab.evaluation.metrics import bleu_of, bleu_statistics
from attention_lab.evaluation.statistics import (
    bootstrap,
    components,
    contributions,
    effect_size,
    holm,
    interval,
    percentiles,
    ratio_of,
    seeds_needed,
)

STUDIES = 4000


def simulated(replicas, studies=STUDIES, sentences=100, sizes=(1.0, 3.0, 6.0), seed=0, mean=0.0):
    """Studies [.., R, N] of the two-way model; sizes: of seeds, sentences and the rest."""
    rng = np.random.default_rng(seed)
    return (
        mean
        + sizes[0] * rng.normal(size=(studies, replicas, 1))
        + sizes[1] * rng.normal(size=(studies, 1, sentences))
        + sizes[2] * rng.normal(size=(studies, replicas, sentences))
    )


# Seeds matter most, sentences do, neither does more than the rest.
@pytest.mark.parametrize("sizes", [(1.0, 3.0, 6.0), (0.3, 5.0, 5.0), (0.5, 1.0, 10.0)])
@pytest.mark.parametrize("replicas", [3, 5, 10])
def test_the_interval_covers_what_it_promises(replicas, sizes):
    found = interval(simulated(replicas, sizes=sizes, mean=2.0))
    covered = ((found.low <= 2.0) & (found.high >= 2.0)).mean()
    assert 0.92 <= covered <= 0.97


def test_where_nothing_differs_one_test_in_twenty_errs():
    p = interval(simulated(5, seed=1)).p
    assert 0.03 <= (p < 0.05).mean() <= 0.08


def test_seeds_alone_give_the_ordinary_t_interval():
    by_seed = np.array([30.1, 31.4, 29.8, 30.9])
    found = interval(by_seed[:, None] + np.zeros(50))
    from scipy import stats

    low, high = stats.t.interval(0.95, 3, by_seed.mean(), stats.sem(by_seed))
    assert (found.low, found.high) == pytest.approx((low, high))
    assert found.degrees == pytest.approx(3) and found.spread == pytest.approx(by_seed.std(ddof=1))


def test_sentences_alone_give_the_ordinary_t_interval_or_a_wider_one():
    rng = np.random.default_rng(2)
    by_sentence = rng.normal(size=200)
    found = interval(np.zeros((4, 1)) + by_sentence)
    error = by_sentence.std(ddof=1) / 200**0.5
    assert found.high - found.estimate >= 1.96 * error


def test_one_seed_has_no_interval():
    with pytest.raises(ValueError, match="one seed"):
        interval(np.zeros((1, 50)))


def test_equal_systems_differ_by_nothing():
    found = interval(np.zeros((3, 50)))
    assert (found.low, found.high, found.p) == (0, 0, 1)


def test_components_are_found_again():
    found = components(simulated(20, studies=300, sizes=(2.0, 3.0, 4.0)))
    assert found.seed.mean() == pytest.approx(4, rel=0.1)
    assert found.sentence.mean() == pytest.approx(9, rel=0.1)
    assert found.residual.mean() == pytest.approx(16, rel=0.1)


def test_holm_steps_down():
    # The example of Holm's rule: sorted, times 4, 3, 2, 1, and never less than the one before.
    np.testing.assert_allclose(holm([0.01, 0.04, 0.03, 0.005]), [0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]).max() == 1.0


def test_effect_size_is_hedges_g_of_the_paired_differences():
    by_seed = np.array([1.0, 2.0, 3.0, 2.0, 2.0])
    expected = (1 - 3 / 15) * 2.0 / by_seed.std(ddof=1)
    assert effect_size(by_seed[:, None] + np.zeros(7)) == pytest.approx(expected)


def test_as_many_seeds_as_are_printed_to_be_needed_are_enough():
    truth = simulated(200, studies=1, sentences=400, sizes=(1.0, 1.0, 4.0), mean=1.2)[0]
    needed = seeds_needed(truth)
    power = {
        count: (
            interval(simulated(count, 2000, 400, (1.0, 1.0, 4.0), seed=3, mean=1.2)).p < 0.05
        ).mean()
        for count in (needed - 2, needed)
    }
    assert power[needed - 2] < 0.8 < power[needed] + 0.05


def test_no_number_of_seeds_makes_up_for_few_sentences():
    assert seeds_needed(simulated(5, 1, 20, (0.1, 30.0, 1.0), mean=0.5)[0]) is None


def corpus(seed, quality, count=60):
    rng = np.random.default_rng(seed)
    words = [f"w{i}" for i in range(40)]
    references = [" ".join(rng.choice(words, rng.integers(4, 15))) for _ in range(count)]
    noise = np.random.default_rng(seed + 100 * quality)
    hypotheses = [
        " ".join(w if noise.random() < quality / 100 else noise.choice(words) for w in r.split())
        for r in references
    ]
    return hypotheses, references


@pytest.mark.parametrize("quality", [0, 5, 20, 60, 90, 100])
def test_bleu_of_summed_counts_is_sacrebleu_s(quality):
    hypotheses, references = corpus(quality, quality)
    expected = sacrebleu.corpus_bleu(hypotheses, [references]).score
    assert bleu_of(bleu_statistics(hypotheses, references).sum(0)) == pytest.approx(
        expected, abs=1e-9
    )


def test_bleu_of_odd_sentences_is_sacrebleu_s():
    for hypotheses, references in [
        (["a b c d e f"], ["a x c y e z"]),  # no match beyond single words
        (["a b c"], ["a b c"]),  # too short for four
        ([""], ["a b c d e"]),
        (["a b c d"], ["a b c d e f g h"]),  # short
    ]:
        expected = sacrebleu.corpus_bleu(hypotheses, [references], force=True).score
        got = bleu_of(bleu_statistics(hypotheses, references).sum(0))
        assert got == pytest.approx(expected, abs=1e-9), (hypotheses, references)


def test_contributions_have_the_scores_as_means_and_the_parts_errors():
    parts = np.stack([bleu_statistics(*corpus(7, q, 300)) for q in (60, 70)])
    found = contributions(parts, bleu_of)
    np.testing.assert_allclose(found.mean(-1), bleu_of(parts.sum(1)))
    # Of a plain mean, a sentence contributes its own value.
    plain = np.stack([np.random.default_rng(0).normal(size=(2, 30)), np.ones((2, 30))], -1)
    np.testing.assert_allclose(contributions(plain, ratio_of), 100 * plain[..., 0])


def test_the_interval_of_bleu_covers_the_bleu_of_other_sentences():
    # The truth is the mean BLEU of three seeds on very many sentences, of which each study draws 100.
    seeds = np.stack([bleu_statistics(*corpus(999, quality, 6000)) for quality in (60, 61, 59)])
    rng = np.random.default_rng(0)
    truth = float(bleu_of(seeds.sum(1)).mean())
    covered = 0
    for _ in range(400):
        drawn = seeds[:, rng.integers(6000, size=100)]
        found = interval(contributions(drawn, bleu_of))
        covered += found.low <= truth <= found.high
    assert covered / 400 > 0.92


def test_a_paired_bootstrap_is_sacrebleu_s():
    references = corpus(3, 60, 200)[1]
    one, other = corpus(3, 60, 200)[0], corpus(3, 63, 200)[0]
    theirs = PairedTest(
        [("one", one), ("other", other)],
        {"BLEU": sacrebleu.BLEU()},
        [references],
        test_type="bs",
        n_samples=2000,
    )()[1]["BLEU"]
    a, b = (bleu_statistics(h, references)[None] for h in (one, other))
    mine = bootstrap(a, bleu_of, draws=2000)
    low, high = percentiles(mine)
    assert bleu_of(a[0].sum(0)) == pytest.approx(theirs[0].score)
    assert (low + high) / 2 == pytest.approx(theirs[0].mean, abs=0.3)
    assert (high - low) / 2 == pytest.approx(theirs[0].ci, rel=0.1)
    low, high = percentiles(bootstrap(b, bleu_of, draws=2000) - mine)
    assert (low > 0 or high < 0) == (theirs[1].p_value < 0.05)
