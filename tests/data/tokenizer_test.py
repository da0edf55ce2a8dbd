"""Tokenizers: text comes back, pieces know their words, no text crashes."""

import pytest
import sentencepiece
from hypothesis import given
from hypothesis import strategies as st

from attention_lab.data import tokenizer as tokenizers
from attention_lab.data.tokenizer import MARKS
from attention_lab.marks import END, PAD, START, UNKNOWN
from tests.data.small import SENTENCES, TRAINED, every_kind, few

LETTERS = sorted(set("".join(SENTENCES)))

STRANGE = {
    "nothing": "",
    "spaces": " \t\n ",
    "NUL": "der\0Mann",
    "emoji": "der 😀😀 Mann 👩‍👩‍👧",
    "right to left": "שלום עולם der مرحبا",
    "a lone surrogate": "der \ud800Mann\udfff",
    "the sign for a space": "▁der ▁ Mann▁",
    "sentencepiece's own signs": "▅ ⁇ ",
    "marks": "<s> der </s> <unk><pad>",
    "separators": "der\u2028Mann\u0085geht\x1cund\u00a0lacht\u200b!",
    "combining": "a\u0301\u0301\u0301 \u0301",
    "500 words": "der Mann lacht und geht " * 100,
    "one long word": "Mann" * 5000,
}


def words_of(text):
    return tokenizers.normalize(text).split()


@every_kind
def test_the_marks_are_the_first_pieces(kind):
    assert (PAD, UNKNOWN, START, END) == (0, 1, 2, 3)
    assert TRAINED[kind].pieces[:4] == MARKS == ("<pad>", "<unk>", "<s>", "</s>")
    assert len(TRAINED[kind]) <= 150


@every_kind
@few
@given(text=st.text())
def test_no_text_crashes(kind, text):
    ids, pieces, word_of = TRAINED[kind].encode(text)
    assert len(ids) == len(pieces) == len(word_of)
    assert all(0 <= w < len(words_of(text)) for w in word_of)
    assert word_of == sorted(word_of)
    TRAINED[kind].decode(ids)


@every_kind
@pytest.mark.parametrize("name", STRANGE)
def test_strange_text_is_pieces_of_its_own_words(kind, name):
    text = STRANGE[name]
    ids, pieces, word_of = TRAINED[kind].encode(text)
    assert sorted(set(word_of)) == list(range(len(words_of(text))))
    spelled = [""] * len(words_of(text))
    for piece, word in zip(pieces, word_of, strict=True):
        spelled[word] += piece.removeprefix("▁")
    assert spelled == words_of(text)
    assert {PAD, START, END}.isdisjoint(ids)


@pytest.mark.parametrize("kind", ["bpe", "unigram", "char"])
@few
@given(text=st.text(LETTERS))
def test_text_of_known_characters_comes_back(kind, text):
    ids = TRAINED[kind].encode(text).ids
    assert UNKNOWN not in ids
    assert TRAINED[kind].decode(ids) == " ".join(text.split())


@few
@given(words=st.lists(st.sampled_from(" ".join(SENTENCES).split())))
def test_text_of_known_words_comes_back(words):
    tokenizer = tokenizers.train("word", SENTENCES, 1000)
    ids = tokenizer.encode(" ".join(words)).ids
    assert len(ids) == len(words) and UNKNOWN not in ids
    assert tokenizer.decode(ids) == " ".join(words)


@every_kind
@few
@given(texts=st.lists(st.text()))
def test_many_texts_at_once_are_the_same_ids(kind, texts):
    many = TRAINED[kind].encode_ids(texts)
    assert [ids.tolist() for ids in many] == [TRAINED[kind].encode(text).ids for text in texts]
    assert all(ids.dtype == "int32" and ids.ndim == 1 for ids in many)


@pytest.mark.parametrize("kind", ["bpe", "unigram"])
@few
@given(text=st.text())
def test_ids_are_those_that_sentencepiece_gives(kind, text):
    peer = sentencepiece.SentencePieceProcessor(model_proto=TRAINED[kind].model)
    text = tokenizers.normalize(text)
    assert TRAINED[kind].encode(text).ids == peer.encode(text)


@every_kind
def test_what_is_unknown_is_shown_and_decodes_as_unknown(kind):
    ids, pieces, _ = TRAINED[kind].encode("der 😀")
    assert ids[-1] == UNKNOWN and pieces[-1] == "😀"
    assert TRAINED[kind].decode(ids) == "der <unk>"


@every_kind
def test_decoding_stops_at_the_end_and_skips_pads_and_starts(kind):
    ids = TRAINED[kind].encode("der Mann").ids
    assert TRAINED[kind].decode([START, PAD, *ids, PAD, END, *ids]) == "der Mann"
    assert TRAINED[kind].decode([]) == TRAINED[kind].decode([END]) == ""


@every_kind
@few
@given(data=st.data())
def test_any_ids_of_the_vocabulary_decode(kind, data):
    ids = data.draw(st.lists(st.integers(0, len(TRAINED[kind]) - 1)))
    assert isinstance(TRAINED[kind].decode(ids), str)


@pytest.mark.parametrize("wrong", [-1, 150, 10**9])
def test_an_id_outside_the_vocabulary_is_told(wrong):
    with pytest.raises(ValueError, match=f"id {wrong} is not in a vocabulary of"):
        TRAINED["bpe"].decode([4, wrong])


def test_a_piece_over_two_words_belongs_to_the_one_with_more_of_it():
    text, words = "l'homme est là", ["l'", "homme", "est", "là"]
    tokenizer = tokenizers.train("word", [text], 10)
    assert tokenizer.encode(text, words).word_of == [1, 2, 3]
    assert tokenizer.encode("l'est", ["l'es", "t"]).word_of == [0]
    assert tokenizer.encode("l'es", ["l'", "es"]).word_of == [0]


def test_words_are_found_from_left_to_right():
    encoded = TRAINED["char"].encode("la la", ["la", "l", "a"])
    assert encoded.pieces == ["l", "a", "▁", "l", "a"]
    assert encoded.word_of == [0, 0, 1, 1, 2]


def test_what_lies_in_no_word_goes_to_the_next_and_then_to_the_last():
    assert TRAINED["char"].encode("- a - b -", ["a", "b"]).word_of == [0] * 3 + [1] * 4 + [1] * 2


@pytest.mark.parametrize("words", [["der", "Hund"], ["Mann", "der"], ["der", ""], [], ["der", " "]])
def test_words_that_are_not_in_the_text_are_told(words):
    with pytest.raises(ValueError, match="word") as caught:
        TRAINED["bpe"].encode("der Mann", words)
    assert "\n" not in str(caught.value) and "der Mann" in str(caught.value)


def test_a_blank_text_has_no_words():
    assert TRAINED["bpe"].encode(" ", []) == ([], [], [])
    with pytest.raises(ValueError, match="word 0, 'der', does not follow"):
        TRAINED["bpe"].encode("", ["der"])


@every_kind
def test_bytes_are_no_text(kind):
    with pytest.raises(ValueError, match="a text is a str, not bytes"):
        TRAINED[kind].encode(b"der Mann")
