"""Claims about pictures and speech: each compares its arms in its order, by its own score, at its own lengths."""

import math

import numpy as np
import pytest

from attention_lab.claims import CLAIMS, perception
from attention_lab.claims.contracts import FAILS, HOLDS, judge
from attention_lab.claims.verdicts import bounds
from configs.claims import captions, digits
from tests.studies import made

MORE, LESS = "more than 0", "less than 0"
# name: the score, the arm that is named first, the other, and the bounds
BETWEEN_ARMS = {
    "attention for captions": ("bleu", "soft", "no attention", MORE),
    "hard attention": ("bleu", "hard", "no attention", MORE),
    "soft and hard": ("bleu", "hard", "soft", "between -2 and 2"),
    "hard attention points": ("pointing", "hard", "soft", MORE),
    "doubly stochastic": ("bleu", "doubly stochastic", "soft", MORE),
    "gate": ("correctness", "gate", "soft", MORE),
    "attention for speech": ("short", "content", "no attention", LESS),
    "location": ("long", "location", "content", LESS),
    "smoothing": ("long", "smoothing", "content", LESS),
    "location with smoothing": ("long", "location and smoothing", "location", LESS),
    "windowing": ("long", "windowed location", "location", LESS),
    "SpecAugment": ("short", "SpecAugment", "content", LESS),
    "sampled inputs": ("short", "sampled inputs", "content", LESS),
}
BY_NAME = {claim.name: claim for claim in perception.CLAIMS}
SCORES = ("bleu", "pointing", "correctness", "area", "short", "long")
WORDS = [3] * 10 + [5] * 15 + [6] * 15 + [20] * 10


def rows(arm, seeds=3, **levels):
    """Rows of an arm with levels of scores, 0 to 1, half where not given; "short" and "long" are WER by length."""
    found, level = [], {name: levels.get(name, 0.5) for name in SCORES}
    for seed in range(seeds):
        chance = np.random.default_rng(seed).integers(0, 2, len(WORDS))  # the same in all arms
        row = made.row(arm, seed, (2 + chance + round(4 * level["bleu"])).tolist())
        parts = row["statistics"]["test"]
        parts["source_words"] = WORDS
        for name in ("pointing", "correctness", "area"):
            parts[name] = [[10 + 70 * level[name] + n, 100] for n in chance]
        at = [level["short" if count < 6 else "long"] for count in WORDS]
        parts["wer"] = [[10 * one + 0.1 * n, 10] for one, n in zip(at, chance, strict=True)]
        row["curve"] = [{"tokens": t, "bleu": 1.0, "wer": 1.0} for t in (50, 100)]
        found.append(row)
    return found


def test_every_claim_is_reported_here_and_has_a_study_with_its_arms():
    others = {"looks at what it says", "content breaks"}
    assert set(BETWEEN_ARMS) | others == set(BY_NAME) and len(perception.CLAIMS) == 15
    studies = [set(config.get_config().arms) for config in (captions, digits)]
    for claim in perception.CLAIMS:
        assert any(set(claim.arms) <= arms for arms in studies)


@pytest.mark.parametrize("name", BETWEEN_ARMS)
def test_a_claim_is_about_its_score_of_the_first_arm_less_that_of_the_second(name):
    score, first, second, said = BETWEEN_ARMS[name]
    claim = BY_NAME[name]
    assert claim.arms == (first, second) and bounds(claim) == said
    more, less = (
        judge(claim, rows(first, **{score: one}) + rows(second, **{score: other}))
        for one, other in ((1, 0), (0, 1))
    )
    assert more.interval.low > 0 > less.interval.high
    verdicts = {MORE: (HOLDS, FAILS), LESS: (FAILS, HOLDS)}.get(said, (FAILS, FAILS))
    assert (more.verdict, less.verdict) == verdicts
    for another in set(SCORES) - {score}:
        found = judge(claim, rows(first, **{another: 1}) + rows(second, **{another: 0}))
        assert found.interval.estimate == pytest.approx(0, abs=1e-9)
    assert judge(claim, rows(first)) is None


def test_a_study_of_speech_decides_the_claims_about_speech_and_no_others():
    study = [row for arm in digits.get_config().arms for row in rows(arm)]
    for row in study:  # what a row of speech has
        parts = row["statistics"]["test"]
        row["statistics"]["test"] = {name: parts[name] for name in ("wer", "source_words")}
    decided = {claim.name for claim in CLAIMS if claim.arms and judge(claim, study)}
    assert decided == {
        claim.name for claim in perception.CLAIMS if claim.arms[0] in digits.get_config().arms
    }


def test_where_a_model_looks_is_compared_with_how_large_that_is():
    claim = BY_NAME["looks at what it says"]
    found = judge(claim, rows("soft", correctness=0.8, area=0.1))
    assert found.verdict == HOLDS and found.interval.estimate == pytest.approx(49, abs=1e-6)
    assert judge(claim, rows("soft", correctness=0.1, area=0.8)).verdict == FAILS
    without = rows("soft")
    for row in without:
        del row["statistics"]["test"]["area"]
    assert judge(claim, without) is None


def test_attention_breaks_where_the_longer_strings_have_ten_points_more_errors():
    claim = BY_NAME["content breaks"]
    assert claim.bounds == (-math.inf, -10)
    found = judge(claim, rows("content", short=0.1, long=0.5))
    assert found.verdict == HOLDS and found.interval.estimate == pytest.approx(-40, abs=0.5)
    assert judge(claim, rows("content", short=0.1, long=0.15)).verdict == FAILS
