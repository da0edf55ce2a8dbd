"""Docstrings, which are plain text, as the reference shows them."""

import importlib.util
import inspect
from typing import NamedTuple

import pytest

from tests import pages


@pytest.fixture(scope="module")
def docstrings():
    path = pages.ROOT / "docs" / "extensions" / "docstrings.py"
    spec = importlib.util.spec_from_file_location("docstrings", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Pair(NamedTuple):
    """Two things.

    right: the other.
    """

    left: int  # [K] the one
    right: int = 3


def scaled(q, k, *rest):
    """The score of q and k, |q · k|, as in `dot(q, k)`; *rest is left to `a
    line` below.

        print(scaled(1, 2))

    q, k: numbers.
        They may be negative.
    rest: nothing. Of all: text.
    Raises ValueError where one is missing.
    """


def lines_of(docstrings, item):
    lines = inspect.getdoc(item).splitlines()
    docstrings.process(None, "class" if inspect.isclass(item) else "function", "", item, {}, lines)
    return [line for line in lines if line]


def test_code_is_code_entries_are_a_list_and_the_rest_is_no_markup(docstrings):
    assert lines_of(docstrings, scaled) == [
        r"The score of q and k, \|q · k\|, as in ``dot(q, k)``; \*rest is left to ``a line`` below.",
        "::",
        "        print(scaled(1, 2))",
        "* ``q``, ``k``: numbers.",
        "  They may be negative.",
        "* ``rest``: nothing. Of all: text.",
        "Raises ValueError where one is missing.",
    ]


def test_fields_are_listed_once_with_their_comments(docstrings):
    assert lines_of(docstrings, Pair) == [
        "Two things.",
        "* ``right``: the other.",
        "* ``left: int``: [K] the one",
    ]
    assert docstrings.skip(None, "class", "left", Pair.left, False, {})
