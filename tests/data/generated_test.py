"""Corpora from the cache are the ones that would be generated, whatever happened to the cache."""

import functools
import multiprocessing
import os
import pathlib
import shutil

import pytest

from attention_lab.data import generated
from attention_lab.data.generated import CORPORA, cached, from_bytes, to_bytes
from attention_lab.data.rosetta import rosetta
from attention_lab.data.rosetta.words import Realized
from attention_lab.data.sources import load

SMALL = {"size": 30, "vocabulary": 2, "longest": 8}
STORIES = {"size": 30, "vocabulary": 4, "sentences": [5, 6]}
CASES = [
    ("rosetta", "train", SMALL),
    ("rosetta", "validation", {**SMALL, "seed": 1}),
    ("rosetta", "test_long", {"size": 12}),
    ("rosetta_headlines", "train", STORIES),
    ("rosetta_headlines", "test_long", {"size": 5}),
    ("rosetta_answers", "validation", {**STORIES, "questions": ["color", "where_thing"]}),
]


@pytest.fixture(autouse=True)
def nothing_in_memory():
    """Each test reads the disk, as a new process does."""
    forget()


@pytest.fixture
def never(monkeypatch):
    """A function after which nothing may be generated any more."""

    def failing(corpus):
        @functools.wraps(corpus.generate)
        def fail(*args, **options):
            raise AssertionError("it was generated anew")

        return corpus._replace(generate=fail)

    corpora = {name: failing(corpus) for name, corpus in CORPORA.items()}
    return lambda: monkeypatch.setattr(generated, "CORPORA", corpora)


def forget():
    generated._kept.cache_clear()


def again(split, options, folder, name="rosetta"):
    """What a new process gets."""
    forget()
    return list(cached(name, split, cache_dir=folder, **options))


def digest_of(split, options, name="rosetta"):
    return generated.digest_of(name, split, options)


@pytest.mark.parametrize("name, split, options", CASES)
def test_what_comes_from_the_cache_is_what_is_generated(name, split, options, tmp_path, never):
    fresh = list(load(name, split, **options))
    assert fresh == again(split, options, tmp_path / "new", name)
    never()
    assert fresh == again(split, options, tmp_path / "new", name)  # tuples and lists differ
    assert len(list((tmp_path / "new").iterdir())) == 1


def test_load_keeps_what_is_generated_where_it_is_reported_to(tmp_path, monkeypatch):
    fresh = load("rosetta", "test", **SMALL)
    assert not list(tmp_path.iterdir())
    assert list(load("rosetta", "test", cache_dir=tmp_path, **SMALL)) == list(fresh)
    (path,) = tmp_path.iterdir()
    kept = from_bytes(path.read_bytes(), digest_of("test", SMALL), Realized)
    path.write_bytes(to_bytes(kept[::-1], digest_of("test", SMALL)))  # read, rather than generated
    forget()
    assert list(load("rosetta", "test", cache_dir=tmp_path, **SMALL)) == list(fresh)[::-1]


def test_files_are_read_and_not_kept(tmp_path):
    (tmp_path / "train.tsv").write_text("a\tb\n", encoding="utf-8")
    pairs = load("files", "train", path=tmp_path / "{split}.tsv", cache_dir=tmp_path / "cache")
    assert len(pairs) == 1 and not (tmp_path / "cache").exists()


def test_what_cannot_be_generated_is_refused_and_leaves_nothing(tmp_path):
    for name, value, why in (
        ("size", 0, "expected 1 or more"),
        ("longest", 3, "expected 4 or more"),
        ("sise", 3, "did you mean 'size'"),
    ):
        with pytest.raises(ValueError, match=why):
            load("rosetta", "train", cache_dir=tmp_path, **{name: value})
    assert not list(tmp_path.iterdir())


def test_all_that_the_corpus_depends_on_changes_the_digest():
    given = [("train", {}), ("test", {}), ("train", {"size": 9}), ("train", {"seed": 9})]
    given += [("train", {"vocabulary": 9}), ("train", {"longest": 9})]
    assert len({digest_of(*each) for each in given}) == len(given)
    # What is left out has its default, which is the same corpus.
    assert digest_of("train", {"size": 24_000, "seed": 0, "vocabulary": None}) == digest_of(
        *given[0]
    )
    stories = [("train", {}), ("train", {"sentences": (5, 9)}), ("train", {"questions": ["color"]})]
    digests = {digest_of(*each, "rosetta_answers") for each in stories}
    assert len(digests) == 3 and digest_of("train", {}, "rosetta_headlines") not in digests
    # JSON makes lists of tuples.
    assert digest_of("train", {"sentences": [5, 9]}, "rosetta_answers") in digests


def test_another_grammar_changes_the_digest(monkeypatch, tmp_path):
    grammar = pathlib.Path(generated.package.__file__).parent
    copy = tmp_path / "rosetta"
    shutil.copytree(grammar, copy, ignore=shutil.ignore_patterns("__pycache__"))
    before = digest_of("train", SMALL)
    monkeypatch.setattr(generated.package, "__file__", str(copy / "__init__.py"))

    def now():
        generated._grammar.cache_clear()
        return digest_of("train", SMALL)

    try:
        found = [now()]
        (copy / "verbs.py").write_bytes((copy / "verbs.py").read_bytes() + b"\n")
        found.append(now())
        (copy / "verbs.py").rename(copy / "deeds.py")
        found.append(now())
    finally:
        generated._grammar.cache_clear()
    assert found[0] == before and len(set(found)) == 3


def test_a_damaged_file_is_made_anew(tmp_path, never):
    fresh = again("train", SMALL, tmp_path)
    (path,) = tmp_path.iterdir()
    whole = path.read_bytes()
    flips = range(0, len(whole), 211)
    damaged = [whole[:n] + bytes([whole[n] ^ 1]) + whole[n + 1 :] for n in flips]
    for data in (b"", whole[:20], whole[:-1], whole + b" ", *damaged):
        path.write_bytes(data)
        assert again("train", SMALL, tmp_path) == fresh
        assert path.read_bytes() == whole
    never()
    assert again("train", SMALL, tmp_path) == fresh


def test_pairs_of_another_corpus_under_the_name_of_this_are_not_taken(tmp_path):
    fresh = again("train", SMALL, tmp_path / "this")
    again("train", {**SMALL, "seed": 1}, tmp_path / "other")
    (path,), (other,) = ((tmp_path / name).iterdir() for name in ("this", "other"))
    other.replace(path)
    assert again("train", SMALL, tmp_path / "this") == fresh


@pytest.mark.skipif(os.getuid() == 0, reason="root may write everywhere")
def test_in_a_folder_that_is_read_only_it_is_done_without(tmp_path):
    tmp_path.chmod(0o500)
    try:
        assert again("train", SMALL, tmp_path) == list(rosetta("train", **SMALL))
    finally:
        tmp_path.chmod(0o700)
    assert not list(tmp_path.iterdir())


def test_where_nothing_can_be_written_it_is_done_without(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    fresh = list(rosetta("train", **SMALL))
    assert again("train", SMALL, tmp_path / "file") == fresh
    assert [path.name for path in tmp_path.iterdir()] == ["file"]

    def full(path, target):
        raise OSError("no space left on device")

    monkeypatch.setattr(pathlib.Path, "replace", full)
    assert again("train", SMALL, tmp_path / "full") == fresh
    assert not list((tmp_path / "full").iterdir())  # no draft is left behind


def test_two_processes_that_write_at_once_are_harmless(tmp_path):
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=_write, args=(tmp_path,)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * 4
    (path,) = tmp_path.iterdir()
    kept = from_bytes(path.read_bytes(), digest_of("train", SMALL), Realized)
    assert kept == tuple(rosetta("train", **SMALL).pairs)


def _write(folder):
    fresh = list(rosetta("train", **SMALL))
    for _ in range(10):
        assert again("train", SMALL, folder) == fresh
        for path in folder.glob("rosetta-*"):
            path.unlink(missing_ok=True)
    again("train", SMALL, folder)
