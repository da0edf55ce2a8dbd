"""Tokenizers: text comes back, pieces know their words, no text crashes."""

import pytest
import sentencepiece
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from attention_lab.data import tokenizer as tokenizers
from attention_lab.data.tokenizer import KINDS, SPECIAL_TOKENS, UNKNOWN_TEXT
from attention_lab.data.words import normalize, with_whitespace, words_of
from attention_lab.special_tokens import END, PAD, START, UNKNOWN
from tests.data.small import SENTENCES, TRAINED, every_kind, few

BYTES = {
    kind: tokenizers.train(kind, SENTENCES, 406, byte_fallback=True)
    for kind in ("bpe", "unigram", "char")
}
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
    "special tokens": "<s> der </s> <unk><pad>",
    "separators": "der\u2028Mann\u0085geht\x1cund\u00a0lacht\u200b!",
    "combining": "a\u0301\u0301\u0301 \u0301",
    "500 words": "der Mann lacht und geht " * 100,
    "one long word": "Mann" * 5000,
}


@every_kind
def test_the_marks_are_the_first_pieces(kind):
    assert (PAD, UNKNOWN, START, END) == (0, 1, 2, 3)
    assert TRAINED[kind].pieces[:4] == SPECIAL_TOKENS == ("<pad>", "<unk>", "<s>", "</s>")
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
    for i, piece, word in zip(ids, pieces, word_of, strict=True):
        spelled[word] += piece if i == UNKNOWN else piece.removeprefix("▁")
    assert spelled == words_of(text)
    assert {PAD, START, END}.isdisjoint(ids)


@pytest.mark.parametrize("kind", ["bpe", "unigram", "char"])
@few
@given(text=st.text(LETTERS))
def test_text_of_known_characters_comes_back(kind, text):
    ids = TRAINED[kind].encode(text).ids
    assert UNKNOWN not in ids
    assert TRAINED[kind].decode(ids) == " ".join(text.split())


# Texts of special tokens, of what stands for something inside, and of anything else.
SIGNS = [
    *SPECIAL_TOKENS,
    "▁",
    "▅",
    "\0",
    "\ufffd",
    "⁇",
    "<0x41>",
    "@@",
    "\x1c",
    "\x1f",
    "\ufeff",
    "e\u0301",
]
anything = st.lists(st.sampled_from([*SIGNS, " "]) | st.text(), max_size=8).map("".join)


@every_kind
@settings(few, max_examples=50)
@given(texts=st.lists(anything, min_size=1, max_size=4))
def test_any_text_that_was_trained_on_comes_back_marks_included(kind, texts):
    assume(any(map(normalize, texts)))
    tokenizer = tokenizers.train(kind, texts, 10_000)
    for text in (*texts, *" ".join(texts).split()):
        ids = tokenizer.encode(text).ids
        assert {PAD, UNKNOWN, START, END}.isdisjoint(ids)
        assert tokenizer.decode(ids) == normalize(text)


@every_kind
@pytest.mark.parametrize("sign", SIGNS)
def test_a_sign_in_the_corpus_is_text(kind, sign):
    text = f"the {sign} sat {sign} and {sign}"
    tokenizer = tokenizers.train(kind, [text], 1000)
    for one in (text, sign, f"sat {sign}"):
        ids, _, word_of = tokenizer.encode(one)
        assert UNKNOWN not in ids and tokenizer.decode(ids) == normalize(one)
        assert sorted(set(word_of)) == list(range(len(words_of(one))))


@pytest.mark.parametrize("kind", ["bpe", "unigram", "char"])
@few
@given(text=anything)
def test_with_bytes_any_text_at_all_comes_back(kind, text):
    ids, pieces, word_of = BYTES[kind].encode(text)
    assert BYTES[kind].decode(ids) == normalize(text)
    assert {PAD, UNKNOWN, START, END}.isdisjoint(ids)
    assert sorted(set(word_of)) == list(range(len(words_of(text)))) or kind != "char"
    assert len(ids) == len(pieces) == len(word_of) and word_of == sorted(word_of)


@pytest.mark.parametrize("kind", ["bpe", "unigram", "char"])
@few
@given(data=st.data())
def test_any_bytes_decode_to_one_line(kind, data):
    ids = data.draw(st.lists(st.integers(0, len(BYTES[kind]) - 1)))
    text = BYTES[kind].decode(ids)
    assert text == normalize(text)


def test_bytes_stand_for_what_is_unknown_alone():
    tokenizer = BYTES["bpe"]
    assert tokenizer.encode("der Mann").pieces == TRAINED["bpe"].encode("der Mann").pieces
    assert tokenizer.encode("猫 <0x41>").pieces[:4] == ["▁", "<0xE7>", "<0x8C>", "<0xAB>"]
    assert tokenizer.encode("der 猫").word_of[-3:] == [1, 1, 1]
    assert len(tokenizer) <= 150 + 256


def test_both_forms_of_a_letter_are_one():
    composed, apart = "l'été là", "l'e\u0301te\u0301 la\u0300"
    for kind in KINDS:
        assert tokenizers.train(kind, [composed], 50) == tokenizers.train(kind, [apart], 50)
        tokenizer = tokenizers.train(kind, [composed], 50)
        assert tokenizer.encode(apart) == tokenizer.encode(composed)
        assert UNKNOWN not in tokenizer.encode(apart).ids
        given_words = tokenizer.encode(composed, apart.split())
        assert given_words == tokenizer.encode(apart, composed.split())


def test_characters_are_words_where_no_space_parts_them():
    tokenizer = tokenizers.train("char", ["GPT 的猫"], 50)
    assert tokenizer.encode("GPT 的猫").word_of == [0, 0, 0, 1, 1, 2]


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
    assert TRAINED[kind].encode(text).ids == peer.encode(tokenizers.written(normalize(text)))


@every_kind
def test_what_is_unknown_is_shown_and_decodes_as_unknown(kind):
    ids, pieces, _ = TRAINED[kind].encode("der 😀")
    assert ids[-1] == UNKNOWN and pieces[-1] == "😀"
    assert TRAINED[kind].decode(ids) == f"der {UNKNOWN_TEXT}"


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
def test_an_id_outside_the_vocabulary_is_reported(wrong):
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
def test_words_that_are_not_in_the_text_are_reported(words):
    with pytest.raises(ValueError, match="word") as caught:
        TRAINED["bpe"].encode("der Mann", words)
    assert "\n" not in str(caught.value) and "der Mann" in str(caught.value)


def test_a_blank_text_has_no_words():
    assert TRAINED["bpe"].encode(" ", []) == ([], [], [])
    with pytest.raises(ValueError, match="word 0, 'der', does not follow"):
        TRAINED["bpe"].encode("", ["der"])


@every_kind
def test_bytes_are_no_text(kind):
    with pytest.raises(ValueError, match="a text must be a str, not bytes"):
        TRAINED[kind].encode(b"der Mann")


LINES = ["ROMEO:\nWhat  light?\n\n", "It is\tthe east.\r\nAnd ", " \u2028Juliet\x1f is the sun"]


@pytest.mark.parametrize("kind", ["char", "bpe", "unigram"])
@few
@given(text=st.text(alphabet="".join(LINES) + " \n"))
def test_a_text_keeps_its_whitespace(kind, text):
    text = with_whitespace(text)
    exact = KEEPING[kind]
    assert exact.decode(exact.encode(text).ids) == text
    assert exact.encode_ids([text])[0].tolist() == exact.encode(text).ids
    # Two parts of a text are decoded to the same characters as the whole.
    ids = exact.encode(text).ids
    assert exact.decode(ids[:3]) + exact.decode(ids[3:]) == text


KEEPING = {
    kind: tokenizers.train(kind, LINES * 9, 60, keep_whitespace=True, extra=3)
    for kind in ("char", "bpe", "unigram")
}


def test_separators_become_spaces_and_line_breaks_one_character():
    assert with_whitespace("a\r\nb\rc\x1fd\u2029e  f\n") == "a\nb c d e  f\n"
    with pytest.raises(ValueError, match="must be a str, not int"):
        with_whitespace(3)


def test_whole_words_do_not_keep_whitespace():
    with pytest.raises(ValueError, match="keep_whitespace needs pieces that contain spaces"):
        tokenizers.train("word", ["a b"], 20, keep_whitespace=True)


@pytest.mark.parametrize("kind", list(KINDS))
def test_reserved_tokens_are_counted_from_the_end_and_in_no_text(kind):
    names = " ".join(f"<extra_{n}>" for n in range(2))
    tokenizer = tokenizers.train(kind, [names, "a b c"], 200, extra=2)
    assert [tokenizer.reserved(n) for n in range(2)] == [len(tokenizer) - 1, len(tokenizer) - 2]
    assert tokenizer.pieces[-2:] == ("<extra_1>", "<extra_0>") and len(tokenizer) <= 200
    ids = tokenizer.encode(names).ids
    assert not {tokenizer.reserved(0), tokenizer.reserved(1)} & set(ids)
    assert tokenizer.decode([tokenizer.reserved(1), *ids, tokenizer.reserved(0)]) == names
    for number in (2, -1):
        with pytest.raises(ValueError, match=r"has 2; raise tokenizer\.extra"):
            tokenizer.reserved(number)


def test_reserved_tokens_are_part_of_the_size():
    with pytest.raises(
        ValueError, match="special tokens and reserved tokens only; use more than 9"
    ):
        tokenizers.train("char", ["abc"], 9, extra=5)
    assert len(tokenizers.train("char", ["abc"], 10, extra=5)) == 10
