"""Claims about pre-training: each compares its arms in its order, by its own score and no other."""

import numpy as np
import pytest

from attention_lab.claims import pretraining
from attention_lab.claims.contracts import FAILS, HOLDS, judge
from attention_lab.claims.verdicts import bounds
from configs.ablations import pretraining as objectives
from configs.ablations import pretraining_sentences as sentences
from configs.claims import pretraining as headlines
from configs.claims import pretraining_translation as translations
from tests.studies import made

MORE, LESS, EQUAL = "more than 0", "less than 0", "between -{0} and {0}"
# name: the score, the arm that is named first, the other, and the bounds
CLAIMED = {
    "pre-training with spans": ("rougeL", "spans", "scratch", MORE),
    "pre-training with infilling": ("rougeL", "infilling", "scratch", MORE),
    "pre-training with gap sentences": ("rougeL", "gap sentences", "scratch", MORE),
    "infilling, deletion": ("perplexity", "infilling", "deletion", LESS),
    "infilling, masking": ("perplexity", "infilling", "masking", LESS),
    "deletion, rotation": ("perplexity", "deletion", "rotation", LESS),
    "masking, rotation": ("perplexity", "masking", "rotation", LESS),
    "permutation added": ("perplexity", "infilling and permutation", "infilling", LESS),
    "picked, random": ("rougeL", "gap sentences", "random sentences", MORE),
    "random, lead": ("rougeL", "random sentences", "first sentences", MORE),
    "spans, prefix": ("rougeL", "spans", "prefix", MORE),
    "spans, deshuffling": ("rougeL", "spans", "permutation", MORE),
    "corruption rate": ("rougeL", "spans", "spans of half", MORE),
    "corruption rate matters little": (
        "rougeL",
        "spans of a tenth",
        "spans of a quarter",
        EQUAL.format(2),
    ),
    "translation from many pairs": (
        "bleu",
        "many pairs, pre-trained",
        "many pairs",
        EQUAL.format(1),
    ),
    "translation from few pairs": ("bleu", "few pairs, pre-trained", "few pairs", MORE),
}
BY_NAME = {claim.name: claim for claim in pretraining.CLAIMS}


def rows(arm, score, level, seeds=3):
    """Rows of an arm with `level`, 0 to 1, of a score, and with half of the others; seeds and examples differ a little."""
    found = []
    for seed in range(seeds):
        rng = np.random.default_rng(seed)  # the same in all arms: differences are clear
        levels = {
            name: level if name == score else 0.5 for name in ("bleu", "rougeL", "perplexity")
        }
        chance = rng.integers(0, 2, 40)
        row = made.row(arm, seed, (2 + chance + round(4 * levels["bleu"])).tolist())
        parts = row["statistics"]["test"]
        parts["rougeL"] = [[10 + 70 * levels["rougeL"] + n, 1] for n in chance]
        parts["perplexity"] = [[10 * (1 + levels["perplexity"] + 0.1 * n), 10] for n in chance]
        row["curve"] = [
            {"tokens": t, "rougeL": 1.0, "bleu": 1.0, "perplexity": 2.0} for t in (50, 100)
        ]
        found.append(row)
    return found


def test_every_claim_is_reported_here():
    found = {claim.name: [*claim.arms, bounds(claim)] for claim in pretraining.CLAIMS}
    assert found == {name: expected for name, (_, *expected) in CLAIMED.items()}
    assert len(pretraining.CLAIMS) == len(CLAIMED)


@pytest.mark.parametrize("name", CLAIMED)
def test_a_claim_is_about_its_score_of_the_first_arm_less_that_of_the_second(name):
    score, first, second, said = CLAIMED[name]
    more, less = (
        judge(BY_NAME[name], rows(first, score, one) + rows(second, score, other))
        for one, other in ((1, 0), (0, 1))
    )
    assert more.interval.low > 0 > less.interval.high
    verdicts = {MORE: (HOLDS, FAILS), LESS: (FAILS, HOLDS)}.get(said, (FAILS, FAILS))
    assert (more.verdict, less.verdict) == verdicts
    for another in {"bleu", "rougeL", "perplexity"} - {score}:
        found = judge(BY_NAME[name], rows(first, another, 1) + rows(second, another, 0))
        assert found.interval.estimate == pytest.approx(0, abs=1e-9)
    assert judge(BY_NAME[name], rows(first, score, 1)) is None


def test_a_study_of_fine_tuning_has_the_arms_of_its_claims_and_starts_from_the_runs_of_the_other():
    arms = headlines.get_config().arms
    assert set(arms) == {"scratch", *objectives.get_config().arms}
    translated = translations.get_config().arms
    assert all(
        set(claim.arms) <= set(arms) or set(claim.arms) <= set(translated)
        for claim in BY_NAME.values()
    )
    folders = {name: arm.get("initialize_from") for name, arm in arms.items()}
    assert folders["scratch"] is None
    assert folders["random sentences"] == (
        "runs/studies/pretraining/groups/random_sentences/random_sentences_seed_{seed}"
    )
    assert translated["few pairs, pre-trained"]["initialize_from"] == (
        "runs/studies/pretraining_sentences/groups/spans/spans_seed_{seed}"
    )


@pytest.mark.parametrize(
    ("fine", "pre"),
    [(headlines, objectives), (translations, sentences)],
    ids=["headlines", "pairs"],
)
def test_models_are_as_large_as_those_that_were_pre_trained_and_have_their_seeds(fine, pre):
    assert fine.base().model.to_dict() == pre.base().model.to_dict()
    assert fine.base().tokenizer.extra == pre.base().tokenizer.extra
    assert fine.get_config().seeds == pre.get_config().seeds
