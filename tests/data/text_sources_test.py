"""Texts for language models: exact, cut at one place, and divided into documents as asked."""

import gzip

import pytest

from attention_lab.data.sources import SPLITS, load
from tests.data.sources_test import DATA, message_of, needs_data

TEXT = "One  two\n three.\n\n \n\tFour\r\nfive\n\n\nsix"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "own.train.txt").write_bytes(TEXT.encode())
    (tmp_path / "own.val.txt.gz").write_bytes(gzip.compress(b"sept\n"))
    for name in ("b", "a", "[c]"):
        (tmp_path / "train").mkdir(exist_ok=True)
        (tmp_path / "train" / f"{name}.txt").write_text(f"{name}\n\n{name}2")
    return tmp_path


def texts(*args, **options):
    return [example["text"] for example in load(*args, **options)]


def test_a_text_is_exact(folder):
    assert load("text_files", "train", path=folder / "own.{split}.txt") == ({"text": TEXT},)
    assert texts("text_files", "validation", path=f"{folder}/own.{{split}}.txt.gz") == ["sept\n"]


def test_documents_are_files_paragraphs_or_lines(folder):
    path = f"{folder}/own.{{split}}.txt"
    paragraphs = ["One  two\n three.", "\tFour\nfive", "six"]
    assert texts("text_files", "train", path=path, documents="paragraph") == paragraphs
    lines = ["One  two", " three.", "\tFour", "five", "six"]
    assert texts("text_files", "train", path=path, documents="line") == lines


def test_several_files_are_in_the_order_of_their_names(folder):
    path = f"{folder}/{{split}}/*.txt"
    assert texts("text_files", "train", path=path) == ["[c]\n\n[c]2", "a\n\na2", "b\n\nb2"]
    parts = ["[c]", "[c]2", "a", "a2", "b", "b2"]
    assert texts("text_files", "train", path=path, documents="paragraph") == parts
    bracketed = f"{folder}/{{split}}/[c].txt"
    assert texts("text_files", "train", path=bracketed) == ["[c]\n\n[c]2"]


def test_one_file_is_cut_into_what_is_for_training_and_the_rest(folder):
    def cut(split, fraction):
        path = folder / "own.train.txt"
        return "".join(texts("text_files", split, path=path, train_fraction=fraction))

    for fraction in (0.1, 0.5, 0.99):
        train, validation = cut("train", fraction), cut("validation", fraction)
        assert train + validation == TEXT and len(train) == int(fraction * len(TEXT))
        assert cut("test", fraction) == validation


@pytest.mark.parametrize(
    "options, why",
    [
        ({"path": "own.txt"}, "own.txt: put {split} into the path, if each split has its own files; or"),
        ({"path": "own.{split}.txt", "train_fraction": 0.9}, "or else set train_fraction=0.9"),
        ({"path": "own.train.txt", "train_fraction": 1.5}, "between 0 and 1, not 1.5"),
        ({"path": "own.train.txt", "train_fraction": "a"}, "between 0 and 1, not 'a'"),
        ({"path": "onw.{split}.txt"}, "onw.train.txt; beside it lie own.train.txt"),
        ({"path": "{split}/*.text"}, "there is no file"),
        ({"path": "own.{split}.txt", "documents": "paragraphs"}, "did you mean 'paragraph'?"),
        ({"path": "blank.{split}.txt"}, "blank.train.txt has no text"),
        ({"path": "bytes.{split}.txt"}, "bytes.train.txt:2: byte 0xff is not UTF-8 text"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_your_texts_is_one_line(folder, options, why):
    (folder / "blank.train.txt").write_text(" \n\n")
    (folder / "bytes.train.txt").write_bytes(b"a\n\xff")
    message = message_of("text_files", "train", **{**options, "path": folder / options["path"]})
    assert why in message


@pytest.mark.parametrize("name", ["input.txt", "tinyshakespeare.txt", "tinyshakespeare.txt.gz"])
def test_the_last_tenth_of_shakespeare_is_validation_and_test(tmp_path, name):
    text = "First Citizen:\nBefore we proceed any further, hear me speak.\n\n" * 7
    packed = gzip.compress if name.endswith(".gz") else bytes
    (tmp_path / name).write_bytes(packed(text.encode()))
    train, validation, test = (load("shakespeare", split, path=tmp_path) for split in SPLITS)
    assert len(train) == len(validation) == 1 and validation == test
    assert train[0]["text"] + validation[0]["text"] == text
    assert len(train[0]["text"]) == int(0.9 * len(text))


def test_a_folder_without_shakespeare_is_reported(tmp_path):
    message = message_of("shakespeare", "train", path=tmp_path)
    assert f"{tmp_path} has no tinyshakespeare.txt or input.txt, gzipped or not; set the" in message
    message = message_of("shakespeare", "train", path=tmp_path / "no")
    assert "there is no folder" in message and "tinyshakespeare.txt or input.txt in it" in message
    assert "no split of shakespeare 'valid'" in message_of("shakespeare", "valid", path=tmp_path)


@needs_data
def test_shakespeare_has_the_characters_that_everyone_counts():
    train, validation, test = (load("shakespeare", split, path=DATA / "chat") for split in SPLITS)
    assert len(train[0]["text"]) == 1_003_854 and len(validation[0]["text"]) == 111_540
    assert test == validation
    assert train[0]["text"].startswith("First Citizen:\nBefore we proceed any further, hear me")
    assert validation[0]["text"].startswith("?\n\nGREMIO:\nGood morrow, neighbour Baptista.")


@needs_data
def test_wikitext_is_read_as_a_text_of_your_own():
    path = DATA / "text" / "wikitext2_{split}.txt.gz"
    (validation,) = load("text_files", "validation", path=path)
    assert validation["text"].startswith(" \n = Homarus gammarus = \n \n Homarus gammarus , known")
    assert len(load("text_files", "test", path=path, documents="paragraph")) == 1320
