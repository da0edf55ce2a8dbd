"""Lines of words: none is too wide, and none is missing."""

import itertools

import hypothesis
import hypothesis.strategies as st

from attention_lab.views.cells import columns, wrapped


@hypothesis.settings(max_examples=100, deadline=None, derandomize=True)
@hypothesis.given(st.text("ab 語", max_size=60), st.integers(4, 20))
def test_lines_have_all_words_that_fit_and_no_line_is_too_wide(text, width):
    lines = wrapped(text, width)
    assert all(columns(line) <= width for line in lines)
    words = [word for word in text.split() if columns(word) <= width]
    assert [word for line in lines for word in line.split() if "…" not in word] == words
    pairs = [(one, other.split()[0]) for one, other in itertools.pairwise(lines)]
    assert all(columns(f"{line} {word}") > width for line, word in pairs)
