"""The text matrix: as drawn by hand, within its width, in every script."""

import io

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest

from attention_lab.views.cells import columns
from attention_lab.views.text import passage, show, strongest, text_matrix

WEIGHTS = [[0.9, 0.1, 0.0], [0.25, 0.004, 0.746]]
few = hypothesis.settings(max_examples=100, deadline=None, derandomize=True)


def drawn(text):
    return text.strip("\n").split("\n")


def test_a_short_matrix_is_a_table():
    by_hand = """
    das Haus  .
the  90  10   ·
end  25   ·  75
"""
    assert text_matrix(WEIGHTS, ["das", "Haus", "."], ["the", "end"]).split("\n") == drawn(by_hand)


def test_gold_links_stand_in_brackets_even_without_weight():
    by_hand = """
    das Haus  .
the [90] 10    ·
end  25 [ ·]  75
"""
    table = text_matrix(WEIGHTS, ["das", "Haus", "."], ["the", "end"], links=[(0, 0), (1, 1)])
    assert table.split("\n") == drawn(by_hand)


def test_words_that_do_not_fit_side_by_side_stand_on_stairs():
    by_hand = """
     ╭ Donau
     │  ╭ dampf
     │  │  ╭ schiff
the 90 10  ·
end 25  · 75
"""
    source = ["Donau", "dampf", "schiff"]
    assert text_matrix(WEIGHTS, source, ["the", "end"], width=20).split("\n") == drawn(by_hand)


def test_a_source_too_long_for_the_width_is_cut_in_blocks():
    by_hand = """
    ╭ lang
    │  ╭ lang
it 50 50

    ╭ lang
it  ·
"""
    found = text_matrix([[0.5, 0.5, 0]], 3 * ["lang"], ["it"], width=15)
    assert found.split("\n") == drawn(by_hand)


def test_shades_grow_with_the_weight():
    by_hand = """
   a  b  c  d  e
x  ·  ░░ ▒▒ ▓▓ ██
"""
    weights = [[0.04, 0.2, 0.5, 0.75, 0.76]]
    found = text_matrix(weights, list("abcde"), ["x"], style="shades")
    assert [line.split() for line in found.split("\n")] == [line.split() for line in drawn(by_hand)]


def test_one_column_more_is_what_goes_to_no_word():
    header = text_matrix(WEIGHTS, ["das", "Haus"], ["the", "end"]).split("\n")[0]
    assert header.split() == ["das", "Haus", "∅"]


def test_what_cannot_say_unicode_gets_ascii():
    found = text_matrix(WEIGHTS, ["das", "Häuser"], ["the", "end"], encoding="ascii", width=17)
    assert found.isascii() and "H?user" in found and "|" in found
    latin = text_matrix(WEIGHTS, ["das", "Häuser"], ["the", "end"], encoding="latin-1", width=20)
    assert "Häuser" in latin and latin.encode("latin-1")


def test_wide_and_combining_characters_stand_in_their_columns():
    assert columns("東京") == 4 and columns("e\u0301") == 1 and columns("ἐν") == 2
    lines = text_matrix(np.eye(2), ["東京", "e\u0301te\u0301"], ["x", "東"]).split("\n")
    assert lines == ["   東京 e\u0301te\u0301", "x   100   ·", "東    · 100"]


def test_right_to_left_words_leave_the_line_as_it_is():
    table = text_matrix(np.eye(2), ["שלום", "مرحبا"], ["הוא", "x"])
    for word in ("שלום", "مرحبا", "הוא"):
        assert f"\u200e{word}\u200e" in table


def test_control_codes_do_not_reach_the_terminal():
    table = text_matrix(np.eye(2), ["\x1b[31m", "a\nb"], ["\u202eevil", "\ud800"])
    assert not set(table) & set("\x1b\u202e\ud800") and len(table.split("\n")) == 3


words = st.lists(st.text(max_size=30), min_size=1, max_size=30)


@few
@hypothesis.given(
    words, words, st.integers(45, 120), st.booleans(), st.sampled_from(["utf-8", "ascii"])
)
def test_no_line_is_longer_than_the_width(source, target, width, links, encoding):
    weights = np.random.default_rng(0).random((len(target), len(source)))
    table = text_matrix(
        weights,
        source,
        target,
        width=width,
        links=[(0, 0)] if links else None,
        encoding=encoding,
    )
    assert max(map(columns, table.split("\n"))) <= width
    table.encode(encoding)
    blocks = table.split("\n\n")
    assert len(blocks) <= len(source)


@pytest.mark.parametrize("style", ["numbers", "shades"])
@pytest.mark.parametrize("width", [45, 80, 300])
def test_every_word_and_cell_is_somewhere(style, width):
    source, target = [f"s{i}" for i in range(40)], [f"t{j}" for j in range(7)]
    cell = {"numbers": "37", "shades": "▒▒"}[style]
    table = text_matrix(np.full((7, 40), 0.37), source, target, style=style, width=width)
    found = table.split()
    assert [word for word in found if word.startswith("s")] == source
    assert found.count(cell) == 7 * 40


class Terminal(io.StringIO):
    encoding = "ascii"


def test_show_asks_the_terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "50")
    file = Terminal()
    show(np.eye(40), [f"s{i}" for i in range(40)], [f"t{i}" for i in range(40)], file=file)
    lines = file.getvalue().split("\n")
    assert file.getvalue().isascii() and 40 < max(map(len, lines)) <= 50


def test_show_prints_to_where_all_is_printed(capsys):
    show([[1.0]], ["a"], ["b"])
    assert "100" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"weights": [[1.0]]}, r"shape \(1, 1\) do not fit 1 target and 2 source"),
        ({"weights": [1.0, 2.0]}, "do not fit"),
        ({"target": []}, "do not fit 0 target"),
        ({"weights": [[np.nan, 0]]}, "finite and not negative"),
        ({"weights": [[-1, 0]]}, "finite and not negative"),
        ({"links": [(2, 0)]}, "link 2-0 refers to a word that does not exist"),
        ({"source": "ab"}, "a string was given"),
        ({"style": "colors"}, "no style 'colors'; known are numbers, shades"),
        ({"width": 5}, "needs a width of"),
        ({"encoding": "utf-9"}, "no encoding 'utf-9'"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(changes, message):
    given = {"weights": [[0.5, 0.5]], "source": ["a", "b"], "target": ["c"], **changes}
    with pytest.raises(ValueError, match=message) as raised:
        text_matrix(given.pop("weights"), given.pop("source"), given.pop("target"), **given)
    assert "\n" not in str(raised.value)


def test_the_strongest_words_of_each_word_stand_in_a_line_from_the_greatest():
    by_hand = """
the  Haus 50  das 30
end  .
.    · 75  das 25
"""
    weights = [[0.3, 0.5, 0.0, 0.2], [0.004, 0.0, 0.0, 0.996], [0.25, 0.0, 0.75, 0.0]]
    found = strongest(weights, ["das", "Haus", "·"], ["the", "end", "."], most=2)
    assert found.split("\n") == drawn(by_hand.replace("end  .", "end  ·"))
    plain = strongest(weights, ["das", "Haus", "."], ["the", "end", "."], encoding="ascii")
    assert plain.split("\n")[1] == "end  ."


@few
@hypothesis.given(st.data())
def test_lines_of_the_strongest_words_fit_into_the_width(data):
    word = st.text(max_size=30)
    source, target = data.draw(st.lists(word, max_size=5)), data.draw(st.lists(word, min_size=1))
    width, most = data.draw(st.integers(40, 90)), data.draw(st.integers(1, 6))
    weights = np.random.default_rng(0).dirichlet(np.ones(len(source) + 1), len(target))
    lines = strongest(weights, source, target, most=most, width=width).split("\n")
    assert len(lines) == len(target) and max(map(columns, lines)) <= width
    for row, line in zip(weights, lines, strict=True):
        # At least the greatest one is shown, whatever the width.
        greatest = max([*row[:-1], 0.0])
        assert line.rstrip().endswith("·") if greatest < 0.005 else f" {100 * greatest:.0f}" in line


def test_such_lines_need_some_width():
    with pytest.raises(ValueError, match="a width of 40 or more, not 39"):
        strongest([[1.0]], ["a"], ["b"], width=39)


def test_a_line_break_is_a_sign_of_its_own():
    assert text_matrix([[1.0]], ["a\n"], ["\n"]).split("\n") == ["   a↵", "↵ 100"]
    assert "\\" in text_matrix([[1.0]], ["a"], ["\n"], encoding="ascii")


def test_a_passage_has_a_bar_for_each_sentence():
    by_hand = """
 25 %  ██          Mary is ill.
 75 %  ████████    John slept, and then
                   woke.
  0 %
"""
    sentences = ["Mary is ill.", "John slept, and then woke.", ""]
    assert passage([0.25, 0.75, 0.004], sentences, width=40).split("\n") == drawn(by_hand)
    plain = passage([0.25, 1.5], ["é\x1b[2J", "b"], encoding="ascii").split("\n")
    assert plain == [" 25 %  @@          ??[2J", "150 %  @@@@@@@@@@  b"]


def test_a_passage_that_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="a width of 40 or more, not 39"):
        passage([1.0], ["a"], width=39)
    with pytest.raises(ValueError, match=r"weights of shape \(1, 1\) do not fit"):
        passage([1.0], ["a", "b"])
    with pytest.raises(ValueError, match="not negative"):
        passage([-1.0], ["a"])
