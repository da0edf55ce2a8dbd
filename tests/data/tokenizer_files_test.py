"""Tokenizers on disk: whole, equal, and damage is told."""

import copy
import json
import os
import pickle

import pytest

from attention_lab.data import tokenizer_files as tokenizers
from attention_lab.data.tokenizer_files import cached, from_bytes, load, save, to_bytes
from tests.data.small import SENTENCES, TRAINED, every_kind


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


def test_a_damaged_file_is_reported_wherever_the_damage_is(tmp_path):
    path = tmp_path / "tokenizer.json"
    good = to_bytes(TRAINED["bpe"])
    for place in range(0, len(good), max(1, len(good) // 60)):
        path.write_bytes(good[:place] + bytes([good[place] ^ 1]) + good[place + 1 :])
        with pytest.raises(ValueError, match="damaged or not a tokenizer; train it again"):
            load(path)
    for wrong in (good[:-1], b"", b"[]", b"{}", b"[" * 100_000, b"\xff\xfe", os.urandom(100)):
        path.write_bytes(wrong)
        with pytest.raises(ValueError, match=r"tokenizer\.json is damaged") as caught:
            load(path)
        assert "\n" not in str(caught.value)


def test_a_missing_file_or_a_folder_is_reported(tmp_path):
    with pytest.raises(
        ValueError, match=r"no tokenizer can be read from .*none\.json: No such file"
    ):
        load(tmp_path / "none.json")
    with pytest.raises(ValueError, match="Is a directory"):
        load(tmp_path)


def test_a_file_of_another_version_is_reported(monkeypatch):
    monkeypatch.setattr(tokenizers, "VERSION", 7)
    data = to_bytes(TRAINED["char"])
    assert json.loads(data)["version"] == 7
    monkeypatch.undo()
    with pytest.raises(ValueError, match="old is a tokenizer of version 7, and this program reads"):
        from_bytes(data, name="old")


def test_a_file_from_before_letters_had_one_form_is_reported(monkeypatch):
    monkeypatch.setattr(tokenizers, "VERSION", 1)
    old = to_bytes(TRAINED["bpe"])
    monkeypatch.undo()
    with pytest.raises(ValueError, match="of version 1, and this program reads 3; train it again"):
        from_bytes(old)


def test_a_place_that_cannot_be_written_is_reported_and_left_clean(tmp_path):
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
    cached("char", SENTENCES, 350, tmp_path)
    assert cached("char", SENTENCES, 350, tmp_path, byte_fallback=True).byte_fallback
    assert len(list(tmp_path.iterdir())) == 7


def test_a_damaged_cache_is_trained_anew(tmp_path):
    first = cached("unigram", SENTENCES, 150, tmp_path)
    (path,) = tmp_path.iterdir()
    good = path.read_bytes()
    path.write_bytes(good[: len(good) // 2])
    assert cached("unigram", SENTENCES, 150, tmp_path) == first
    assert path.read_bytes() == good


def test_a_cache_that_cannot_be_written_is_done_without(tmp_path):
    (tmp_path / "file").touch()
    assert cached("bpe", SENTENCES, 150, tmp_path / "file") == TRAINED["bpe"]
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_the_cache_refuses_what_training_refuses(tmp_path):
    for kind, sentences in (("bpf", SENTENCES), ("bpe", []), ("bpe", "one string")):
        with pytest.raises(ValueError):
            cached(kind, sentences, 150, tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", ["bpe", "word"])
def test_a_tokenizer_of_other_text_that_lies_in_the_cache_under_the_name_of_this_one_is_not_taken(
    kind, tmp_path
):
    cached(kind, SENTENCES, 150, tmp_path)
    (path,) = tmp_path.iterdir()
    for foreign in (tokenizers.train(kind, SENTENCES[::2], 150), TRAINED["char"]):
        save(foreign, path)
        assert cached(kind, SENTENCES, 150, tmp_path) == TRAINED[kind]
    cached(kind, SENTENCES[::2], 150, tmp_path / "other")
    (other,) = (tmp_path / "other").iterdir()
    other.replace(path)
    assert cached(kind, SENTENCES, 150, tmp_path) == TRAINED[kind]


def test_another_version_is_reported_whatever_its_digest_is_of():
    content = {"version": 7, "kind": "char", "words": [], "sha256": "of something else"}
    with pytest.raises(ValueError, match="new is a tokenizer of version 7"):
        from_bytes(json.dumps(content).encode(), name="new")
