"""README.md fits on a screen, shows what the project made, and leads to every page."""

import re

import pytest

from tests import pages

pytestmark = pytest.mark.oldest

TEXT = pages.text("README.md")


def test_it_is_one_screen():
    assert len(TEXT.splitlines()) <= 150


def test_it_shows_one_picture():
    assert re.findall(r"!\[.+\]\((.+)\)", TEXT) == ["docs/quickstart.png"]


def test_it_has_ten_lines_of_python():
    (block,) = pages.blocks("README.md", "python")
    assert len(block.splitlines()) <= 11  # with the blank one


def test_it_leads_to_every_page():
    there = {link.partition("#")[0] for link in pages.links("README.md")}
    assert set(pages.NAMES) - {"README.md", "docs/index.md", "docs/contributing.md"} <= there


def test_its_results_are_those_of_the_page_of_results():
    rows = [
        line for line in pages.section("README.md", "Results").splitlines() if "--config" in line
    ]
    cells = [row.split("|") for row in rows]
    numbers = [cell.strip() for row in cells for cell in row[4:6] if cell.strip()]
    results = pages.text("docs/results.md")
    assert len(rows) > 3 and len(numbers) > 4
    for row in cells:
        assert re.search(r"`--(config=\S+)`", row[3])[1] in results
    assert all(re.search(rf"(?<![\d.]){re.escape(number)}(?![\d.])", results) for number in numbers)
