"""Corpora by name: one way to say split and language, and wrong words are told with the right ones."""

import hashlib
import json
import pathlib
import subprocess
import sys

import pytest

from attention_lab.data import sources
from attention_lab.data.parallel_sources import swapped
from attention_lab.data.sources import DATASETS, SPLITS, digest_of, load

ROOT = pathlib.Path(__file__).parents[2]
DATA = ROOT.parent / "shared" / "data"
needs_data = pytest.mark.skipif(not DATA.exists(), reason="the corpora are not beside the project")
LINKED = {"id": 1, "src": "a b", "tgt": "c d e", "align": "0-2 1-0"}


@pytest.fixture
def folder(tmp_path):
    """A small corpus in every layout: each side says which file it came from."""
    for stem in ("train", "val", "test_2016_flickr"):
        for language in ("de", "en", "fr"):
            (tmp_path / f"{stem}.{language}.gz").write_text(f"{stem} {language}\n")
    for stem in ("train", "valid", "test"):
        (tmp_path / f"{stem}.tsv.gz").write_text(f"{stem} en\t{stem} fr\n")
        (tmp_path / f"{stem}.jsonl.gz").write_text(json.dumps(LINKED) + "\n")
    return tmp_path


def message_of(*args, **options):
    with pytest.raises(ValueError) as caught:
        load(*args, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_splits_have_one_name_whatever_the_files_are_called(folder):
    stems = {"train": "train", "validation": "val", "test": "test_2016_flickr"}
    for split in SPLITS:
        (pair,) = load("multi30k", split, path=folder)
        assert pair == {"source": f"{stems[split]} de", "target": f"{stems[split]} en"}
    for split, stem in zip(SPLITS, ("train", "valid", "test"), strict=True):
        (pair,) = load("tatoeba", split, path=str(folder))
        assert pair == {"source": f"{stem} en", "target": f"{stem} fr"}


def test_languages_may_be_chosen(folder):
    (pair,) = load("multi30k", "train", path=folder, source="en", target="fr")
    assert pair == {"source": "train en", "target": "train fr"}
    (pair,) = load("tatoeba", "train", path=folder, source="fr", target="en")
    assert pair == {"source": "train fr", "target": "train en"}


def test_links_turn_with_the_languages(folder):
    (there,) = load("greek_nt", "test", path=folder)
    (back,) = load("greek_nt", "test", path=folder, source="en", target="grc")
    assert there == {"id": 1, "source": "a b", "target": "c d e", "links": [(0, 2), (1, 0)]}
    assert back == {"id": 1, "source": "c d e", "target": "a b", "links": [(2, 0), (0, 1)]}


def test_swapping_twice_changes_nothing():
    example = {
        "source": "l'eau",
        "target": "water",
        "source_words": ["l'", "eau"],
        "target_words": ["water"],
        "links": [(1, 0)],
        "note": 3,
    }
    turned = swapped(example)
    assert turned["source_words"] == ["water"] and turned["target_words"] == ["l'", "eau"]
    assert turned["note"] == 3 and swapped(turned) == example


def test_unpacked_files_do_as_well(folder):
    packed = folder / "train.tsv.gz"
    packed.rename(folder / "train.tsv")
    assert len(load("tatoeba", "train", path=folder)) == 1


@pytest.mark.parametrize(
    "name, split, options, why",
    [
        (
            "multi30",
            "train",
            {},
            "no dataset 'multi30'; did you mean 'multi30k'? known are rosetta",
        ),
        ("zzz", "train", {}, "no dataset 'zzz'; known are"),
        ("multi30k", "valid", {}, "no split of multi30k 'valid'; did you mean 'validation'? known"),
        ("rosetta", "test_lnog", {}, "did you mean 'test_long'"),
        ("multi30k", "train", {}, "multi30k has options path, source, target: missing"),
        ("multi30k", "train", {"paht": "."}, "no option of multi30k 'paht'; did you mean 'path'?"),
        ("multi30k", "train", {"source": "en"}, "both 'en'"),
        ("multi30k", "train", {"source": "cs"}, "train.cs.gz; beside it lie"),
        (
            "multi30k",
            "train",
            {"path": "no/where"},
            "there is no folder no/where with train.de in it; set the option path",
        ),
        ("tatoeba", "train", {"source": "de"}, "en and fr, in either order, not 'de' and 'fr'"),
        ("greek_nt", "train", {"target": "grc"}, "grc and en, in either order"),
    ],
)
def test_what_does_not_exist_is_reported_with_what_does(folder, name, split, options, why):
    if "source" in options or "target" in options:
        options = {"path": folder, **options}
    assert why in message_of(name, split, **options)


def test_your_own_files_are_named_by_a_pattern(folder):
    (folder / "own.train.tsv").write_text("a\tb\n")
    path = str(folder / "own.{split}.tsv")
    assert load("files", "train", path=path) == ({"source": "a", "target": "b"},)
    assert load("files", "train", path=path, columns=(1, 0))[0]["source"] == "b"
    pair = {"source": folder / "{split}.de.gz", "target": folder / "{split}.fr.gz"}
    assert load("files", "test_2016_flickr", **pair)[0]["target"] == "test_2016_flickr fr"
    (folder / "train.links").write_text("1-0\n")
    assert load("files", "train", **pair, links=folder / "{split}.links")[0]["links"] == [(1, 0)]


def test_your_own_validation_files_may_be_called_as_they_are(folder):
    path = folder / "{split}.own.tsv"
    assert "validation.own.tsv" in message_of("files", "validation", path=path)
    (folder / "dev.own.tsv").write_text("a\tb\n")
    assert load("files", "validation", path=path) == ({"source": "a", "target": "b"},)
    (folder / "val.own.tsv").write_text("c\td\n")
    assert "exists for val and dev" in message_of("files", "validation", path=path)


@pytest.mark.parametrize(
    "options, why",
    [
        ({}, "files needs path="),
        ({"source": "x.{split}"}, "files needs path="),
        ({"target": "x.{split}"}, "files needs path="),
        ({"path": "x.{split}", "source": "x.{split}", "target": "x"}, "files needs path="),
        ({"path": "x.{split}", "target": "x.{split}"}, "files needs path="),
        ({"path": ""}, "has no {split}"),
        ({"path": "x.tsv"}, "x.tsv has no {split}"),
        ({"source": "x.{split}", "target": "x.en"}, "x.en has no {split}"),
    ],
)
def test_patterns_that_do_not_fit_are_reported(options, why):
    assert why in message_of("files", "train", **options)


def test_naming_the_datasets_loads_no_tokenizer_and_no_corpus():
    code = "import sys, attention_lab.data.sources; print(*sys.modules)"
    loaded = subprocess.check_output([sys.executable, "-c", code], cwd=ROOT, text=True).split()
    assert not {"sentencepiece", "attention_lab.data.rosetta"} & set(loaded)


def test_the_registry_cannot_be_changed_by_accident():
    with pytest.raises(TypeError):
        DATASETS["mine"] = DATASETS["files"]


@needs_data
@pytest.mark.parametrize(
    "name, folder, counts",
    [
        ("multi30k", "multi30k", (29000, 1014, 1000)),
        ("tatoeba", "tatoeba_fr_en", (137764, 2196, 2827)),
        ("greek_nt", "greek_nt_en", (6689, 334, 473)),
    ],
)
def test_the_real_corpora_are_whole(name, folder, counts):
    sources = [load(name, split, path=DATA / folder) for split in SPLITS]
    assert tuple(map(len, sources)) == counts
    assert all(isinstance(source[0]["source"], str) for source in sources)


def test_all_that_models_are_trained_and_evaluated_on_changes_the_digest():
    one = {"source": "a b", "target": "c d", "links": [(0, 1), (1, 0)]}
    others = [
        {**one, **fields}
        for fields in (
            {"source": "a  b"},
            {"target": "c"},
            {"links": [(0, 1)]},
            {"links": []},
            {"source_words": ["a b"]},
            {"target_words": ["c d"]},
            {"source": "a b\n", "target": "\ud800"},
        )
    ]
    others.append({"source": "a b", "target": "c d"})
    others += [
        {**one, name: value}
        for name, values in {
            "text": ("a b", "a b\n"),
            "targets": (["c d"], ["c d", "e"], ["e", "c d"]),
            "sentence_of": ([0, 0], [0, 1]),
            "supporting": ([0], [1], [0, 1], []),
        }.items()
        for value in values
    ]
    others += [{"text": "a b"}, {"text": "a b", "targets": []}]
    given = [[one], *([other] for other in others), [], [one, one], [one, others[0]]]
    assert len({digest_of(examples) for examples in given}) == len(given)
    alike = {**one, "id": 7, "links": [[1, 0], [0, 1]]}
    assert digest_of([alike]) == digest_of(iter([one]))


def test_the_digests_of_translation_examples_stay_the_same():
    """Runs know their data by them."""
    linked = {
        "source": "l'eau",
        "target": "water",
        "source_words": ["l'", "eau"],
        "links": [(1, 0)],
    }
    rows = (
        b'["a b", "c d", null, null, null]\n["l\'eau", "water", ["l\'", "eau"], null, [[1, 0]]]\n'
    )
    assert (
        digest_of([{"source": "a b", "target": "c d"}, linked]) == hashlib.sha256(rows).hexdigest()
    )


def test_gold_and_text_belong_to_the_digest_and_change_nothing_where_there_is_none():
    one = {"source": "a b", "target": "c d", "links": [(0, 1), (1, 0)]}
    row = json.dumps(["a b", "c d", None, None, [[0, 1], [1, 0]]]).encode() + b"\n"
    assert digest_of([one]) == hashlib.sha256(row).hexdigest()
    more = {"sentence_of": [0, -1], "supporting": [0], "targets": ["c d", "e"], "text": "f"}
    given = [one, *({**one, name: value} for name, value in more.items()), {**one, **more}]
    given += [{**one, "supporting": []}, {**one, "sentence_of": [0, 0]}, {"text": "f"}]
    assert len({digest_of([example]) for example in given}) == len(given)


def test_a_size_may_be_that_of_some_splits(tmp_path):
    def sizes(size):
        options = {"vocabulary": 2, "longest": 8, "size": size}
        return [
            len(sources.opened("rosetta", split, options, tmp_path)) for split in ("train", "test")
        ]

    assert sizes({"train": 30}) == [30, 1000] and sizes({"train": 30, "test": 20}) == [30, 20]
    assert sizes(25) == [25, 25]
    with pytest.raises(ValueError, match=r"rosetta size: .*'tset'; did you mean 'test'"):
        sizes({"tset": 3})
    for size in ("x", {"train": 2.5}, [3], True):
        with pytest.raises(ValueError, match="must be a whole number, or a dict of those"):
            sizes(size)
    beside = sources.dataset("rosetta").beside(["test"], {"size": {"train": 3}}, tmp_path)
    with beside:
        assert not [path for path in tmp_path.iterdir() if "test_long" in path.name]
