"""The texts of sentences, of which examples have an index for each word."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attention_lab.data.sentences import sentences_of
from attention_lab.data.words import normalize, words_of

word = st.text(st.sampled_from("ab.é好"), min_size=1, max_size=4)
sentence = st.lists(word, max_size=5).map(" ".join)


@given(st.lists(sentence, min_size=1, max_size=5))
def test_sentences_are_those_that_the_source_was_made_of(sentences):
    sentences = [normalize(one) for one in sentences]
    sentence_of = [i for i, one in enumerate(sentences) for _ in words_of(one)]
    example = {"source": " ".join(filter(None, sentences)), "sentence_of": sentence_of}
    while sentences and not sentences[-1]:  # which no word belongs to
        sentences.pop()
    assert sentences_of(example) == sentences


def test_words_of_no_sentence_are_left_out():
    example = {
        "source": "A cat sat.  It ran. Who sat?",
        "source_words": ["A", "cat", "sat", ".", "It", "ran", ".", "Who", "sat", "?"],
        "sentence_of": [0, 0, 0, 0, 2, 2, 2, -1, -1, -1],
    }
    assert sentences_of(example) == ["A cat sat.", "", "It ran."]
    assert sentences_of({"source": "Who?", "sentence_of": [-1]}) == []


@pytest.mark.parametrize(
    "change, why",
    [
        ({"sentence_of": [0]}, "sentence_of has 1 entries for 2 words"),
        ({"source_words": ["a", "c"]}, "word 'c' does not follow the previous words in 'a b'"),
    ],
)
def test_what_does_not_fit_is_reported(change, why):
    with pytest.raises(ValueError, match=why):
        sentences_of({"source": "a b", "sentence_of": [0, 0], **change})
