"""Verdicts: at the bounds, in tables, in words and in JSON."""

import pytest

from attention_lab.claims import CLAIMS, as_json, bounds, chosen, judge, legend, mechanism, table
from attention_lab.claims.contracts import (
    FAILS,
    HOLDS,
    INCONCLUSIVE,
    Claim,
    Verdict,
    above,
    below,
    within,
)
from attention_lab.evaluation.statistics import Interval
from attention_lab.studies import reporting, summary
from tests.studies import made


def found(low, high):
    return Interval((low + high) / 2, low, high, 0.05, 1.0, 2)


def claim(interval=None, limits=(0, 1), arms=()):
    return Claim("a", "A.", "nobody", "% of b", lambda rows: interval, limits, arms)


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (0.1, 0.9, HOLDS),
        (0.0, 0.9, INCONCLUSIVE),  # the bound itself is not within
        (0.1, 1.0, INCONCLUSIVE),
        (-0.5, 0.5, INCONCLUSIVE),
        (0.5, 1.5, INCONCLUSIVE),
        (-1.0, 2.0, INCONCLUSIVE),
        (-2.0, -1.0, FAILS),
        (-1.0, 0.0, INCONCLUSIVE),
        (1.0, 2.0, INCONCLUSIVE),
        (1.5, 2.0, FAILS),
        (0.5, 0.5, INCONCLUSIVE),  # no width
        (1.5, 1.5, INCONCLUSIVE),
        (-1.5, -1.5, INCONCLUSIVE),
    ],
)
def test_the_whole_interval_is_within_or_outside(low, high, verdict):
    messages = judge(claim(found(low, high)), [])
    assert (messages.verdict, messages.interval, messages.early) == (
        verdict,
        found(low, high),
        False,
    )


def test_bounds_and_their_words():
    inf = float("inf")
    assert (above(2), below(2), within(2)) == ((2, inf), (-inf, 2), (-2, 2))
    message = [bounds(claim(limits=one)) for one in (above(0.5), below(1e-5), within(0.3), (-1, 2))]
    assert message == [
        "more than 0.5",
        "less than 1e-05",
        "between -0.3 and 0.3",
        "between -1 and 2",
    ]


def rows(gain, arm="a"):
    right = [[4, 5, 6, 5] * 3, [5, 5, 7, 6] * 3]
    return made.rows(arm, right, validation=(0.0,) * 9 + (gain,))


def test_a_verdict_is_early_where_an_arm_of_the_claim_still_learns():
    for arms, early in ((("a",), True), (("b",), False), (("b", "a"), True), ((), False)):
        some = rows(90.0) + rows(0.0, "b")
        assert judge(claim(found(0.1, 0.9), arms=arms), some).early is early
    assert judge(claim(found(0.1, 0.9), arms=("a", "c")), rows(0.0)) is None


def test_claims_are_chosen_by_name_in_the_order_that_is_asked_for():
    assert [one.name for one in chosen(["heads", "attention"])] == ["heads", "attention"]
    assert chosen([]) == list(CLAIMS) and chosen([])[0] is mechanism.CLAIMS[0]
    with pytest.raises(ValueError, match="there is no claim 'headz'; there are saturation, "):
        chosen(["heads", "headz"])


def verdict(early=False):
    one = claim(limits=above(0), arms=("a",))
    return Verdict(one, HOLDS, Interval(1.23456, 0.5, 1000.4, 0.01, 1, 2), early)


def test_verdicts_as_a_table():
    header, lines = table([verdict(), verdict(True)])
    assert header == ["claim", "source", "quantity", "estimate [95 %]", "claimed", "verdict"]
    start = ["A.", "nobody", "% of b", "1.23 [0.5, 1e+03]", "more than 0"]
    assert lines == [[*start, "HOLDS"], [*start, "HOLDS, EARLY"]]


def test_a_verdict_as_json_is_what_a_report_reads():
    assert as_json(verdict(True)) == {
        "name": "a",
        "sentence": "A.",
        "source": "nobody",
        "number": "% of b",
        "claimed": "more than 0",
        "estimate": 1.23456,
        "low": 0.5,
        "high": 1000.4,
        "verdict": "HOLDS",
        "early": True,
    }


def test_the_legend_reports_of_early_of_skipped_and_of_refused():
    some = [{"arm": "a", "seed": 0, "skipped": 2, "frozen": False, "refused": 3}]
    skipped, refused = summary.skipped(some), summary.refused(some)
    assert skipped and refused
    assert legend([verdict(), verdict(True)], some) == "\n\n".join(
        [reporting.EARLY_NOTE, skipped, refused]
    )
    assert legend([verdict()], [{"arm": "a", "seed": 0, "refused": 3}]) == refused
    assert legend([verdict()], []) == ""
