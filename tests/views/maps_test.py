"""Maps of weights over a picture, in text and as a figure."""

import numpy as np
import pytest

from attention_lab.views import maps

ONE = np.array([[0.0, 0.04], [0.5, 1.0]])
WORDS = ["a", "cat"]


def test_each_word_has_a_map_with_a_scale_of_its_own():
    printed = maps.printed([ONE, 0.5 * ONE], WORDS)
    assert printed.split("\n") == ["a         cat", "····      ····", "▓▓██      ▓▓██"]
    assert maps.printed([0 * ONE], ["a"]) == "a\n····\n····"
    assert maps.printed([ONE], ["a"], encoding="ascii") == "a\n....\n##@@"


def test_maps_that_do_not_fit_beside_each_other_follow_below():
    printed = maps.printed([ONE, ONE, ONE], ["a", "cat", "sits there"], width=21)
    assert printed.split("\n") == [
        *("a         cat", "····      ····", "▓▓██      ▓▓██", ""),
        *("sits th…", "····", "▓▓██"),
    ]
    with pytest.raises(ValueError, match="a map needs a width of 10 or more, not 9"):
        maps.printed([ONE], ["a"], width=9)


@pytest.mark.parametrize("wrong", [[ONE], [ONE[0], ONE[0]], np.zeros((0, 2, 2))])
def test_there_is_one_map_for_each_word(wrong):
    words = [] if len(wrong) == 0 else WORDS
    for draw in (maps.printed, lambda *one: maps.over_picture(np.zeros((4, 4, 3), np.uint8), *one)):
        with pytest.raises(ValueError, match=r"expected \[words, rows, columns\]"):
            draw(wrong, words)


def test_a_picture_is_bright_where_a_word_looks_and_its_boxes_are_outlined():
    pixels = np.full((4, 6, 3), 200, np.uint8)
    boxes = [[(0, 0, 2, 3)], []]
    figure = maps.over_picture(pixels, [ONE, 0 * ONE], WORDS, boxes=boxes, title="a picture")
    plain, first, second = figure.axes
    assert [axes.get_title() for axes in figure.axes] == ["a picture", "a", "cat"]
    np.testing.assert_array_equal(plain.images[0].get_array(), pixels)
    shown = np.asarray(first.images[0].get_array())[..., 0]
    for y, x in np.ndindex(4, 6):
        expected = 200 * (0.25 + 0.75 * ONE[y // 2, x // 3])
        assert shown[y, x] == int(expected)
    assert (np.asarray(second.images[0].get_array()) == 50).all()
    (box,) = first.patches
    assert (*box.get_xy(), box.get_width(), box.get_height()) == (-0.5, -0.5, 3, 2)
    assert not second.patches and not plain.patches
    assert figure.get_size_inches()[0] < 5
    many = maps.over_picture(pixels, [ONE] * 9, list("abcdefghi"))
    assert len(many.axes) == 10 and many.get_size_inches()[0] < 9


def test_a_timeline_has_a_line_for_each_word_and_the_half_seconds_below():
    weights = [[0, 0, 1, 0.5, 0], [0.2, 0, 0, 0, 0.2]]
    printed = maps.timeline(weights, ["a", "cat"], 4.0)
    assert printed.split("\n") == ["a    ····██▓▓··", "cat  ██······██", "     0.0 0.5 1.0 s"]
    assert maps.timeline(weights, ["a", "cat"], 4.0, encoding="ascii").startswith("a    ....@@##..")
    parts = maps.timeline(weights, ["a", "cat"], 2.0, width=13).split("\n\n")
    assert parts == [
        "a    ····██▓▓\ncat  ██······\n     0.0 0.5 1.0 1.5 s",
        "a    ··\ncat  ██\n     2.0 s",
    ]
    with pytest.raises(ValueError, match="needs a width of 13 or more, not 12"):
        maps.timeline(weights, ["a", "cat"], 4.0, width=12)
    with pytest.raises(ValueError, match="do not fit 1 words"):
        maps.timeline(weights, ["a"], 4.0)
