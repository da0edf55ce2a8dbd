"""Datasets of TFDS: ours are prepared and read back whole, official ones by name, all without TensorFlow."""

import pathlib
import subprocess
import sys

import pytest

from attention_lab.data.sources import load
from attention_lab.data.tfds_builders import prepare, prepare_official
from attention_lab.data.tfds_sources import load_library
from tests.data.sources_test import message_of

ROOT = pathlib.Path(__file__).parents[2]
NAME = "ted_hrlr_translate/pt_to_en"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A directory in which small corpora of ours have been prepared."""
    folder = tmp_path_factory.mktemp("tfds")
    splits = {
        split: load("rosetta", split, size=6) for split in ("train", "validation", "test_long")
    }
    prepare("rosetta", folder, splits)
    prepare("answers", folder, {"train": load("rosetta_answers", "train", size=9)})
    lines = [{"source": f"Wort {n}", "target": f"wörd {n}", "id": n} for n in range(20)]
    prepare("words", folder, {"train": lines, "dev": lines[:2]})
    return folder


def test_a_corpus_comes_back_whole_and_in_order(folder):
    for split in ("train", "validation", "test_long"):
        ours, theirs = load("rosetta", split, size=6), load("tfds:rosetta", split, data_dir=folder)
        assert len(theirs) == 6
        assert [theirs[n] for n in range(6)] == list(ours)


def test_the_gold_of_answers_comes_back(folder):
    theirs = load("tfds:answers", "train", data_dir=folder)
    assert [theirs[n] for n in range(9)] == list(load("rosetta_answers", "train", size=9))


def test_what_a_corpus_lacks_is_not_made_up(folder):
    words = load("tfds:words", "train", data_dir=folder)
    assert [words[n] for n in range(20)] == [
        {"source": f"Wort {n}", "target": f"wörd {n}"} for n in range(20)
    ]
    assert words[-1] == words[19]


def test_nothing_of_it_needs_tensorflow(folder):
    load("tfds:words", "train", data_dir=folder)
    assert "tensorflow" not in sys.modules


def test_splits_have_our_names_or_are_cut_out(folder):
    assert len(load("tfds:words", "validation", data_dir=folder)) == 2  # called dev there
    cut = load("tfds:words", "test", data_dir=folder, test="train[25%:50%]")
    assert [cut[n]["source"] for n in range(len(cut))] == [f"Wort {n}" for n in range(5, 10)]
    message = message_of("tfds:words", "test", data_dir=folder)
    assert "no split of tfds:words 'test'; known are" in message
    assert 'the option test may select a part of one, such as test="train[99%:]"' in message


def test_what_was_prepared_stays(folder):
    before = sorted(path.stat().st_mtime_ns for path in folder.rglob("*"))
    prepare("words", folder, {"train": [{"source": "another", "target": "one"}]})
    assert sorted(path.stat().st_mtime_ns for path in folder.rglob("*")) == before
    assert len(load("tfds:words", "train", data_dir=folder)) == 20


def test_a_full_disk_is_reported_and_leaves_nothing_half_written(tmp_path):
    code = (
        "import os, resource, sys; from attention_lab.data import tfds_builders; "
        "from attention_lab.data.tfds_sources import load_library; load_library(); "
        "resource.setrlimit(resource.RLIMIT_FSIZE, (2**16, 2**16)); "  # as good as a full disk
        "pairs = [{'source': os.urandom(99).hex(), 'target': ''} for _ in range(2000)]; "
        "tfds_builders.prepare('big', sys.argv[1], {'train': pairs})"
    )
    words = [sys.executable, "-c", code, tmp_path]
    result = subprocess.run(words, capture_output=True, text=True, cwd=ROOT)
    assert f"OSError: {tmp_path}/big/1.0.0 cannot be written: " in result.stderr
    assert "File too large" in result.stderr
    assert not list(tmp_path.glob("big/*"))


def test_an_official_dataset_is_read_as_its_config_names_the_languages(tmp_path):
    with load_library().testing.mock_data(num_examples=4):
        there = load(f"tfds:{NAME}", "train", data_dir=tmp_path)
        back = load(f"tfds:{NAME}", "train", data_dir=tmp_path, source="en")
        raw = load_library().data_source(NAME, split="train", data_dir=tmp_path)
        assert len(there) == len(back) == 4
        assert there[0] == {"source": str(raw[0]["pt"]), "target": str(raw[0]["en"])}
        assert back[0] == {"source": str(raw[0]["en"]), "target": str(raw[0]["pt"])}


def test_texts_other_than_two_languages_are_named(tmp_path):
    with load_library().testing.mock_data(num_examples=2):
        options = {"data_dir": tmp_path, "source": "article", "target": "publisher"}
        chosen = load("tfds:cnn_dailymail", "train", **options)[0]
        raw = load_library().data_source("cnn_dailymail", split="train", data_dir=tmp_path)[0]
        assert chosen == {"source": str(raw["article"]), "target": str(raw["publisher"])}
        assert "name two of" in message_of("tfds:cnn_dailymail", "train", source="id", target="id")
    message = message_of(f"tfds:{NAME}", "train", source="pt_br")
    assert message.endswith(f"there is no text in tfds:{NAME} 'pt_br'; known are en, pt")


@pytest.mark.parametrize(
    ("name", "why"),
    [
        (
            "ted_hrlr_translat/pt_to_en",
            "TFDS has no dataset 'ted_hrlr_translat'; the nearest names are",
        ),
        (
            "ted_hrlr_translate/pt_en",
            "ted_hrlr_translate of TFDS has no config 'pt_en'; the nearest",
        ),
        ("qqqq", "TFDS has no dataset 'qqqq'"),
    ],
)
def test_a_name_that_does_not_exist_is_reported_with_the_nearest(name, why, tmp_path):
    assert why in message_of(f"tfds:{name}", "train", data_dir=tmp_path)


def test_what_was_not_prepared_is_reported_with_the_command_that_does(tmp_path):
    message = message_of(f"tfds:{NAME}", "train", data_dir=tmp_path)
    assert message.endswith(
        f"python -m experiments.prepare tfds:{NAME} --data_dir={tmp_path} does that"
    )


def test_preparing_an_official_dataset_says_what_is_missing(tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ValueError, match="pip install tensorflow-cpu importlib_resources"):
        prepare_official(NAME, tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "splits", "why"),
    [
        ("Mine!", {"train": [{"source": "a", "target": "b"}]}, "is not a valid name of a dataset"),
        ("mine", {"train": []}, "the split train of mine is empty"),
    ],
)
def test_what_tfds_cannot_hold_is_reported(name, splits, why, tmp_path):
    with pytest.raises(ValueError, match=why):
        prepare(name, tmp_path, splits)
    assert not list(tmp_path.iterdir())
