"""Curves: what is drawn is there, as text, and equal figures are equal files."""

import xml.etree.ElementTree as ET

import pytest

from attention_lab.views.curves import COLORS, DASHES, MARKERS, Curve, lines, points, svg

CURVE = Curve([0, 1, 2], [90.0, 80.0, 70.0], [88.0, 77.0, 65.0], [92.0, 83.0, 75.0])
HOSTILE = ["<script>alert(1)</script>", "a & b", "$x_1$", "_hidden", "]]>"]


def texts(drawn):
    return [e.text.strip("\u200b") for e in ET.fromstring(drawn).iter() if e.tag.endswith("}text")]


@pytest.mark.parametrize("draw", [lines, points])
def test_names_and_axes_are_text_in_the_figure(draw):
    drawn = svg(draw({"additive": CURVE, "none": CURVE}, x="words", y="BLEU"))
    assert {"additive", "none", "words", "BLEU"} <= set(texts(drawn))


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_is_shown_as_it_is(name):
    drawn = svg(lines({name: CURVE}, x="x", y="y", ticks=["a", name, "c"]))
    assert texts(drawn).count(name) == 2
    assert not any(e.tag.endswith("script") for e in ET.fromstring(drawn).iter())


def test_equal_figures_are_equal_files():
    one, other = (svg(lines({"a": CURVE}, x="x", y="y")) for _ in range(2))
    assert one == other and one.startswith("<svg")


def test_eight_curves_differ_in_more_than_color():
    assert len(set(COLORS)) == len(set(MARKERS)) == 8 and len(DASHES) > 4
    svg(lines({str(n): CURVE for n in range(8)}, x="x", y="y"))


def test_the_axis_ends_where_the_points_do():
    drawn = texts(svg(lines({"a": CURVE}, x="x", y="y", ticks=["1-10", "11-20", "21-30", "31-40"])))
    assert "21-30" in drawn and "31-40" not in drawn
