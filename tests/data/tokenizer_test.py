"""Tokenizers: text comes back, pieces know their words, files are whole, no text crashes."""

import copy
import json
import os
import pathlib
import pickle
import subprocess
import sys
import time

import pytest
import sentencepiece
from hypothesis import given, settings
from hypothesis import strategies as st

from attention_lab.data import tokenizer as tokenizers
from attention_lab.data.parallel_files import read_lines
from attention_lab.data.tokenizer import KINDS, MARKS, cached, from_bytes, load, save, to_bytes
from attention_lab.marks import END, PAD, START, UNKNOWN

ROOT = pathlib.Path(__file__).parents[2]
MULTI30K = ROOT.parent / "shared" / "data" / "multi30k"
SENTENCES = [
    "Zwei junge weiße Männer sind im Freien in der Nähe vieler Büsche.",
    "Two young, White males are outside near many bushes.",
    "l'homme n'a pas vu l'homme ; il est là",
    "der Mann lacht und der Mann geht und die Frau lacht",
    "the quick brown fox jumps over the lazy dog 0123456789 !?",
]
TRAINED = {kind: tokenizers.train(kind, SENTENCES, 150) for kind in KINDS}
LETTERS = sorted(set("".join(SENTENCES)))
few = settings(deadline=None, derandomize=True)
every_kind = pytest.mark.parametrize("kind", KINDS)

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


@every_kind
def test_training_twice_gives_equal_tokenizers(kind):
    again = tokenizers.train(kind, iter(SENTENCES), 150)
    assert again == TRAINED[kind] and hash(again) == hash(TRAINED[kind])
    assert again != tokenizers.train(kind, SENTENCES[1:], 150)


def test_the_most_frequent_words_are_kept_and_equals_by_the_alphabet():
    tokenizer = tokenizers.train("word", ["d b c b", "a d d"], 7)
    assert tokenizer.pieces[4:] == ("d", "b", "a")
    assert tokenizer.encode("c").ids == [UNKNOWN]


def test_a_mark_in_the_corpus_is_a_word_like_others():
    tokenizer = tokenizers.train("word", ["a </s> b"], 10)
    ids = tokenizer.encode("a </s> b").ids
    assert END not in ids
    assert tokenizer.decode(ids) == "a </s> b"


@pytest.mark.parametrize("kind", ["bpe", "unigram"])
def test_a_small_corpus_gives_a_small_vocabulary(kind):
    tokenizer = tokenizers.train(kind, ["ab ab", "b"], 8000)
    assert 7 <= len(tokenizer) < 20
    assert tokenizer.decode(tokenizer.encode("ba ab").ids) == "ba ab"


@pytest.mark.parametrize("kind", ["bpe", "unigram"])
def test_a_size_without_room_for_the_characters_says_what_is_needed(kind):
    with pytest.raises(ValueError, match=f"size 8: {kind} needs 9 for") as caught:
        tokenizers.train(kind, ["abcd"], 8)
    assert "\n" not in str(caught.value)
    assert len(tokenizers.train(kind, ["abcd"], 9)) == 9


@pytest.mark.parametrize("kind", ["bpe", "unigram"])
def test_a_sentence_with_a_forbidden_character_or_of_great_length_is_learnt_too(kind):
    for sentence in ("qu\0ux quux", "qu\u2585ux quux", "quux \ufffd", "quux " * 3000):
        tokenizer = tokenizers.train(kind, [*SENTENCES, sentence], 200)
        assert UNKNOWN not in tokenizer.encode("quux").ids
    only_x = tokenizers.train(kind, ["x" * 10000, "a b"], 12)
    assert UNKNOWN not in only_x.encode("xx").ids


@pytest.mark.parametrize(
    "kind, sentences, size, told",
    [
        ("bpf", SENTENCES, 100, "no tokenizer 'bpf'; known are bpe, unigram, char, word"),
        ("bpe", [], 100, "needs text"),
        ("unigram", ["", " \t", "\0"], 100, "needs text"),
        ("char", SENTENCES, 4, "size 4 has room for marks alone"),
        ("word", "one string", 100, "put it in a list"),
        ("bpe", [b"bytes"], 100, "a text is a str, not bytes"),
    ],
)
def test_what_cannot_be_trained_is_told(kind, sentences, size, told):
    with pytest.raises(ValueError, match=told) as caught:
        tokenizers.train(kind, sentences, size)
    assert "\n" not in str(caught.value)


@settings(few, max_examples=30)
@given(
    kind=st.sampled_from(list(KINDS)),
    sentences=st.lists(st.text(), min_size=1, max_size=5),
    size=st.integers(5, 60),
)
def test_any_corpus_trains_or_is_refused_in_one_line(kind, sentences, size):
    try:
        tokenizer = tokenizers.train(kind, sentences, size)
    except ValueError as error:
        assert "\n" not in str(error)
    else:
        assert 4 < len(tokenizer) <= size


def test_training_says_nothing(capfd):
    tokenizers.train("bpe", SENTENCES, 150)
    tokenizers.train("unigram", SENTENCES, 150)
    with pytest.raises(ValueError):
        tokenizers.train("bpe", SENTENCES, 10)
    assert capfd.readouterr() == ("", "")


@every_kind
def test_files_bytes_pickles_and_copies_are_equal(kind, tmp_path):
    tokenizer = TRAINED[kind]
    tokenizer.encode("der Mann")
    path = tmp_path / "new" / "folder" / "tokenizer.json"
    save(tokenizer, path)
    for other in (
        load(path),
        load(str(path)),
        from_bytes(to_bytes(tokenizer)),
        pickle.loads(pickle.dumps(tokenizer)),
        copy.deepcopy(tokenizer),
    ):
        assert other == tokenizer
        assert other.encode("der Mann 😀") == tokenizer.encode("der Mann 😀")
    assert [p.name for p in path.parent.iterdir()] == ["tokenizer.json"]


def test_a_damaged_file_is_told_wherever_the_damage_is(tmp_path):
    path = tmp_path / "tokenizer.json"
    good = to_bytes(TRAINED["bpe"])
    for place in range(0, len(good), max(1, len(good) // 60)):
        path.write_bytes(good[:place] + bytes([good[place] ^ 1]) + good[place + 1 :])
        with pytest.raises(ValueError, match="damaged or no tokenizer; train it again"):
            load(path)
    for wrong in (good[:-1], b"", b"[]", b"{}", b"[" * 100_000, b"\xff\xfe", os.urandom(100)):
        path.write_bytes(wrong)
        with pytest.raises(ValueError, match=r"tokenizer\.json is damaged") as caught:
            load(path)
        assert "\n" not in str(caught.value)


def test_a_missing_file_or_a_folder_is_told(tmp_path):
    with pytest.raises(
        ValueError, match=r"no tokenizer can be read from .*none\.json: No such file"
    ):
        load(tmp_path / "none.json")
    with pytest.raises(ValueError, match="Is a directory"):
        load(tmp_path)


def test_a_file_of_another_version_is_told(monkeypatch):
    monkeypatch.setattr(tokenizers, "VERSION", 7)
    data = to_bytes(TRAINED["char"])
    assert json.loads(data)["version"] == 7
    monkeypatch.undo()
    with pytest.raises(ValueError, match="old is a tokenizer of version 7, and this program reads"):
        from_bytes(data, name="old")


def test_a_place_that_cannot_be_written_is_told_and_left_clean(tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "folder" / "inside").mkdir(parents=True)
    for place in (tmp_path / "file" / "t.json", tmp_path / "folder"):
        with pytest.raises(ValueError, match="cannot be written"):
            save(TRAINED["char"], place)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "folder"]


def test_the_cache_trains_once_and_again_for_anything_new(tmp_path, monkeypatch):
    first = cached("bpe", SENTENCES, 150, tmp_path)
    assert first == TRAINED["bpe"]
    monkeypatch.setattr(tokenizers, "train", None)
    assert cached("bpe", iter(SENTENCES), 150, tmp_path) == first
    monkeypatch.undo()
    cached("bpe", SENTENCES, 140, tmp_path)
    cached("char", SENTENCES, 150, tmp_path)
    cached("bpe", SENTENCES[::-1], 150, tmp_path)
    cached("bpe", [" ".join(SENTENCES)], 150, tmp_path)
    assert len(list(tmp_path.iterdir())) == 5


def test_a_damaged_cache_is_trained_anew(tmp_path):
    first = cached("unigram", SENTENCES, 150, tmp_path)
    (path,) = tmp_path.iterdir()
    good = path.read_bytes()
    path.write_bytes(good[: len(good) // 2])
    assert cached("unigram", SENTENCES, 150, tmp_path) == first
    assert path.read_bytes() == good


def test_the_cache_refuses_what_training_refuses(tmp_path):
    for kind, sentences in (("bpf", SENTENCES), ("bpe", []), ("bpe", "one string")):
        with pytest.raises(ValueError):
            cached(kind, sentences, 150, tmp_path)
    assert not list(tmp_path.iterdir())


def test_another_process_trains_the_very_same_model():
    code = (
        "import sys, json; from attention_lab.data.tokenizer import *; "
        "sys.stdout.buffer.write(to_bytes(train('unigram', json.load(sys.stdin), 150)))"
    )
    told = subprocess.run(
        [sys.executable, "-c", code],
        input=json.dumps(SENTENCES).encode(),
        capture_output=True,
        cwd=ROOT,
    )
    assert told.stdout == to_bytes(TRAINED["unigram"]), told.stderr
    assert not told.stderr


@pytest.mark.skipif(not MULTI30K.exists(), reason="Multi30k is not beside the project")
def test_58000_captions_train_encode_and_come_back_in_seconds():
    lines = [line for lang in ("de", "en") for line in read_lines(MULTI30K / f"train.{lang}.gz")]
    start = time.perf_counter()
    tokenizer = tokenizers.train("bpe", lines, 8000)
    many = tokenizer.encode_ids(lines)
    assert time.perf_counter() - start < 30
    assert len(tokenizer) == 8000
    assert [tokenizer.decode(ids) for ids in many[::50]] == [
        " ".join(x.split()) for x in lines[::50]
    ]
