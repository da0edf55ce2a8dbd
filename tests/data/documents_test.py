"""Documents: ids know their words and sentences."""

import numpy as np
import pytest

from attention_lab.data.documents import Document, joined, make_document, sentence_indices
from tests.data.small import TRAINED, every_kind


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("A dog ran. It was late", [0, 0, 0, 1, 1, 1]),
        ('"Really?!" he said. (No...) Yes', [0, 1, 1, 2, 3]),
        ("It cost 3.5 euros , or 4 .", [0] * 8),
        ("Mr. Smith ran !", [0, 1, 1, 1]),
        ("你 好 。 好", [0, 0, 0, 1]),
        ("", []),
    ],
)
def test_sentences_end_with_final_marks(text, sentences):
    assert sentence_indices(text.split()) == sentences


@every_kind
def test_a_document_has_the_words_and_sentences_of_its_text(kind):
    text = "l'homme est là . the fox jumps! the dog"
    document = make_document(TRAINED[kind], text)
    encoded = TRAINED[kind].encode(text)
    assert document.ids.dtype == np.int32 and document.ids.tolist() == encoded.ids
    assert document.word_of.tolist() == encoded.word_of
    by_word = [0, 0, 0, 0, 1, 1, 1, 2, 2]
    assert document.sentence_of.tolist() == [by_word[word] for word in encoded.word_of]
    starts = [i for i, w in enumerate(encoded.word_of) if not i or encoded.word_of[i - 1] != w]
    assert document.word_starts().tolist() == starts and len(starts) == 9
    assert len(document.sentence_starts()) == 3


def test_words_and_sentences_can_be_given():
    words = ["l'", "homme", "est", "là"]
    document = make_document(TRAINED["char"], "l'homme est là", words, [0, 0, 1, 1])
    assert document.word_starts().tolist() == [0, 2, 7, 11]
    assert document.sentence_starts().tolist() == [0, 7]
    with pytest.raises(ValueError, match="4 words have 3 indices of sentences"):
        make_document(TRAINED["char"], "l'homme est là", words, [0, 0, 1])


def test_an_empty_text_is_an_empty_document():
    document = make_document(TRAINED["bpe"], "")
    assert not document.ids.size
    assert not document.word_starts().size and not document.sentence_starts().size


def test_a_sentence_starts_a_word_and_every_id_has_a_number():
    document = Document(np.arange(4), np.array([0, 0, 0, 1]), np.array([0, 0, 1, 1]))
    assert document.word_starts().tolist() == [0, 2, 3]
    assert Document(np.arange(3)).word_starts().tolist() == [0, 1, 2]
    assert Document(np.arange(3)).sentence_starts().tolist() == [0]
    with pytest.raises(ValueError, match="3 ids has the words or sentences of 2"):
        Document(np.arange(3), np.zeros(2)).word_starts()


def test_words_are_joined_by_sentence_without_a_space_before_punctuation():
    words = ["Mary", ",", "ill", ".", "Who", "is", "?", "No", "!"]
    assert joined(words, [0, 0, 0, 0, -1, -1, -1, 2, 2]) == ["Mary, ill.", "", "No!"]
    assert joined([], []) == [] and joined(["a"], [-1]) == []
    with pytest.raises(ValueError):
        joined(["a"], [])
