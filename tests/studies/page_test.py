"""The page: whole without a network, valid without a browser, and nothing that a study says is code."""

import re
import shutil
import subprocess
from html.parser import HTMLParser

import pytest

from attention_lab.studies.page import Table, page
from attention_lab.views import curves
from tests.views.curves_test import CURVE

HOSTILE = "<script>document.title='taken'</script>"
VOID = ("meta", "link")


def made(name=HOSTILE):
    example = {
        "source": [name, "sat"],
        "target": [name],
        "weights": [[0.25, 0.75, 0.0]],
        "links": [[0, 0]],
    }
    return page(
        name,
        f"a study of {name}",
        [Table("Arms", name, ["arm", name], [[name, "1.00"]]), Table("None", "", ["arm"], [])],
        {name: curves.svg(curves.lines({name: CURVE}, x=name, y="BLEU"))},
        {name: example, "no attention": None},
        f"note {name}",
    )


class Reader(HTMLParser):
    """Tags, all closed in order; texts; and what attributes refer to."""

    def __init__(self):
        super().__init__()
        self.open, self.tags, self.texts, self.references = [], [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.references += [value for name, value in attrs if name.endswith(("href", "src"))]
        assert not [name for name, _ in attrs if name.startswith("on")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.references += [value for name, value in attrs if name.endswith(("href", "src"))]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)


def read(text):
    reader = Reader()
    reader.feed(text)
    reader.close()
    assert reader.open == []
    return reader


def test_a_hostile_name_is_shown_as_text():
    found = read(made())
    assert "script" not in found.tags
    assert sum(HOSTILE in text for text in found.texts) >= 9


def test_the_page_needs_nothing_else():
    text = made("additive")
    outside = [r for r in read(text).references if not r.startswith(("#", "data:"))]
    assert outside == [] and "@import" not in text
    assert re.findall(r"url\((?!#)", text) == []


def test_an_arm_without_attention_has_no_map_and_an_empty_table_no_title():
    text = made("additive")
    assert text.count('class="map"') == 1 and "no attention" not in text and ">None<" not in text


def test_a_known_link_is_outlined_and_weights_are_numbers():
    text = made("additive")
    assert text.count('class="linked"') == 1 and ">25</td>" in text and ">75</td>" in text


def test_an_answer_is_shown_over_the_sentences_of_its_source():
    example = {
        "source": ["Mary", "slept", ".", "John", "<left>", ".", "Who", "left", "?"],
        "target": ["John"],
        "weights": [[0.1, 0.1, 0, 0.3, 0.3, 0.05, 0, 0.05, 0, 0.1]],
        "links": [],
        "sentence_of": [0, 0, 0, 1, 1, 1, -1, -1, -1],
        "supporting": [1],
    }
    text = page("T", "S", [], {}, {"additive": example}, "N")
    read(text)
    assert "<figcaption>additive: Who left ? John</figcaption>" in text
    lines = re.findall(r"<tr>(.*?)</tr>", text)
    cells = [re.findall(r">([^<]*)</td>", line) for line in lines]
    assert cells == [["20", "Mary slept."], ["65", "John &lt;left&gt;."]]
    assert ['class="linked"' in line for line in lines] == [False, True]


def test_weights_on_an_image_are_a_grid_for_each_word_with_its_region_outlined():
    weights = [[[0.1, 0.2], [0.3, 0.4]], [[0.0, 0.0], [0.0, 0.0]]]
    example = {"target": [HOSTILE, "cat"], "weights": weights, "boxes": [[[0, 0, 1, 2]], []]}
    text = page("T", "S", [], {}, {HOSTILE: example}, "N")
    assert "script" not in read(text).tags and '<div class="grids">' in text
    lines = re.findall(r"<tr>(.*?)</tr>", text)
    assert [line.count("</td>") for line in lines] == [2] * 4
    assert ['class="linked"' in line for line in lines] == [True, False, False, False]
    dark, white = "rgb(8,48,107)", "rgb(255,255,255)"
    assert [dark in line for line in lines] == [False, True, False, False]
    assert [line.count(white) for line in lines] == [0, 0, 2, 2]


def test_weights_on_a_recording_are_a_row_over_time_for_each_word():
    example = {"target": ["so"], "weights": [[0.1, 0.2, 0.7]], "boxes": [[[0.6, 2.4]]]}
    text = page("T", "S", [], {}, {"additive": example}, "N")
    read(text)
    (line,) = re.findall(r"<tr>(.*?)</tr>", text)
    cells = re.findall(r"<td( class=\"linked\")?", line)
    assert [bool(linked) for linked in cells] == [False, True, False]
    assert '<div class="rows">' in text and "<figcaption>so</figcaption>" in text


BROWSER = next(
    (b for b in ("chromium", "chromium-browser", "google-chrome", "chrome") if shutil.which(b)),
    None,
)


@pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed")
def test_a_browser_opens_it_offline_without_a_complaint(tmp_path):
    path = tmp_path / "report.html"
    path.write_text(made())
    result = subprocess.run(
        [
            BROWSER,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--enable-logging=stderr",
            "--proxy-server=127.0.0.1:9",  # nothing can be fetched
            "--dump-dom",
            path.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert "CONSOLE" not in result.stderr
    assert "<title>taken</title>" not in result.stdout and "&lt;script&gt;" in result.stdout
