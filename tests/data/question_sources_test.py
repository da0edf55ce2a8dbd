"""bAbI: stories, questions, answers and the facts that know them, from either layout of the files."""

import gzip
import json

import pytest

from attention_lab.data.sentences import sentences_of
from attention_lab.data.sources import SPLITS, load
from attention_lab.data.words import words_in
from tests.data.sources_test import DATA, message_of, needs_data

FACTS = ["Mary moved to the bathroom.", "John went to the hallway.", "Mary got the milk there."]
ROW = {
    "task": 1,
    "name": "single-supporting-fact",
    "split": "train",
    "facts": FACTS,
    "qs": [
        {"after": 2, "q": "Where is Mary?", "a": "bathroom", "sup": [0]},
        {"after": 3, "q": "What is Mary carrying?", "a": "milk,apple", "sup": [2, 0]},
    ],
}
LINES = """1 Mary moved to the bathroom.
2 John went to the hallway.
3 Where is Mary? \tbathroom\t1
4 Mary got the milk there.
5 What is Mary carrying? \tmilk,apple\t4 1
"""
TOLD = "Mary moved to the bathroom . John went to the hallway . Mary got the milk there ."
EXAMPLES = [
    {
        "source": "Mary moved to the bathroom. John went to the hallway. Where is Mary?",
        "target": "bathroom",
        "source_words": [*TOLD.split()[:12], "Where", "is", "Mary", "?"],
        "target_words": ["bathroom"],
        "sentence_of": [0] * 6 + [1] * 6 + [-1] * 4,
        "supporting": [0],
    },
    {
        "source": f"{' '.join(FACTS)} What is Mary carrying?",
        "target": "milk,apple",
        "source_words": [*TOLD.split(), "What", "is", "Mary", "carrying", "?"],
        "target_words": ["milk", ",", "apple"],
        "sentence_of": [0] * 6 + [1] * 6 + [2] * 6 + [-1] * 5,
        "supporting": [2, 0],
    },
]


def write(folder, rows, name="babi_en.jsonl"):
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / f"{name}.gz").write_bytes(gzip.compress(lines.encode()))
    return folder


def named(number, **fields):
    """The row of a story that is known by its answer."""
    questions = [{"after": 1, "q": "Where is Mary?", "a": f"place{number}", "sup": [0]}] * 2
    return {**ROW, "qs": questions, **fields}


def answers(split, folder, **options):
    return [example["target"] for example in load("babi", split, path=folder, **options)]


def test_each_question_is_an_example_with_the_facts_before_it(tmp_path):
    write(tmp_path, [ROW])
    assert list(load("babi", "train", path=tmp_path, task=1, size="1k")) == EXAMPLES


def test_the_files_of_the_authors_are_the_same_examples(tmp_path):
    (tmp_path / "en").mkdir()
    (tmp_path / "en" / "qa1_single-supporting-fact_test.txt").write_text(LINES * 2)
    (tmp_path / "en" / "qa10_indefinite-knowledge_test.txt").write_text("1 Nothing.\n")
    assert list(load("babi", "test", path=tmp_path, task=1, size="1k")) == EXAMPLES * 2


def test_every_tenth_story_is_held_out(tmp_path):
    write(tmp_path, [named(n) for n in range(25)])
    train = answers("train", tmp_path, task=1, size="1k")
    validation = answers("validation", tmp_path, task=1, size="1k")
    assert validation == ["place9", "place9", "place19", "place19"]  # both questions of a story
    assert train == [f"place{n}" for n in range(25) for _ in range(2) if n not in (9, 19)]


def test_tasks_sizes_and_splits_are_told_apart(tmp_path):
    rows = [named(1), named(2, task=2), named(3, split="test"), named(4, task=2, split="test")]
    write(tmp_path, rows)
    write(tmp_path, [named(5)], "babi_en_10k.jsonl")
    assert answers("train", tmp_path, task=1, size="1k") == ["place1"] * 2
    assert answers("train", tmp_path, task=2, size="1k") == ["place2"] * 2
    assert answers("train", tmp_path, task=1) == ["place5"] * 2
    assert answers("test", tmp_path, task=1) == ["place3"] * 2
    assert answers("test", tmp_path, task=2, size="10k") == ["place4"] * 2
    message = message_of("babi", "train", path=tmp_path, task=2)
    assert message.endswith(
        "babi_en_10k.jsonl.gz has no train questions of task 2; it has those of 1"
    )


@pytest.mark.parametrize(
    "change, why",
    [
        ({"facts": None}, "'facts' must be a list, not None"),
        ({"facts": [3]}, "a fact must be a text, not 3"),
        ({"facts": ["a", " "]}, "a fact is empty"),
        ({"task": "1"}, "'task' must be a whole number, not '1'"),
        ({"task": True}, "'task' must be a whole number, not True"),
        ({"split": 1}, "'split' must be a text, not 1"),
        ({"qs": [7]}, "a question must be an object, not 7"),
        ({"qs": [{"after": 1, "a": "b", "sup": []}]}, "there is no 'q'"),
        ({"qs": [{"after": 1, "q": "c", "a": "", "sup": []}]}, "'a' is empty"),
        ({"qs": [{"after": 4, "q": "c", "a": "b", "sup": []}]}, "is after 4 facts, but the story has 3"),
        ({"qs": [{"after": 1, "q": "c", "a": "b", "sup": [1]}]}, "supporting facts [1], but follows 1"),
        ({"qs": [{"after": 1, "q": "c", "a": "b", "sup": [-1]}]}, "supporting facts [-1], but follows"),
        ({"qs": [{"after": 1, "q": "c", "a": "b", "sup": ["0"]}]}, "must be a whole number, not '0'"),
    ],
)  # fmt: skip
def test_a_row_of_another_format_is_reported_with_its_line(tmp_path, change, why):
    write(tmp_path, [ROW, {**ROW, **change}])
    message = message_of("babi", "train", path=tmp_path, task=1, size="1k")
    assert f"{tmp_path}/babi_en.jsonl.gz:2: " in message and why in message


@pytest.mark.parametrize(
    "lines, why",
    [
        ("1 A.\nB.\n", ":2: a line must be a number and a fact, or a number, a question, a tab"),
        ("1 A.\n2 B?\tc\n", ":2: a line must be a number and a fact"),
        ("2 A.\n", ":1: the first line of a story has the number 1, not 2"),
        ("1 A.\n2 B?\tc\t3\n", ":2: the supporting fact 3 is not the number of a fact before it"),
        ("1 A.\n2 B?\tc\tx\n", ":2: the supporting fact x is not the number of a fact before it"),
        ("1 A.\n2 B?\tc\t1\n3 D?\te\t2\n", ":3: the supporting fact 2 is not the number"),
        ("1 A.\n2 B?\t \t1\n", ":2: the answer is empty"),
        ("1 A.\n2 \tc\t1\n", ":2: the question is empty"),
        ("1\n", ":1: the fact is empty"),
    ],
)
def test_a_line_of_another_format_is_reported_with_its_number(tmp_path, lines, why):
    (tmp_path / "en-10k").mkdir()
    (tmp_path / "en-10k" / "qa3_three_train.txt").write_text(lines)
    assert f"qa3_three_train.txt{why}" in message_of("babi", "train", path=tmp_path, task=3)


@pytest.mark.parametrize(
    "options, why",
    [
        ({"task": 0}, "task must be a whole number from 1 to 20, not 0"),
        ({"task": 21}, "not 21"),
        ({"task": "1"}, "not '1'"),
        ({"task": 1, "size": "1000"}, "no size of babi '1000'"),
        ({"task": 3}, "has no babi_en_10k.jsonl or en-10k/qa3_*_train.txt, gzipped or not"),
        ({}, "missing a required argument: 'task'"),
    ],
)
def test_what_there_is_not_is_one_line(tmp_path, options, why):
    assert why in message_of("babi", "train", path=tmp_path, **options)


def original_lines(examples):
    """The examples of one task as lines of the authors' files, one story for each question."""
    for example in examples:
        facts = sentences_of(example)
        yield from (f"{n} {fact}" for n, fact in enumerate(facts, 1))
        asked = example["source"].removeprefix(" ".join(facts)).strip()
        support = " ".join(str(index + 1) for index in example["supporting"])
        yield f"{len(facts) + 1} {asked} \t{example['target']}\t{support}"


@needs_data
@pytest.mark.parametrize("task", [1, 2, 3, 5, 8])
def test_the_real_questions_are_whole(tmp_path, task):
    sources = [load("babi", split, path=DATA / "text", task=task, size="1k") for split in SPLITS]
    assert tuple(map(len, sources)) == (900, 100, 1000)
    for example in sources[2]:
        words = words_in(example, "source")
        assert len(words) == len(example["sentence_of"])
        sentences = sentences_of(example)
        assert all(sentences[index].endswith(".") for index in example["supporting"])
    # Written as the authors write them, they are read the same.
    (tmp_path / "en").mkdir()
    lines = "\n".join(original_lines(sources[2]))
    (tmp_path / "en" / f"qa{task}_any_test.txt").write_text(lines)
    assert load("babi", "test", path=tmp_path, task=task, size="1k") == sources[2]


@needs_data
def test_the_first_real_question_and_the_sizes_of_the_large_corpus():
    first = load("babi", "test", path=DATA / "text", task=1)[0]
    assert first["source"] == (
        "John travelled to the hallway. Mary journeyed to the bathroom. Where is John?"
    )
    assert first["target"] == "hallway" and first["supporting"] == [0]
    train, validation, test = (
        [example["source"] for example in load("babi", split, path=DATA / "text", task=4)]
        for split in SPLITS
    )
    assert (len(train), len(validation), len(test)) == (9000, 1000, 1000)
    known = {*train, *validation}
    # As in all published results: few stories of this task are possible.
    assert sum(source in known for source in test) == 741
    assert "no train questions of task 3; it has those of 1, 2, 4" in message_of(
        "babi", "train", path=DATA / "text", task=3
    )
