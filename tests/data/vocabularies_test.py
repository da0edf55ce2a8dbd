"""Vocabularies of two sides: one each, one for both, and one of which the target has a part."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attention_lab.data.tokenizer import KINDS, SPECIAL_TOKENS, train
from attention_lab.data.tokenizer_files import from_bytes, to_bytes
from attention_lab.data.vocabularies import make_tokenizers, restricted
from attention_lab.data.words import normalize
from attention_lab.special_tokens import UNKNOWN
from tests.data.small import every_kind, few

GERMAN = ["der Mann sieht die Straßenbahn", "die Frau sieht den Mann", "der Hund läuft"]
ENGLISH = ["the man sees the tram", "the woman sees the man", "the dog runs"]
BYTES = restricted(train("bpe", GERMAN + ENGLISH, 346, byte_fallback=True), ENGLISH)
PARTS = {kind: restricted(train(kind, GERMAN + ENGLISH, 90), ENGLISH) for kind in KINDS}


@every_kind
def test_the_target_has_the_first_part_of_the_sources_vocabulary(kind):
    source, target = PARTS[kind]
    both = train(kind, GERMAN + ENGLISH, 90)
    assert len(target) < len(source)
    assert target.pieces == source.pieces[: len(target)]
    assert target.pieces[: len(SPECIAL_TOKENS)] == SPECIAL_TOKENS
    assert sorted(source.pieces) == sorted(both.pieces)
    assert not any("ß" in piece or "ä" in piece for piece in target.pieces)


@every_kind
def test_its_own_texts_are_cut_as_before(kind):
    source, target = PARTS[kind]
    both = train(kind, GERMAN + ENGLISH, 90)
    for text in ENGLISH:
        assert target.encode(text).pieces == both.encode(text).pieces
        assert target.encode(text).ids == source.encode(text).ids
        assert target.decode(target.encode(text).ids) == text
    for text in GERMAN:
        assert source.encode(text).pieces == both.encode(text).pieces
        assert source.decode(source.encode(text).ids) == text


@few
@given(st.lists(st.sampled_from(sorted(set("".join(ENGLISH)))), min_size=1).map("".join))
def test_what_else_the_target_says_is_spelled(text):
    for kind in ("bpe", "unigram", "char"):
        target = PARTS[kind][1]
        encoded = target.encode(text)
        assert UNKNOWN not in encoded.ids
        assert target.decode(encoded.ids) == " ".join(text.split())


@pytest.mark.parametrize("kind", ["bpe", "unigram"])
def test_characters_that_its_texts_never_had_are_unknown_and_keep_their_words(kind):
    target = PARTS[kind][1]
    encoded = target.encode("the Straßenbahn runs")
    assert UNKNOWN in encoded.ids
    assert "".join(encoded.pieces).replace("▁", " ").strip() == "the Straßenbahn runs"
    assert sorted(set(encoded.word_of)) == [0, 1, 2]
    assert np.all(np.diff(encoded.word_of) >= 0)


@every_kind
def test_a_part_survives_a_file(kind):
    for tokenizer in PARTS[kind]:
        again = from_bytes(to_bytes(tokenizer))
        assert again == tokenizer
        assert again.encode("the tramway") == tokenizer.encode("the tramway")


@every_kind
@few
@given(data=st.data())
def test_marks_in_either_language_come_back_from_a_part(kind, data):
    signs = st.sampled_from([*SPECIAL_TOKENS, "▁", "\ufffd", "\0", "word"])
    texts = st.lists(st.lists(signs, min_size=1).map(" ".join), min_size=1, max_size=3)
    sources, targets = data.draw(texts), data.draw(texts)
    source, target = restricted(train(kind, sources + targets, 1000), targets)
    for tokenizer, mine in ((source, sources + targets), (target, targets)):
        for text in mine:
            ids = tokenizer.encode(text).ids
            assert UNKNOWN not in ids and tokenizer.decode(ids) == text


@few
@given(text=st.text())
def test_with_bytes_a_part_can_say_anything(text):
    for tokenizer in BYTES:
        ids = tokenizer.encode(text).ids
        assert UNKNOWN not in ids and tokenizer.decode(ids) == normalize(text)


def test_bytes_are_the_same_ids_on_both_sides():
    source, target = BYTES
    assert target.pieces == source.pieces[: len(target)] and len(target) < len(source)
    assert source.encode("猫").ids == target.encode("猫").ids
    again = from_bytes(to_bytes(target))
    assert again == target and again.encode("the 猫") == target.encode("the 猫")


def test_a_corpus_has_two_vocabularies_one_or_one_and_a_part(tmp_path):
    def make(**options):
        return make_tokenizers(GERMAN, ENGLISH, kind="bpe", size=90, cache_dir=tmp_path, **options)

    source, target = make(joint=False)
    assert source == train("bpe", GERMAN, 90)
    assert target == train("bpe", ENGLISH, 90)
    both, same = make(joint=True)
    assert both == same == train("bpe", GERMAN + ENGLISH, 90)
    assert make(joint=True, restrict=True) == PARTS["bpe"]
    assert make(joint=True, byte_fallback=False) == (both, both)
    with pytest.raises(ValueError, match="size 90 has room for special tokens and bytes only"):
        make(joint=True, byte_fallback=True)
    with pytest.raises(ValueError, match="only a joint vocabulary can be restricted"):
        make(joint=False, restrict=True)
