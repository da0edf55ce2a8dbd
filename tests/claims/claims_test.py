"""Claims: three verdicts, each for the right reason; every claim can be decided, either way."""

import functools

import numpy as np
import pytest

from attention_lab.claims import CLAIMS, mechanism, translation
from attention_lab.claims.contracts import (
    FAILS,
    HOLDS,
    INCONCLUSIVE,
    Claim,
    above,
    below,
    judge,
    within,
)
from attention_lab.evaluation.metrics import bleu_statistics
from attention_lab.evaluation.statistics import of_seeds

ARMS = sorted({arm for claim in translation.CLAIMS for arm in claim.arms})
SENTENCES = 48
LONG = np.arange(SENTENCES) % 2 == 1
REFERENCES = [" ".join(f"w{(n * 7 + k) % 90}" for k in range(12)) for n in range(SENTENCES)]


def claim(bounds, quantity=None):
    quantity = quantity or (lambda rows: of_seeds([1.0, 1.1, 0.9]))
    return Claim("a", "A.", "nobody", "number", quantity, bounds)


@pytest.mark.parametrize(
    ("bounds", "verdict"),
    [
        (above(0), HOLDS),
        (above(2), FAILS),
        (above(1), INCONCLUSIVE),
        (below(2), HOLDS),
        (below(0.5), FAILS),
        (within(2), HOLDS),
        (within(1), INCONCLUSIVE),
        ((-1, 0.5), FAILS),
    ],
)
def test_the_whole_interval_decides(bounds, verdict):
    assert judge(claim(bounds), []).verdict == verdict


def test_what_is_not_in_the_study_is_not_decided():
    missing = claim(above(0))._replace(arms=("additive",))
    assert judge(missing, [{"arm": "dot"}]) is None
    assert judge(claim(above(0), lambda rows: None), []) is None


@functools.cache  # sacreBLEU takes its time
def row(arm, seed, better):
    """A row of one seed; `better`: how many of a sentence's words are right, by length."""
    rng = np.random.default_rng([seed, *arm.encode()])
    texts = []
    for reference, long in zip(REFERENCES, LONG, strict=True):
        words = reference.split()
        wrong = rng.permutation(12)[: rng.binomial(12, better[bool(long)])]
        texts.append(" ".join("x" if k in wrong else w for k, w in enumerate(words)))
    right = [
        sum(a == b for a, b in zip(t.split(), r.split(), strict=True))
        for t, r in zip(texts, REFERENCES, strict=True)
    ]
    classes = [[[0, 0], [n, 12], [n, 12], [n, 12], [0, 0]] for n in right]
    attention = {
        "entropy": 1.0,
        "agreement": {
            of: list(level + 0.01 * seed + 0.01 * np.sin(np.arange(SENTENCES)))
            for of, level in {"seeds": 0.9, "heads": 0.3}.items()
        },
    }
    return {
        "arm": arm,
        "seed": seed,
        "split": "test",
        "statistics": {
            "test": {
                "bleu": bleu_statistics(texts, REFERENCES).tolist(),
                "aer": [[12, n, n, 12] for n in right],
                "source_words": np.where(LONG, 40, 8).tolist(),
                **dict.fromkeys(("frequency", "jump", "fertility"), classes),
            }
        },
        "curve": [{"tokens": 9, "bleu": 1.0, "perplexity": 5.0 + 0.01 * seed}],
        **attention,
    }


def rows(worst):
    """All arms alike, but one that is worse, and on long sentences much worse."""
    return [
        row(arm, seed, (0.3, 0.8) if arm == worst else (0.1, 0.1))
        for arm in ARMS
        for seed in range(3)
    ]


def verdicts(worst):
    found = {one.name: judge(one, rows(worst)) for one in translation.CLAIMS}
    assert None not in found.values()
    return {name: one.verdict for name, one in found.items()}


def test_planted_differences_are_found():
    found = verdicts("no attention")
    planted = ("attention", "bottleneck", "long sentences", "rare words", "order", "alignment")
    assert {found[name] for name in (*planted, "seeds", "specialised heads")} == {HOLDS}
    assert HOLDS not in {found["positions"], found["heads"], found["input feeding"]}


def test_planted_differences_the_other_way_are_failures():
    found = verdicts("additive")
    assert {found[name] for name in ("attention", "long sentences", "rare words")} == {FAILS}
    assert found["additive and dot"] == FAILS


def test_names_are_unlike():
    names = [one.name for one in CLAIMS]
    assert len(set(names)) == len(names) >= 15


@pytest.mark.slow
@pytest.mark.parametrize("one", mechanism.CLAIMS, ids=lambda one: one.name)
def test_every_claim_about_the_mechanism_can_be_measured(one):
    found = judge(one, [])
    assert np.isfinite([found.interval.low, found.interval.high]).all()
