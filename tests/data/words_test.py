"""Words: what spaces separate, and characters of scripts that have no spaces."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attention_lab.data import sources
from attention_lab.data.words import divided, normalize, words_in, words_of
from tests.data.small import few


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("GPT 的猫", "GPT 的 猫"),
        ("我喜欢GPT4，猫。", "我 喜 欢 GPT4， 猫 。"),
        ("猫が好き、コーヒー", "猫 が 好 き 、 コ ー ヒ ー"),
        ("ฉันชอบ", "ฉั น ช อ บ"),
        ("ខ្មែរ", "ខ្ មែ រ"),
        ("か\u3099x\u0301y", "が x\u0301y"),
        ("𠀀𠀁", "𠀀 𠀁"),
        ("나는 고양이를 좋아한다.", "나는 고양이를 좋아한다."),
        ("l'homme\u2028est\x85là\u3000!", "l'homme est là !"),
        ("\ufeffשלום 👩‍👩‍👧 e\u0301té", "\ufeffשלום 👩‍👩‍👧 été"),
        ("", ""),
    ],
)
def test_words_are_what_spaces_part_or_characters_of_scripts_without(text, words):
    assert words_of(text) == words.split()


@few
@given(text=st.text())
def test_words_tile_the_text_but_for_spaces(text):
    assert "".join(words_of(text)) == normalize(text).replace(" ", "")
    assert all(words_of(text))
    assert words_of(normalize(text)) == words_of(text)
    assert words_of(unicodedata.normalize("NFD", text)) == words_of(text)


@few
@given(text=st.text())
def test_normal_text_stays_as_it_is(text):
    assert normalize(normalize(text)) == normalize(text)
    assert unicodedata.is_normalized("NFC", normalize(text))


@few
@given(text=st.text(st.characters(max_codepoint=0x5FF)))
def test_scripts_with_spaces_are_split_at_spaces(text):
    assert words_of(text) == normalize(text).split()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("L'homme, l' homme", "L' homme , l' homme"),
        ("aujourd'hui, n'achèteront", "aujourd'hui , n' achèteront"),
        ("chatte chat- k'chat", "chatte chat - k' chat"),  # one that is not known is whole: chatte
        ("xyz... नमस्ते", "xyz... नमस्ते"),
        ("", ""),
    ],
)
def test_a_text_is_cut_beside_signs_into_words_that_are_known(text, words):
    known = ["L'", "l'", "homme", "n'", ",", "aujourd'hui", "chat", "hui", "नमस"]
    assert divided(text, known) == words.split()
    assert divided(text, ()) == words_of(text)


def test_words_that_are_given_go_before():
    example = {"source": "我喜欢猫", "target": "I like cats", "source_words": ["我", "喜欢", "猫"]}
    assert words_in(example, "source") == ["我", "喜欢", "猫"]
    assert words_in(example, "target") == ["I", "like", "cats"]


@pytest.mark.parametrize("split", ["train", "test"])
def test_the_embedded_corpus_is_normal(split):
    corpus = sources.load("rosetta", split)
    for example in (corpus[n] for n in range(200)):
        assert all(normalize(example[side]) == example[side] for side in ("source", "target"))
