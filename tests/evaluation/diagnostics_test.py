"""Diagnostics, against what one counts by hand."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attention_lab.evaluation import diagnostics
from attention_lab.evaluation.diagnostics import (
    FERTILITY_NAMES,
    FREQUENCIES,
    FREQUENCY_NAMES,
    JUMP_NAMES,
    LENGTHS,
)

words = st.lists(st.sampled_from("abcd"), max_size=8)


def test_a_word_counts_as_often_as_it_was_said():
    found = diagnostics.hits(
        ["le", "chat", "le", "noir"], ["le", "chat", "sur", "le", "tapis", "le"]
    )
    assert found.tolist() == [True, True, False, True, False, False]


@given(words, words)
def test_hits_are_the_common_multiset(hypothesis, reference):
    common = Counter(hypothesis) & Counter(reference)
    assert diagnostics.hits(hypothesis, reference).sum() == common.total()


def test_frequencies_are_classes_of_what_was_seen():
    seen = {"le": 1000, "chat": 999, "rare": 1, "tapis": 10}
    found = diagnostics.frequencies(["le", "chat", "tapis", "rare", "zèbre"], seen)
    names = [FREQUENCY_NAMES[c] for c in found]
    assert names == ["1000 or more", "100-999", "10-99", "1-9", "never"]


def test_lengths_are_classes():
    assert diagnostics.classes([1, 10, 11, 50, 51, 400, 0], LENGTHS).tolist() == [
        0,
        0,
        1,
        4,
        5,
        5,
        -1,
    ]


def test_classes_of_lengths_are_called_by_their_bounds():
    names = ("1-10", "11-20", "21-30", "31-40", "41-50", "51 or more")
    assert diagnostics.length_names() == names
    assert diagnostics.length_names((1, 6, 11)) == ("1-5", "6-10", "11 or more")


def test_every_class_has_a_name():
    assert len(FREQUENCIES) == len(FREQUENCY_NAMES)
    assert len(JUMP_NAMES) == len(FERTILITY_NAMES) == 4


def test_jumps_say_how_far_the_reader_turns():
    # the red cat -> le chat rouge: from "the" over "red" to "cat", then two back
    assert diagnostics.jumps({(0, 0), (2, 1), (1, 2)}, 3).tolist() == [0, 1, 2]
    # An unlinked word is nowhere, nor can one say how far the next is from it.
    assert diagnostics.jumps({(0, 0), (9, 2), (1, 3)}, 4).tolist() == [0, -1, -1, 3]
    # Of several source words the first counts.
    assert diagnostics.jumps({(1, 0), (0, 0), (1, 1)}, 2).tolist() == [0, 0]


def test_fertilities_count_the_siblings():
    # does not eat -> ne mange pas: "not" says two words; "à" stands for nothing
    links = {(1, 0), (2, 1), (1, 2)}
    assert diagnostics.fertilities(links, 4).tolist() == [2, 1, 2, 0]
    assert diagnostics.fertilities({(0, j) for j in range(5)}, 5).tolist() == [3] * 5


def test_counts_of_classes_leave_out_what_has_none():
    right = np.array([True, False, True, True])
    assert diagnostics.counted(right, np.array([0, 0, 2, -1]), 3).tolist() == [
        [1, 2],
        [0, 0],
        [1, 1],
    ]


def test_entropy_of_known_distributions():
    rows = [[0.25] * 4, [1, 0, 0, 0], [2, 2, 0, 0], [0, 0, 0, 0]]
    found = diagnostics.entropy(rows)
    np.testing.assert_allclose(found[:3], [2, 0, 1], atol=1e-12)
    assert np.isnan(found[3])


def test_agreement_of_known_distributions():
    assert diagnostics.agreement([0.5, 0.5, 0], [0.5, 0.5, 0]) == pytest.approx(1)
    assert diagnostics.agreement([1.0, 0, 0], [0, 0.5, 0.5]) == 0
    assert diagnostics.agreement([1.0, 0], [0.25, 0.75]) == pytest.approx(0.25)
