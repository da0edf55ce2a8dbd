"""SCAN and SciTLDR, from either layout of their files."""

import gzip
import json

import pytest

from attention_lab.data.sentences import sentences_of
from attention_lab.data.sources import SPLITS, digest_of, load
from attention_lab.data.text_to_text_sources import abstract
from attention_lab.data.words import words_in, words_of
from tests.data.sources_test import DATA, message_of, needs_data

COMMANDS = [f"walk {n}" for n in range(30)]
ROW = {
    "split": "train",
    "id": "x1",
    "title": "A  title",
    "source": ["We do  it.\n", " ", "It is 好的 ."],
    "oracle": [0, 0, 1],
    "rouge": [0.1, 0.0, 0.2],
    "target": ["Done. ", "It works."],
}
EXAMPLE = {
    "source": "We do it. It is 好的 .",
    "target": "Done.",
    "targets": ["Done.", "It works."],
    "source_words": ["We", "do", "it.", "It", "is", "好", "的", "."],
    "sentence_of": [0, 0, 0, 2, 2, 2, 2, 2],
    "supporting": [2],
    "title": "A title",
    "id": "x1",
}


def gold(command):
    return command.upper().replace(" ", "_")


def write_compact(folder, splits, commands=COMMANDS):
    rows = "".join(json.dumps({"in": c, "out": gold(c)}) + "\n" for c in commands)
    (folder / "scan_tasks.jsonl.gz").write_bytes(gzip.compress(rows.encode()))
    (folder / "scan_splits.json").write_text(json.dumps(splits))
    return folder


def commands(*args, **options):
    return [example["source"] for example in load("scan", *args, **options)]


def test_every_tenth_command_that_occurs_once_is_held_out(tmp_path):
    train = [0, 1, 2, 0, 3, 4, 5, 6, 7, 8, 9, 10, *range(12, 22), 0]
    write_compact(
        tmp_path, {"simple_split/train_simple": train, "simple_split/test_simple": [29, 11]}
    )
    once = [index for index in train if index]
    assert once[9::10] == [10, 21]
    assert commands("validation", path=tmp_path) == [COMMANDS[10], COMMANDS[21]]
    kept = [COMMANDS[index] for index in train if index not in (10, 21)]
    assert commands("train", path=tmp_path) == kept and kept.count(COMMANDS[0]) == 3
    assert load("scan", "test", path=tmp_path) == (
        {"source": "walk 29", "target": "WALK_29"},
        {"source": "walk 11", "target": "WALK_11"},
    )


def test_the_files_of_the_authors_are_the_same_pairs(tmp_path):
    splits = {"a_split/train_length": list(range(20)), "a_split/test_length": [25, 20]}
    compact, original = tmp_path / "compact", tmp_path / "original"
    (original / "a_split").mkdir(parents=True)
    compact.mkdir()
    write_compact(compact, splits)
    for name, indices in splits.items():
        lines = [f"IN: {COMMANDS[i]} OUT: {gold(COMMANDS[i])}\n" for i in indices]
        file = original / "a_split" / f"tasks_{name.removeprefix('a_split/')}.txt"
        file.write_text("".join(lines))
    for split in SPLITS:
        assert load("scan", split, path=compact, kind="length") == load(
            "scan", split, path=original, kind="length"
        )
    for folder in (original, compact):
        message = message_of("scan", "train", path=folder, kind="lenght")
        assert "no kind of scan 'lenght'; did you mean 'length'? known are length" in message


@pytest.mark.parametrize(
    "tasks, splits, why",
    [
        ("{}\n", "{}", "no kind of scan 'simple'; known are "),
        ("{}\n", '{"train_simple": [0]}', "scan_tasks.jsonl:1: there is no 'in'"),
        ('{"in": "a", "out": " "}\n', '{"train_simple": [0]}', "jsonl:1: 'out' is empty"),
        ('{"in": "a", "out": 1}\n', '{"train_simple": [0]}', "jsonl:1: 'out' must be a text, not 1"),
        ('{"in": "a", "out": "b"}\n', '{"train_simple": [1]}', "has the index 1, but"),
        ('{"in": "a", "out": "b"}\n', '{"train_simple": [-1]}', "has the index -1, but"),
        ('{"in": "a", "out": "b"}\n', '{"train_simple": [true]}', "has the index True, but"),
        ('{"in": "a", "out": "b"}\n', '{"train_simple": 0}', "json: 'train_simple' must be a list"),
        ('{"in": "a", "out": "b"}\n', "[", "scan_splits.json: invalid JSON"),
        ('{"in": "a", "out": "b"}\n', "[]", "scan_splits.json: it must be an object"),
    ],
)  # fmt: skip
def test_compact_commands_of_another_format_are_reported(tmp_path, tasks, splits, why):
    (tmp_path / "scan_tasks.jsonl").write_text(tasks)
    (tmp_path / "scan_splits.json").write_text(splits)
    assert why in message_of("scan", "train", path=tmp_path)


@pytest.mark.parametrize("line", ["walk OUT: W", "IN: walk", "IN: walk OUT: ", "IN:  OUT: W"])
def test_a_line_that_is_no_command_is_reported_with_its_number(tmp_path, line):
    (tmp_path / "tasks_train_simple.txt").write_text(f"IN: walk OUT: W\n{line}\n")
    message = message_of("scan", "train", path=tmp_path)
    assert (
        f"tasks_train_simple.txt:2: a line must be IN: command OUT: actions, not {line!r}"
        in message
    )


def test_a_folder_without_commands_is_reported(tmp_path):
    message = message_of("scan", "train", path=tmp_path)
    assert f"{tmp_path} has no scan_tasks.jsonl or tasks_train_*.txt or */tasks_train_*" in message


def test_an_abstract_is_one_text_whose_words_know_their_sentences():
    example = abstract(ROW)
    assert example == EXAMPLE
    assert sentences_of(example) == ["We do it.", "", "It is 好的 ."]
    assert words_in(example, "source") == words_of(example["source"])


def test_repeated_abstracts_are_left_out_of_later_splits(tmp_path):
    def row(split, name, text):
        return {**ROW, "split": split, "id": name, "source": [text], "oracle": [1]}

    rows = [
        row("train", "a", "One."),
        row("train", "b", "One."),
        row("test", "c", "Two."),
        row("valid", "d", " One. "),
        row("valid", "e", "Two."),
        row("test", "f", "One."),
        row("test", "g", "Six."),
        row("test", "h", "Six."),
    ]
    compact, original = tmp_path / "compact", tmp_path / "original"
    for folder in (compact, original):
        folder.mkdir()
    (compact / "scitldr_a.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    for name, stem in (("train", "train"), ("valid", "dev"), ("test", "test")):
        fields = {"oracle": "source_labels", "rouge": "rouge_scores", "id": "paper_id"}
        lines = [
            json.dumps({fields.get(key, key): value for key, value in r.items() if key != "split"})
            for r in rows
            if r["split"] == name
        ]
        (original / f"{stem}.jsonl").write_text("\n".join(lines))
    expected = {"train": "ab", "validation": "e", "test": "gh"}
    everything = {"train": "ab", "validation": "de", "test": "cfgh"}
    for folder in (compact, original):
        for split in SPLITS:
            examples = load("scitldr", split, path=folder)
            assert "".join(example["id"] for example in examples) == expected[split]
            examples = load("scitldr", split, path=folder, repeats=True)
            assert "".join(example["id"] for example in examples) == everything[split]
    assert digest_of(load("scitldr", "test", path=compact)) == digest_of(
        load("scitldr", "test", path=original)
    )


@pytest.mark.parametrize(
    "change, why",
    [
        ({"source": "text"}, "'source' must be a list, not 'text'"),
        ({"source": [1], "oracle": [1]}, "a sentence must be a text, not 1"),
        ({"source": [" "], "oracle": [1]}, "the source is empty"),
        ({"target": []}, "the summary is empty"),
        ({"target": ["a", " "]}, "the summary is empty"),
        ({"oracle": [1]}, "there are 1 labels for 3 sentences"),
        ({"split": None}, "'split' must be a text, not None"),
        ({"id": 7}, "'id' must be a text, not 7"),
    ],
)
def test_an_abstract_of_another_format_is_reported_with_its_line(tmp_path, change, why):
    lines = "".join(json.dumps(row) + "\n" for row in (ROW, {**ROW, **change}))
    (tmp_path / "scitldr_a.jsonl").write_text(lines)
    message = message_of("scitldr", "train", path=tmp_path)
    assert f"{tmp_path}/scitldr_a.jsonl:2: {why}" in message


def test_an_unknown_split_and_a_folder_without_abstracts_are_reported(tmp_path):
    message = message_of("scitldr", "validation", path=tmp_path)
    assert f"{tmp_path} has no scitldr_a.jsonl or dev.jsonl, gzipped or not" in message
    (tmp_path / "scitldr_a.jsonl").write_text(json.dumps({**ROW, "split": "dev"}))
    assert "no split 'dev'; known are train, valid, test" in message_of(
        "scitldr", "test", path=tmp_path
    )


@needs_data
@pytest.mark.parametrize(
    "kind, counts",
    [
        ("simple", (15_056, 1_672, 4_182)),
        ("length", (15_291, 1_699, 3_920)),
        ("addprim_jump", (13_350, 1_320, 7_706)),
        ("addprim_turn_left", (19_920, 1_970, 1_208)),
        ("template_around_right", (13_703, 1_522, 4_476)),
    ],
)
def test_the_real_commands_are_whole(kind, counts):
    parts = [commands(split, path=DATA / "text", kind=kind) for split in SPLITS]
    assert tuple(map(len, parts)) == counts
    train, validation, test = map(set, parts)
    assert not (train & validation or train & test or validation & test)
    if kind == "addprim_jump":
        assert parts[0].count("jump") == 1467
        first = load("scan", "test", path=DATA / "text", kind=kind)[0]
        assert first["source"] == "jump opposite right twice and turn opposite right thrice"
        assert first["target"].startswith("I_TURN_RIGHT I_TURN_RIGHT I_JUMP I_TURN_RIGHT")


@needs_data
def test_the_real_abstracts_are_whole():
    sources = [load("scitldr", split, path=DATA / "summarization") for split in SPLITS]
    assert tuple(map(len, sources)) == (1992, 618, 615)
    assert len(load("scitldr", "test", path=DATA / "summarization", repeats=True)) == 618
    for example in sources[2]:
        assert len(words_in(example, "source")) == len(example["sentence_of"])
        assert len(example["supporting"]) == 1 and sentences_of(example)[example["supporting"][0]]
    first = sources[0][0]
    assert first["source"].startswith("Due to the success of deep learning to solving a variety of")
    assert first["targets"] == [first["target"]] and first["supporting"] == [4]
    assert first["target"].startswith("We provide necessary and sufficient analytical forms")
