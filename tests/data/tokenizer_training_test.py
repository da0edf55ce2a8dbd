"""Tokenizers are trained alike everywhere, or say in one line why they cannot be."""

import json
import pathlib
import subprocess
import sys
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attention_lab.data import tokenizer as tokenizers
from attention_lab.data.parallel_files import read_lines
from attention_lab.data.tokenizer import KINDS
from attention_lab.data.tokenizer_files import to_bytes
from attention_lab.special_tokens import END, UNKNOWN
from tests.data.small import SENTENCES, TRAINED, every_kind, few

ROOT = pathlib.Path(__file__).parents[2]
MULTI30K = ROOT.parent / "shared" / "data" / "multi30k"


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


def test_bpe_merges_the_most_frequent_pair_first():
    # ▁ and a are adjacent three times; then ▁a and b twice, and ▁a and c once.
    tokenizer = tokenizers.train("bpe", ["ab ab ac"], 10)
    assert tokenizer.pieces[4:6] == ("▁a", "▁ab") and set(tokenizer.pieces[6:]) == set("▁abc")
    assert tokenizer.encode("ab ac").pieces == ["▁ab", "▁a", "c"]
    assert "▁ab" not in tokenizers.train("unigram", ["ab ab ac"], 10).pieces  # another algorithm


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
    "kind, sentences, size, message",
    [
        ("bpf", SENTENCES, 100, "no tokenizer 'bpf'; known are bpe, unigram, char, word"),
        ("bpe", [], 100, "needs text"),
        ("unigram", ["", " \t", "\x1c"], 100, "needs text"),
        ("char", SENTENCES, 4, "size 4 has room for special tokens only"),
        ("word", "one string", 100, "put it in a list"),
        ("bpe", [b"bytes"], 100, "a text must be a str, not bytes"),
    ],
)
def test_what_cannot_be_trained_is_reported(kind, sentences, size, message):
    with pytest.raises(ValueError, match=message) as caught:
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


def test_another_process_trains_the_very_same_model():
    code = (
        "import sys, json; from attention_lab.data.tokenizer import *; "
        "from attention_lab.data.tokenizer_files import to_bytes; "
        "sys.stdout.buffer.write(to_bytes(train('unigram', json.load(sys.stdin), 150)))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code],
        input=json.dumps(SENTENCES).encode(),
        capture_output=True,
        cwd=ROOT,
    )
    assert result.stdout == to_bytes(TRAINED["unigram"]), result.stderr
    assert not result.stderr


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
