"""Encoded pairs from the cache are the ones that would be made, whatever happened to the cache."""

import dataclasses
import hashlib
import json
import multiprocessing

import numpy as np
import pytest

from attention_lab.data import encoded
from attention_lab.data.encoded import cached_encode, digest_of, from_bytes, to_bytes
from attention_lab.data.rows import Pairs, encode
from attention_lab.data.tokenizer import SPECIAL_TOKENS, Tokenizer
from tests.data.small import SENTENCES, TRAINED, every_kind

EXAMPLES = [
    {"source": source, "target": target}
    for source in (*SENTENCES, "", "a\nb \ud800 🙂")
    for target in (*SENTENCES, " ")
]
BPE, WORD = TRAINED["bpe"], TRAINED["word"]


def same(one, other):
    assert one.left_out == other.left_out and len(one) == len(other)
    np.testing.assert_array_equal(one.places, other.places, strict=True)
    for side in ("source", "target"):
        for ours, theirs in zip(getattr(one, side), getattr(other, side), strict=True):
            np.testing.assert_array_equal(ours, theirs, strict=True)
    return True


@pytest.fixture
def never(monkeypatch):
    """A function after which nothing may be encoded any more."""

    def fail(*args):
        raise AssertionError("it was encoded anew")

    return lambda: monkeypatch.setattr(encoded, "encode", fail)


@every_kind
@pytest.mark.parametrize("max_length", [None, 20, 1])
def test_what_comes_from_the_cache_is_what_encode_gives(kind, max_length, tmp_path, never):
    given = EXAMPLES, TRAINED[kind], WORD, max_length
    fresh = encode(*given)
    assert same(cached_encode(*given, cache_dir=tmp_path / "new"), fresh)
    never()
    assert same(cached_encode(*given, cache_dir=tmp_path / "new"), fresh)
    assert len(list((tmp_path / "new").iterdir())) == 1


def test_many_pieces_and_no_pairs_come_back():
    rows = [np.array([70_000, 3], np.int32), np.array([3], np.int32)]
    for pairs in (
        Pairs(rows, rows[::-1], np.array([4, 9]), {"a blank side": 7}),
        Pairs([], [], np.arange(0), {}),
    ):
        assert same(from_bytes(to_bytes(pairs)), pairs)


def test_all_that_encode_depends_on_changes_the_digest():
    texts = [("ab", "c"), ("a", "bc"), ("", "abc"), ("abc", ""), ("ab", "c "), ("ab", "C")]
    given = [([{"source": s, "target": t}], BPE, WORD, 9) for s, t in texts]
    one = given[0][0]
    given += [(one * 2, BPE, WORD, 9), (one, WORD, BPE, 9), (one, BPE, BPE, 9)]
    given += [(one, BPE, WORD, 10), (one, BPE, WORD, None), ([], BPE, WORD, 9)]
    given += [(one, dataclasses.replace(BPE, pieces=BPE.pieces[:-1]), WORD, 9)]
    given += [(one, dataclasses.replace(BPE, model=BPE.model + b" "), WORD, 9)]
    given += [(one, BPE, dataclasses.replace(WORD, kind="char"), 9)]
    assert len({digest_of(*each) for each in given}) == len(given)
    message = [{"source": "ab", "target": "c", "links": [(0, 0)]}]
    assert digest_of(message, BPE, WORD, 9) == digest_of(*given[0])


def test_another_tokenizer_or_text_is_encoded_anew(tmp_path):
    for given in (
        (EXAMPLES, BPE, BPE),
        (EXAMPLES, WORD, BPE),
        (EXAMPLES[:-1], BPE, BPE),
        (EXAMPLES[::-1], BPE, BPE),
    ):
        assert same(cached_encode(*given, cache_dir=tmp_path), encode(*given))
    assert len(list(tmp_path.iterdir())) == 4


def test_a_damaged_file_is_made_anew(tmp_path, never):
    given = EXAMPLES[:6], BPE, WORD, 40
    fresh = cached_encode(*given, cache_dir=tmp_path)
    (path,) = tmp_path.iterdir()
    whole = path.read_bytes()
    flips = range(0, len(whole), 97)
    damaged = [whole[:n] + bytes([whole[n] ^ 1]) + whole[n + 1 :] for n in flips]
    for data in (b"", whole[:20], whole[:-1], whole + b" ", *damaged):
        path.write_bytes(data)
        assert same(cached_encode(*given, cache_dir=tmp_path), fresh)
        assert path.read_bytes() == whole
    never()
    assert same(cached_encode(*given, cache_dir=tmp_path), fresh)


def test_where_nothing_can_be_written_it_is_done_without(tmp_path):
    (tmp_path / "file").touch()
    given = EXAMPLES, BPE, WORD
    assert same(cached_encode(*given, cache_dir=tmp_path / "file"), encode(*given))
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_two_processes_that_write_at_once_are_harmless(tmp_path):
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=_write, args=(tmp_path,)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * 4
    (path,) = tmp_path.iterdir()
    assert same(from_bytes(path.read_bytes()), encode(EXAMPLES, BPE, WORD))


def _write(folder):
    for _ in range(10):
        assert same(
            cached_encode(EXAMPLES, BPE, WORD, cache_dir=folder), encode(EXAMPLES, BPE, WORD)
        )
        for path in folder.glob("pairs-*"):
            path.unlink(missing_ok=True)
    cached_encode(EXAMPLES, BPE, WORD, cache_dir=folder)


def test_pairs_of_other_texts_that_lie_in_the_cache_under_the_name_of_these_are_not_taken(tmp_path):
    cached_encode(EXAMPLES, BPE, WORD, cache_dir=tmp_path / "these")
    cached_encode(EXAMPLES[::-1], BPE, WORD, cache_dir=tmp_path / "others")
    (path,), (other,) = ((tmp_path / name).iterdir() for name in ("these", "others"))
    other.replace(path)
    fresh = encode(EXAMPLES, BPE, WORD)
    assert same(cached_encode(EXAMPLES, BPE, WORD, cache_dir=tmp_path / "these"), fresh)


def test_the_version_is_raised_where_a_text_is_encoded_otherwise():
    """Whoever changes how texts are normalized or cut, raises VERSION, and writes down what is then given."""
    texts = [
        "a b",
        " a\u00a0 b\u2028",
        "e\u0301 é",
        "▁a <unk></s>",
        "\ud800a\ufffd",
        "ﬁ ½ 😀",
        "\x1ca",
    ]
    pieces = {"char": sorted(set("".join(texts))), "word": ["a", "b", "é", "e\u0301", "<unk></s>"]}
    both = (Tokenizer(kind, (*SPECIAL_TOKENS, *known)) for kind, known in pieces.items())
    pairs = encode([{"source": text, "target": text} for text in texts], *both)
    found = json.dumps([[ids.tolist() for ids in side] for side in (pairs.source, pairs.target)])
    known = {3: "2b8364d0f3797bd7"}
    assert known[encoded.VERSION] == hashlib.sha256(found.encode()).hexdigest()[:16]
