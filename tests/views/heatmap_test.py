"""The heatmap: words that do not touch, every script, files that are equal or not there."""

import itertools

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from attention_lab.views.heatmap import drawable, heatmap, passage, save


def labels_of(axes, which):
    FigureCanvasAgg(axes.figure).draw()
    found = axes.get_xticklabels() if which == "x" else axes.get_yticklabels()
    return [label for label in found if label.get_text()]


@pytest.mark.parametrize(("width", "height"), [(1, 1), (3, 2), (40, 45), (45, 40), (120, 3)])
@pytest.mark.parametrize("word", ["a", "wort", "Ἑτοιμάσατε", "Donaudampfschifffahrtsgesellschaft"])
def test_labels_neither_overlap_nor_leave_the_picture(width, height, word):
    figure = heatmap(np.ones((height, width)), width * [word], height * [word], title="T")
    for which in "xy":
        boxes = [label.get_window_extent() for label in labels_of(figure.axes[0], which)]
        assert len(boxes) == (width if which == "x" else height)
        low = min(min(box.x0, box.y0) for box in boxes)
        assert low >= 0 and max(box.x1 for box in boxes) <= figure.bbox.x1
        assert max(box.y1 for box in boxes) <= figure.bbox.y1
        for one, other in itertools.pairwise(boxes):
            apart = other.x0 - one.x1 if which == "x" else one.y0 - other.y1
            assert apart >= 0


def test_the_picture_holds_the_numbers_with_the_target_down():
    weights = np.arange(6).reshape(2, 3) / 10
    axes = heatmap(weights, list("abc"), list("xy")).axes[0]
    np.testing.assert_array_equal(axes.images[0].get_array(), weights)
    assert [label.get_text() for label in labels_of(axes, "x")] == list("abc")
    assert axes.get_ylim() == (1.5, -0.5)
    assert axes.images[0].get_clim() == (0, 0.5)


def test_gold_links_are_outlined_source_across():
    axes = heatmap(np.ones((2, 3)), list("abc"), list("xy"), links=[(2, 1)]).axes[0]
    (patch,) = axes.patches
    assert (round(patch.get_x() + patch.get_width() / 2), round(patch.get_y() + 0.5)) == (2, 1)


def test_heads_share_a_scale_and_the_words_of_the_target():
    panels = {"one": [[0.1, 0.2]], "two": [[0.4, 0.3]], "three": [[0.1, 0.2, 0.7]]}
    figure = heatmap(panels, ["a", "b"], ["x"], columns=2)
    *axes, _ = figure.axes
    assert {one.images[0].get_clim() for one in axes} == {(0, 0.7)}
    assert [len(labels_of(one, "y")) for one in axes] == [1, 0, 1]
    assert [len(labels_of(one, "x")) for one in axes] == [2, 2, 3]
    assert labels_of(axes[2], "x")[-1].get_text() == "∅"
    assert [one.texts[0].get_text() for one in axes] == list(panels)


@pytest.mark.parametrize(
    "word",
    [
        "$x$",
        "$\\frac$",
        "👍🏽",
        "東京",
        "नमस्ते",
        "שלום",
        "a\nb\tc",
        "\x1b",
        "\ud800",
        "",
        "\U0010ffff",
    ],
)
def test_any_word_is_drawn_without_a_warning(tmp_path, word):
    figure = heatmap({word: [[1.0]], "b": [[1.0]]}, [word], [word], title=word)
    save(figure, tmp_path / "a.png")


def test_what_no_font_has_is_a_box():
    assert drawable("a\U0010ffffb\x07") == "a□b□" and drawable("a\n") == "a↵"
    assert drawable("ἐν $x$ שלום") == "ἐν $x$ שלום"
    assert drawable("a\u200db\ufe0f") == "ab"
    assert drawable("x" * 100) == "x" * 23 + "…"


def test_equal_pictures_are_equal_files(tmp_path):
    for name in ("one.png", "two.PNG"):
        save(heatmap([[0.5, 0.5]], ["a", "b"], ["c"], links=[(0, 0)]), tmp_path / "new" / name)
    one, two = sorted((tmp_path / "new").iterdir())
    assert one.read_bytes() == two.read_bytes()
    assert one.read_bytes().startswith(b"\x89PNG") and b"Software" not in one.read_bytes()


def test_what_cannot_be_written_is_reported_and_leaves_nothing_behind(tmp_path):
    figure = heatmap([[1.0]], ["a"], ["b"])
    (tmp_path / "a.png").mkdir()
    with pytest.raises(ValueError, match=r"a\.png cannot be written"):
        save(figure, tmp_path / "a.png")
    with pytest.raises(ValueError, match=r"does not end in \.png"):
        save(figure, tmp_path / "a.pdf")
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


@pytest.mark.parametrize(
    ("weights", "options", "message"),
    [
        ([[1.0]], {}, r"shape \(1, 1\) do not fit"),
        ({}, {}, "0 panels"),
        ([[1.0, 0]], {"columns": 0}, "rows of 0"),
        ([[1.0, 0]], {"links": [(0, 1)]}, "link 0-1 refers"),
    ],
)
def test_what_does_not_fit_is_reported(weights, options, message):
    with pytest.raises(ValueError, match=message):
        heatmap(weights, ["a", "b"], ["c"], **options)


def test_no_weight_at_all_is_a_white_picture():
    assert heatmap([[0.0]], ["a"], ["b"]).axes[0].images[0].get_clim()[1] > 0


def test_a_passage_has_a_bar_as_long_as_the_weight_left_of_its_sentence():
    sentences = ["Mary is ill.", "John " + 30 * "slept ", ""]
    figure = passage([0.25, 0.75, 0.0], sentences, title="Who slept? $John$")
    (axes,) = figure.axes
    texts = [text.get_text() for text in axes.texts]
    assert texts[:3] == ["Who slept? $John$", "25 %", "Mary is ill."] and texts[-2:] == ["0 %", ""]
    assert texts[3] == "75 %" and " ".join(texts[4:-2]) == sentences[1].strip()
    bars = axes.patches[::2]
    assert [bar.get_width() for bar in bars] == [0.25, 0.75, 0.0]
    tops = [bar.get_y() for bar in bars]
    assert tops == sorted(tops) and tops[2] - tops[1] > 1.5 * (tops[1] - tops[0])
    FigureCanvasAgg(figure).draw()
    boxes = [text.get_window_extent() for text in axes.texts if text.get_text()]
    assert min(box.x0 for box in boxes) >= 0 and max(box.x1 for box in boxes) <= figure.bbox.x1
    assert min(box.y0 for box in boxes) >= 0 and max(box.y1 for box in boxes) <= figure.bbox.y1
    numbers, told = axes.texts[1].get_window_extent(), axes.texts[2].get_window_extent()
    assert numbers.x1 < bars[0].get_window_extent().x0 < told.x0


def test_a_passage_that_does_not_fit_is_refused():
    with pytest.raises(ValueError, match=r"weights of shape \(1, 1\) do not fit"):
        passage([1.0], ["a", "b"])
