"""Every claim compares its arms in its order: exchanged, they give the other verdict."""

import math

import numpy as np
import pytest

from attention_lab.claims import quantities, translation
from attention_lab.claims.contracts import FAILS, HOLDS, INCONCLUSIVE, judge
from attention_lab.claims.verdicts import bounds
from tests.evaluation import formulas
from tests.studies import made

T, L = "Transformer", "Luong"
# name: (what is compared, by how the arms differ), the arm said to have more, the other, and the bounds
CLAIMED = {
    "attention": ("BLEU", "additive", "no attention", "more than 0"),
    "long sentences": ("length", "additive", "no attention", "more than 0"),
    "rare words": ("frequency", "additive", "no attention", "more than 0"),
    "order": ("jump", "additive", "no attention", "more than 0"),
    "additive and dot": ("BLEU", "additive", "dot", "between -1 and 1"),
    "general and dot": ("BLEU", "general", "dot", "between -1 and 1"),
    "concat": ("BLEU", "general", "concat", "more than 0"),
    "input feeding": ("BLEU", L, "Luong, no input feeding", "more than 0"),
    "local": ("BLEU", "Luong, local-p", L, "more than 0"),
    "positions": ("BLEU", T, "Transformer, no positions", "more than 0"),
    "learned positions": ("BLEU", "Transformer, learned positions", T, "between -1 and 1"),
    "heads": ("BLEU", T, "Transformer, one head", "more than 0"),
    "self-attention": ("BLEU", T, "Transformer, words alone", "more than 0"),
    "dropout": ("BLEU", T, "Transformer, no dropout", "more than 0"),
    "label smoothing": ("BLEU", T, "Transformer, no smoothing", "more than 0"),
    "smoothed perplexity": ("perplexity", T, "Transformer, no smoothing", "more than 0"),
}
# name: what is measured of one arm, and the bounds
ALONE = {
    "bottleneck": ("length", "no attention", "more than 10"),
    "alignment": ("AER", "additive", "less than 50"),
    "seeds": ("seeds", "additive", "more than 75"),
    "specialised heads": ("heads", T, "less than 50"),
}
BY_NAME = {claim.name: claim for claim in translation.CLAIMS}
SHORT, LONG = range(20), range(20, 40)


def test_every_claim_about_translation_is_reported_here():
    assert set(CLAIMED) | set(ALONE) == set(BY_NAME)
    for name, (_, *arms, message) in (CLAIMED | ALONE).items():
        assert (list(BY_NAME[name].arms), bounds(BY_NAME[name])) == (arms, message)


def rows(arm, what, level, seeds=3):
    """Rows of an arm that has `level`, 0 to 1, of what a claim is about, and half of all else.

    length: what it loses from short sentences to long ones. Seeds and sentences differ a little.
    """
    found = []
    for seed in range(seeds):
        rng = np.random.default_rng(seed)  # the same in all arms: differences are clear
        right = 4 + rng.integers(0, 2, 40)
        if what == "BLEU":
            right = right - 2 + round(4 * level)
        if what == "length":
            right[20:] -= round(4 * level)
        row = made.row(arm, seed, right.tolist(), long=LONG)
        parts = row["statistics"]["test"]
        chance = rng.integers(0, 2, 40)
        for name, classes, of in (
            ("frequency", 5, {1}),
            ("jump", 4, {2, 3}),
            ("fertility", 4, {1}),
        ):
            right = 3 + chance + (2 * round(4 * level) - 4 if what == name else 0) // 2
            parts[name] = [
                [[int(n), 8] if k in of else [4, 8] for k in range(classes)] for n in right
            ]
        right = 3 + chance + (2 - round(4 * level) if what == "AER" else 0)
        parts["aer"] = [made.link_parts(int(n)) for n in right]
        agreed = 0.5 + 0.01 * seed + 0.01 * rng.normal(size=40)
        row["agreement"] = {
            of: list(agreed + (0.8 * (level - 0.5) if what == of else 0))
            for of in ("seeds", "heads")
        }
        perplexity = 5 + 0.1 * seed + (level * (1 + 0.1 * seed) if what == "perplexity" else 0)
        row["curve"] = [{"tokens": 50, "bleu": 0.0, "perplexity": 99 * (1 - level)}]
        row["curve"] += [{"tokens": 100, "bleu": 0.0, "perplexity": perplexity}]
        found.append(row)
    return found


def both(name, first, second):
    what, arm, other, _ = CLAIMED[name]
    if what == "length":  # who loses less leads on long sentences
        first, second = second, first
    return rows(arm, what, first) + rows(other, what, second)


@pytest.mark.parametrize("name", CLAIMED)
def test_a_claim_is_about_the_first_arm_less_the_second(name):
    more, less = (judge(BY_NAME[name], both(name, *levels)) for levels in ((1, 0), (0, 1)))
    assert more.interval.low > 0 > less.interval.high
    if CLAIMED[name][3] == "more than 0":
        assert (more.verdict, less.verdict) == (HOLDS, FAILS)
    else:
        assert (more.verdict, less.verdict) == (FAILS, FAILS)


@pytest.mark.parametrize("name", CLAIMED)
def test_a_claim_is_about_nothing_else(name):
    # The arms differ in everything but what is compared.
    what, arm, other, _ = CLAIMED[name]
    others = {"frequency": "jump", "jump": "frequency"}.get(what, "frequency")
    some = judge(BY_NAME[name], rows(arm, others, 1) + rows(other, others, 0))
    assert some.verdict in (INCONCLUSIVE, HOLDS) and some.interval.estimate == pytest.approx(
        0, abs=0.5
    )
    assert judge(BY_NAME[name], rows(arm, what, 1)) is None


@pytest.mark.parametrize(
    ("name", "holds", "fails"),
    [
        ("bottleneck", 1, 0),
        ("alignment", 0, 1),
        ("seeds", 1, 0.5),
        ("specialised heads", 0, 1),
    ],
)
def test_a_claim_about_one_arm_holds_and_fails(name, holds, fails):
    what, arm, _ = ALONE[name]
    found = [judge(BY_NAME[name], rows(arm, what, level)).verdict for level in (holds, fails)]
    assert found == [HOLDS, FAILS]
    rows_of_others = rows("dot", what, holds)
    assert judge(BY_NAME[name], rows_of_others) is None


def by_hand(rows, part, of, kept=lambda n: True):
    """What each sentence contributes to a score, seed by seed."""
    return [
        formulas.contributions(
            [one for n, one in enumerate(row["statistics"]["test"][part]) if kept(n)], of
        )
        for row in rows
    ]


def check(found, expected):
    np.testing.assert_allclose(found, expected, rtol=1e-7)


def test_more_bleu_and_alignment_error_by_hand():
    a, b = rows("a", "BLEU", 1), rows("b", "AER", 1)
    bleu = [by_hand(each, "bleu", formulas.bleu) for each in (a, b)]
    check(quantities.more("a", "b", made.BLEU)([*a, *b]), formulas.interval(formulas.less(*bleu)))
    aer = by_hand(b, "aer", formulas.aer)
    check(quantities.score("b", made.AER)([*a, *b]), formulas.interval(aer))
    for row in b:
        row["statistics"]["test"].pop("aer")
    assert quantities.score("b", made.AER)([*a, *b]) is None


def test_more_words_by_hand():
    a, b = rows("a", "jump", 1), rows("b", "jump", 0)
    for row in b:
        row["statistics"]["test"]["jump"][row["seed"]] = [[1, 2], [3, 4], [5, 6], [2, 8]]

    def summed(each):
        return [
            formulas.contributions(
                [
                    np.sum([one[2], one[3]], axis=0).tolist()
                    for one in row["statistics"]["test"]["jump"]
                ],
                formulas.ratio,
            )
            for row in each
        ]

    found = quantities.more_words("a", "b", "jump", (2, 3))([*a, *b])
    check(found, formulas.interval(formulas.less(summed(a), summed(b))))
    assert quantities.more_words("a", "b", "none", (1,))([*a, *b]) is None
    b[0]["statistics"]["test"].pop("jump")
    assert quantities.more_words("a", "b", "jump", (2, 3))([*a, *b]) is None
    assert quantities.more_words("b", "a", "jump", (2, 3))([*a, *b]) is None


def test_a_class_of_which_there_is_no_word_reports_nothing():
    some = rows("a", "jump", 1) + rows("b", "jump", 0)
    for row in some:
        row["statistics"]["test"]["jump"] = [[[1, 2], [0, 0]]] * 40
    assert quantities.more_words("a", "b", "jump", (1,))(some) is None


def lost(each):
    """BLEU of short sentences less that of long ones, as one score whose parts are twice as wide."""

    def of(sums):
        return formulas.bleu(sums[:10]) - formulas.bleu(sums[10:])

    found = []
    for row in each:
        parts = row["statistics"]["test"]["bleu"]
        wide = [[*parts[n], *[0] * 10] for n in SHORT] + [[*[0] * 10, *parts[n]] for n in LONG]
        found.append(formulas.contributions(wide, of))
    return found


def test_what_is_lost_with_length_by_hand():
    a, b = rows("a", "length", 0.25), rows("b", "length", 1)
    check(quantities.loss_with_length("b", made.BLEU)([*a, *b]), formulas.interval(lost(b)))
    gain = formulas.interval(formulas.less(lost(b), lost(a)))
    check(quantities.gain_with_length("a", "b", made.BLEU)([*a, *b]), gain)
    assert gain.estimate > 0


@pytest.mark.parametrize(
    ("short", "long", "enough"), [(20, 20, True), (19, 21, False), (21, 19, False)]
)
def test_a_loss_needs_twenty_short_and_twenty_long_sentences(short, long, enough):
    some = rows("a", "length", 1) + rows("b", "length", 0)
    for row in some:
        row["statistics"]["test"]["source_words"] = [10] * short + [31] * long
    assert (quantities.loss_with_length("a", made.BLEU)(some) is not None) == enough
    assert (quantities.gain_with_length("b", "a", made.BLEU)(some) is not None) == enough
    for row in some:  # between short and long
        row["statistics"]["test"]["source_words"] = [11] * short + [30] * long
    assert quantities.loss_with_length("a", made.BLEU)(some) is None


def test_a_gain_needs_both_arms():
    some = rows("a", "length", 1)
    assert quantities.gain_with_length("a", "b", made.BLEU)(some) is None
    assert quantities.gain_with_length("b", "a", made.BLEU)(some) is None


def test_more_perplexity_is_of_the_last_validation_and_counts_seeds():
    some = rows("a", "perplexity", 1) + rows("b", "perplexity", 0.25)
    for number, row in enumerate(some):
        row["curve"][-1]["perplexity"] = [3.0, 5.0, 4.0, 2.0, 2.5, 1.0][number]
    found = quantities.more_perplexity("a", "b")(some)
    check(found, formulas.of_seeds([1.0, 2.5, 3.0]))
    pair = [some[0], some[1], some[3], some[4]]
    check(quantities.more_perplexity("a", "b")(pair), formulas.of_seeds([1.0, 2.5]))
    assert quantities.more_perplexity("a", "b")([some[0], some[3]]) is None


def test_agreement_by_hand():
    some = rows("a", "seeds", 1)
    seeds = np.array([row["agreement"]["seeds"] for row in some]) * 100
    # U + 2(R − 1)/(R − 2)(value − U), of three seeds.
    middle = seeds.mean(0)
    check(
        quantities.agreement_of_seeds("a")(some),
        formulas.interval((middle + 4 * (seeds - middle)).tolist()),
    )
    heads = [[100 * one for one in row["agreement"]["heads"]] for row in some]
    check(quantities.agreement_of_heads("a")(some), formulas.interval(heads))
    assert quantities.agreement_of_seeds("a")(some[:2]) is None
    assert quantities.agreement_of_heads("a")(some[:2]) is not None
    assert quantities.agreement_of_heads("a")(some[:1]) is None
    some[1]["agreement"].pop("heads")
    assert quantities.agreement_of_heads("a")(some) is None
    some[2].pop("agreement")
    assert quantities.agreement_of_seeds("a")(some) is None


@pytest.mark.parametrize(("sentences", "enough"), [(10, True), (9, False)])
def test_fewer_than_ten_sentences_have_no_interval(sentences, enough):
    some = rows("a", "heads", 1)
    for row in some:
        row["agreement"]["heads"] = row["agreement"]["heads"][:sentences]
    found = quantities.agreement_of_heads("a")(some)
    assert (found is not None and math.isfinite(found.low)) == enough
