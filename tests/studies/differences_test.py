"""Scores and differences of a study, from rows that are made by hand, against formulas in loops."""

import math
import unicodedata

import numpy as np
import pytest

from attention_lab.evaluation import metrics, statistics
from attention_lab.studies import findings
from tests.evaluation import formulas
from tests.studies import made
from tests.studies.made import AER, BLEU, METRICS

SENTENCES = 12
LEVELS = {"low": 4, "middle": 5, "high": 6}


def table(arm, seeds=3, sentences=SENTENCES):
    """How many words are right: more in a better arm, and not the same in all seeds and sentences."""
    rng = np.random.default_rng([*arm.encode()])
    return (LEVELS[arm] + rng.integers(-1, 3, (seeds, sentences))).tolist()


ROWS = [row for arm in LEVELS for row in made.rows(arm, table(arm), links=True)]
PARTS = {"BLEU": made.bleu_parts, "AER %": made.link_parts}
BY_HAND = {"BLEU": formulas.bleu, "AER %": formulas.aer}


def contributions(arm, title):
    each = [[PARTS[title](right) for right in sentences] for sentences in table(arm)]
    return [formulas.contributions(parts, BY_HAND[title]) for parts in each]


@pytest.mark.parametrize("metric", METRICS, ids=lambda one: one.title)
@pytest.mark.parametrize("arm", LEVELS)
def test_a_score_is_the_mean_of_seeds_with_a_two_way_interval(arm, metric):
    found = findings.score(ROWS, arm, metric)
    expected = formulas.interval(contributions(arm, metric.title))
    assert (found.score, found.low, found.high) == pytest.approx(expected[:3])
    assert (found.number, found.size) == (0, SENTENCES)


@pytest.mark.parametrize("metric", METRICS, ids=lambda one: one.title)
def test_a_difference_is_the_first_arm_less_the_other_seed_by_seed(metric):
    found = findings.difference(ROWS, "high", "low", metric)
    high, low = (contributions(arm, metric.title) for arm in ("high", "low"))
    np.testing.assert_allclose(found, formulas.interval(formulas.less(high, low)))
    assert (found.estimate > 0) == (metric.title == "BLEU")
    again = findings.difference(ROWS, "low", "high", metric)
    assert (again.low, again.high) == pytest.approx((-found.high, -found.low))


def test_every_arm_is_compared_with_every_one_before_it():
    found = findings.compare(ROWS, list(LEVELS), METRICS)
    pairs = [("middle", "low"), ("high", "low"), ("high", "middle")]
    assert [(one.metric.title, one.arm, one.other) for one in found] == [
        (title, *pair) for title in ("BLEU", "AER %") for pair in pairs
    ]
    for one in found:
        title = one.metric.title
        values = formulas.less(contributions(one.arm, title), contributions(one.other, title))
        np.testing.assert_allclose(one.difference, formulas.interval(values))
        assert one.effect == pytest.approx(formulas.effect_size(values))
        assert one.needed == formulas.seeds_needed(values)


def test_p_is_adjusted_over_all_comparisons_of_the_table():
    found = findings.compare(ROWS, list(LEVELS), METRICS)
    plain = [float(one.difference.p) for one in found]
    adjusted = [one.adjusted for one in found]
    assert adjusted == pytest.approx(formulas.holm(plain))
    assert sum(a > 1.5 * p for a, p in zip(adjusted, plain, strict=True)) >= 4


def test_the_bootstrap_of_a_difference_draws_both_arms_alike():
    (one,) = findings.compare(
        [row for row in ROWS if row["arm"] != "middle"], ["low", "high"], METRICS
    )[:1]
    parts = [
        np.array([[made.bleu_parts(n) for n in seed] for seed in table(arm)], float)
        for arm in ("high", "low")
    ]
    high, low = (statistics.bootstrap(each, BLEU.of) for each in parts)
    assert one.bootstrap == pytest.approx(tuple(np.quantile(high - low, [0.025, 0.975])))
    assert 0 < one.bootstrap[0] < one.difference.estimate < one.bootstrap[1]


def test_an_arm_without_links_is_compared_by_bleu_alone():
    some = [*made.rows("low", table("low")), *(row for row in ROWS if row["arm"] != "low")]
    titles = [
        (one.metric.title, one.other) for one in findings.compare(some, list(LEVELS), METRICS)
    ]
    assert titles == [("BLEU", "low"), ("BLEU", "low"), ("BLEU", "middle"), ("AER %", "middle")]
    assert findings.difference(some, "high", "low", AER) is None
    assert findings.difference(some, "low", "high", AER) is None
    assert findings.score(some, "nobody", BLEU) is None


@pytest.mark.parametrize(("seeds", "sentences"), [(1, 12), (3, 9)])
def test_one_seed_or_nine_sentences_have_no_interval_and_no_difference(seeds, sentences):
    few = [row for arm in LEVELS for row in made.rows(arm, table(arm, seeds, sentences))]
    found = findings.score(few, "low", BLEU)
    each = [
        formulas.score(list(map(made.bleu_parts, seed)), formulas.bleu)
        for seed in table("low", seeds, sentences)
    ]
    assert found.score == found.low == found.high == pytest.approx(formulas.mean(each))
    assert findings.difference(few, "high", "low", BLEU) is None
    assert findings.compare(few, list(LEVELS), METRICS) == []


def test_two_seeds_and_ten_sentences_are_enough():
    enough = [row for arm in LEVELS for row in made.rows(arm, table(arm, 2, 10))]
    found = findings.score(enough, "low", BLEU)
    assert found.low < found.score < found.high
    assert findings.difference(enough, "high", "low", BLEU) is not None
    assert len(findings.compare(enough, list(LEVELS), METRICS)) == 3


def test_an_interval_does_not_leave_the_scores_that_there_are():
    right = [[8] * 11 + [6], [8] * 11 + [3]]
    found = findings.score(made.rows("low", right), "low", BLEU)
    assert found.high == 100 and 0 <= found.low < found.score < 100
    wrong = [[5] + [0] * 11, [8] + [0] * 11]
    assert findings.score(made.rows("low", wrong), "low", BLEU).low == 0


def test_another_split_is_read_where_it_is_asked_for():
    rows = made.rows("low", table("low")) + made.rows("high", table("high"))
    for row in rows:
        row["statistics"]["other"] = {"bleu": [made.bleu_parts(8)] * 10}
    assert findings.score(rows, "low", BLEU, "other").score == pytest.approx(100)
    assert findings.difference(rows, "high", "low", BLEU, "other").estimate == pytest.approx(0)
    assert findings.statistics_of(rows, "low", BLEU, "other").shape == (3, 10, 10)
    assert findings.statistics_of(rows, "low", BLEU).shape == (3, SENTENCES, 10)


REFERENCES = [f"número {n} de las palabras que están aquí hoy" for n in range(30)]


def texts(wrong):
    return [r.replace("palabras", "cosas") if n in wrong else r for n, r in enumerate(REFERENCES)]


def text_rows(arm, *seeds):
    return [
        {
            "arm": arm,
            "seed": n,
            "hypotheses": texts(wrong),
            "references": REFERENCES,
        }
        for n, wrong in enumerate(seeds)
    ]


def compared(*pairs):
    return [findings.Comparison(BLEU, *pair, None, 0.0, (0.0, 0.0), 0.0, None) for pair in pairs]


def test_sacrebleu_s_p_is_of_the_first_seed_of_each_arm():
    half, most = range(0, 30, 2), range(28)
    alike = text_rows("a", half, most) + text_rows("b", range(1, 30, 2), [])
    assert findings.library_p(alike, compared(("b", "a")))["b", "a", "bleu"] > 0.1
    unlike = text_rows("a", most, half) + text_rows("b", [], range(1, 30, 2))
    # Of a thousand draws none says that the worse is better: 1 / 1001.
    p = findings.library_p(unlike, compared(("b", "a")))
    assert p == {("b", "a", "bleu"): pytest.approx(1 / 1001)}


def test_sacrebleu_s_p_is_reported_by_arm_and_other():
    rows = text_rows("a", range(28)) + text_rows("b", range(27)) + text_rows("c", [])
    p = findings.library_p(rows, compared(("b", "a"), ("c", "a"), ("c", "b")))
    assert set(p) == {(*pair, "bleu") for pair in (("b", "a"), ("c", "a"), ("c", "b"))}
    assert p["b", "a", "bleu"] > 0.02 > p["c", "a", "bleu"] == p["c", "b", "bleu"]


def test_sacrebleu_s_p_reads_letters_in_one_form_and_cuts_as_the_score_does():
    apart = text_rows("a", []) + text_rows("b", [])
    apart[1]["hypotheses"] = [unicodedata.normalize("NFD", t) for t in REFERENCES]
    assert findings.library_p(apart, compared(("b", "a")))["b", "a", "bleu"] == 1
    apart[0]["references"] = apart[1]["hypotheses"]
    assert findings.library_p(apart, compared(("b", "a")))["b", "a", "bleu"] == 1
    # One arm has a sign stuck to every last word, which 13a cuts off and "none" does not.
    stuck = text_rows("a", []) + text_rows("b", [])
    for row in stuck:
        row["references"] = [f"{text} ." for text in REFERENCES]
    stuck[0]["hypotheses"] = [f"{text} ." for text in REFERENCES]
    stuck[1]["hypotheses"] = [f"{text}." for text in REFERENCES]
    assert findings.library_p(stuck, compared(("b", "a")))["b", "a", "bleu"] == 1
    uncut = [one._replace(metric=metrics.bleu("none")) for one in compared(("b", "a"))]
    assert findings.library_p(stuck, uncut)["b", "a", "bleu"] < 0.01
    # The alignment error has no test of a library.
    aligned = [one._replace(metric=AER) for one in compared(("b", "a"))]
    assert findings.library_p(stuck, [*aligned]) == {}


def test_bleu_of_lengths_takes_both_ends_and_all_splits():
    words = [5, 10, 11, 20, 21]
    rows = []
    for seed in (0, 1):
        row = made.row("a", seed, [seed, 1, 2, 3, 4])
        row["statistics"]["test"]["source_words"] = words
        row["statistics"]["more"] = {"bleu": [made.bleu_parts(7)] * 2, "source_words": [10, 99]}
        rows.append(row)

    def right(least, most=math.inf):
        return findings.of_lengths(rows, "a", BLEU, least, most)[:, :, 0].tolist()

    assert right(5, 5) == [[0], [1]]
    assert right(10, 20) == [[1, 2, 3, 7]] * 2
    assert right(11, 19) == [[2]] * 2
    assert right(21) == [[4, 7]] * 2
    assert findings.of_lengths(rows, "b", BLEU, 1) is None
    assert findings.of_lengths(rows[:1], "a", BLEU, 1).shape == (1, 7, 10)  # one seed
    found = findings.by_length(rows, "a", BLEU)
    assert [(one.number, one.size) for one in found] == [(0, 3), (1, 2), (2, 1), (5, 1)]
    by_hand = formulas.score([made.bleu_parts(2), made.bleu_parts(3)], formulas.bleu)
    assert found[1].score == pytest.approx(by_hand) and found[3].score < 100
    assert findings.by_length(rows, "b", BLEU) == []


def test_words_of_classes_are_summed_and_sentences_without_them_left_out():
    rows = []
    for seed in (0, 1):
        row = made.row("a", seed, [0] * 3)
        row["statistics"]["test"]["jump"] = [
            [[1 + seed, 2], [0, 0], [3, 4]],
            [[0, 0], [0, 1], [0, 0]],
            [[0, 0], [2, 3], [1, 5]],
        ]
        rows.append(row)

    def counts(*classes):
        return findings.words_of_classes(rows, "a", "jump", classes).tolist()

    assert counts(0) == [[[1, 2]], [[2, 2]]]
    assert counts(1) == [[[0, 1], [2, 3]]] * 2
    assert counts(0, 2) == [[[4, 6], [1, 5]], [[5, 6], [1, 5]]]
    found = findings.by_class(rows, "a", "jump", 3)
    assert [(one.number, one.size) for one in found] == [(0, 2), (1, 4), (2, 9)]
    assert [one.score for one in found] == pytest.approx([75, 50, 400 / 9])
    assert [one.number for one in findings.by_class(rows, "a", "jump", 2)] == [0, 1]
    assert findings.words_of_classes(rows, "a", "fertility", [0]) is None
    assert findings.words_of_classes(rows, "b", "jump", [0]) is None
    assert findings.by_class(rows, "b", "jump", 3) == []


@pytest.mark.parametrize(
    ("validation", "gain"),
    [
        ((10.0, 20.0), 2.0),  # at 90 of 100 tokens 18
        ((30.0,), 3.0),  # from 0 before the first
        ((20.0, 10.0), 0.0),  # the best is tested
        ((10.0, 30.0, 20.0, 40.0), 4.0),  # 30 until 75 tokens, 36 at 90
        ((0.0,) * 9 + (7.0,), 7.0),
    ],
)
def test_the_late_gain_is_of_the_best_over_the_last_tenth(validation, gain):
    rows = [made.row("a", 0, [0], validation=validation)]
    assert findings.late_gain(rows, "a", BLEU) == pytest.approx(gain)
    rows.append(made.row("a", 1, [0], validation=(50.0, 50.0)))
    assert findings.late_gain(rows, "a", BLEU) == pytest.approx(gain / 2)
    assert findings.late_gain([*rows, made.row("b", 0, [0], validation=(90.0,))], "a", BLEU) == (
        pytest.approx(gain / 2)
    )


def with_gain(arm, gain, right=None):
    """Rows whose late gain is this: a step at 90 of 100 tokens."""
    validation = (0.0,) * 9 + (gain,)
    return made.rows(arm, table(arm) if right is None else right, validation=validation)


def half(found):
    return (found.high - found.low) / 2


@pytest.mark.parametrize(("part", "early"), [(0.99, False), (1.01, True)])
def test_early_is_printed_where_an_arm_gained_more_than_half_its_interval(part, early):
    width = half(formulas.interval(contributions("low", "BLEU")))
    assert findings.early(with_gain("low", part * width), "low", metric=BLEU) is early


@pytest.mark.parametrize(("part", "early"), [(0.99, False), (1.01, True)])
@pytest.mark.parametrize("gains", [("low",), ("high",)])
def test_early_is_printed_of_two_where_either_gained_more_than_half_their_difference(
    part, early, gains
):
    # Sentences are as hard for one as for the other: the difference is known far better than either.
    rng = np.random.default_rng(0)
    hard = rng.integers(2, 7, SENTENCES)
    tables = {
        "low": [(hard + (n == s)).tolist() for s in range(3) for n in [np.arange(SENTENCES)]],
        "high": [(hard + (n != s + 3)).tolist() for s in range(3) for n in [np.arange(SENTENCES)]],
    }
    each = {
        arm: [
            formulas.contributions([made.bleu_parts(n) for n in seed], formulas.bleu)
            for seed in tables[arm]
        ]
        for arm in tables
    }
    width = half(formulas.interval(formulas.less(each["high"], each["low"])))
    assert all(width * 1.1 < half(formulas.interval(one)) for one in each.values())
    rows = [
        row for arm in tables for row in with_gain(arm, part * width * (arm in gains), tables[arm])
    ]
    assert findings.early(rows, "high", "low", metric=BLEU) is early
    assert not findings.early(rows, *gains, metric=BLEU)


def test_without_an_interval_nothing_is_early():
    assert findings.early(with_gain("low", 50.0, table("low", 1)), "low", metric=BLEU) is False
    assert (
        findings.early(with_gain("low", 50.0, [[8] * 12] * 2), "low", metric=BLEU) is False
    )  # no width


def test_learning_ends_with_the_shortest_curve():
    rows = [
        made.row("a", 0, [0], validation=(1.0, 2.0, 3.0)),
        made.row("a", 1, [0], validation=(2.0, 6.0)),
    ]
    assert findings.learning(rows, "a", BLEU) == [(41.5, 1.5, 1.0, 2.0), (83.0, 4.0, 2.0, 6.0)]
    assert findings.learning(rows, "b", BLEU) == []
