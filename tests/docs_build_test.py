"""The pages build without a warning, and what they are made of needs no network."""

import html.parser
import re
import subprocess
import sys
from urllib.parse import unquote

import pytest

from attention_lab import mechanism
from tests import pages

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("docs")]

REMOTE = re.compile(r"\s*(https?:)?//")
# What a browser loads by itself, as a link to follow is not.
LOADS = ("src", "srcset", "data", "poster", "background", "xlink:href")


class Page(html.parser.HTMLParser):
    """What one page loads, links to, and can be linked to."""

    def __init__(self, text):
        super().__init__()
        self.loads, self.links, self.ids, self.tags = [], [], set(), set()
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        for name, value in attributes:
            if name in LOADS or (name == "href" and tag in ("link", "use", "image", "base")):
                self.loads.append(value or "")
            elif name == "href":
                self.links.append(value or "")
            elif name == "id":
                self.ids.add(value)
            elif name == "style":
                self.loads += in_css(value or "")


def in_css(text):
    """What a style sheet loads."""
    found = re.findall(r"url\(\s*[\"']?([^\"')]+)|@import\s+[\"']([^\"']+)", text)
    return [one or other for one, other in found]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    for module in ("sphinx", "myst_parser", "furo"):
        pytest.importorskip(module, reason='building the pages needs pip install ".[docs]"')
    out = tmp_path_factory.mktemp("docs")
    command = [
        sys.executable,
        "-m",
        "sphinx",
        "-W",
        "--keep-going",
        "-n",
        "-q",
        "-E",
        "docs",
        str(out),
    ]
    built = subprocess.run(command, cwd=pages.ROOT, capture_output=True, encoding="utf-8")
    assert built.returncode == 0, built.stderr
    return out


@pytest.fixture(scope="module")
def built(folder):
    paths = sorted(folder.rglob("*.html"))
    assert len(paths) > 20
    return {path: Page(path.read_text(encoding="utf-8")) for path in paths}


def test_nothing_that_a_page_loads_comes_from_a_network(folder, built):
    loads = [(path.name, load) for path, page in built.items() for load in page.loads]
    for path in folder.rglob("*.css"):
        loads += [(path.name, load) for load in in_css(path.read_text(encoding="utf-8"))]
    assert len(loads) > 100
    assert not [load for load in loads if REMOTE.match(load[1])]


def test_links_between_pages_and_the_files_that_they_load_are_there(folder, built):
    for path, page in built.items():
        for link in [*page.links, *page.loads]:
            if re.match(r"[a-z]+:|//", link):
                continue
            target, _, anchor = unquote(link).partition("#")
            there = (path.parent / target.partition("?")[0]).resolve() if target else path
            assert there.exists(), (path.name, link)
            if anchor and there in built:
                assert anchor in built[there].ids, (path.name, link)


def test_every_formula_is_one_that_the_browser_draws(folder, built):
    formulas = re.findall(r"\$\$.+?\$\$|\$[^$]+\$", pages.text("docs/formulas.md"), flags=re.DOTALL)
    text = (folder / "formulas.html").read_text(encoding="utf-8")
    assert len(formulas) > 30 and text.count("<math") == len(formulas) and "<merror" not in text


def test_the_reference_has_what_the_mechanism_exports(folder, built):
    page = built[folder / "reference" / "attention_lab.mechanism.html"]
    for name in mechanism.__all__:
        item = getattr(mechanism, name)
        if callable(item):
            assert f"{item.__module__}.{item.__qualname__}" in page.ids, name
