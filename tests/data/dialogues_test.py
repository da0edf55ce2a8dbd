"""Dialogues as texts: marks say who speaks, no turn contains one, and the turns can be read back."""

import gzip
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attention_lab.data.dialogues import MARKS, dialogue_text, plain, prompt_of, turns_of
from attention_lab.data.sources import SPLITS, load
from tests.data.sources_test import DATA, message_of, needs_data

TURNS = [
    {"speaker": "user", "text": "Hello!"},
    {"speaker": "system", "text": "Good morning."},
    {"speaker": "user", "text": "Bye."},
]
ROW = {
    "id": "1_00000",
    "services": ["Restaurants_1"],
    "turns": [
        {"s": "U", "u": "A table for\n2, please.", "f": [{"acts": []}]},
        {"s": "S", "u": "", "f": []},
    ],
}
ORIGINAL = {
    "dialogue_id": "1_00000",
    "turns": [
        {"speaker": "USER", "utterance": "A table for\n2, please.", "frames": []},
        {"speaker": "SYSTEM", "utterance": "", "frames": []},
    ],
}
EXAMPLE = {
    "text": "<user> A table for 2, please.\n<system>",
    "turns": [
        {"speaker": "user", "text": "A table for 2, please."},
        {"speaker": "system", "text": ""},
    ],
    "id": "1_00000",
}
said = st.text(st.sampled_from("ab <>\n\té"), max_size=9) | st.sampled_from(
    ["<user>", "a <system> b", "<<user>", "< user>", "<user", "<user><user>"]
)
dialogues = st.lists(
    st.fixed_dictionaries({"speaker": st.sampled_from(sorted(MARKS)), "text": said}), max_size=5
)


def test_each_turn_is_a_line_that_begins_with_the_mark_of_its_speaker():
    assert dialogue_text(TURNS) == "<user> Hello!\n<system> Good morning.\n<user> Bye."


def test_a_prompt_ends_with_the_mark_of_the_system():
    assert prompt_of(TURNS) == f"{dialogue_text(TURNS)}\n<system>"
    assert prompt_of([]) == "<system>"
    reply = " How may I help?\n<user> No more."
    assert turns_of(prompt_of(TURNS) + reply)[3]["text"] == "How may I help?"


@given(dialogues)
def test_turns_are_read_back_and_contain_no_marks(turns):
    expected = [{"speaker": turn["speaker"], "text": plain(turn["text"])} for turn in turns]
    text = dialogue_text(turns)
    assert turns_of(text) == expected
    assert turns_of(" ".join(text.split())) == expected  # of a tokenizer that keeps no line breaks
    assert dialogue_text(expected) == text
    assert not any(mark in turn["text"] for turn in expected for mark in MARKS.values())
    assert [text.count(mark) for mark in MARKS.values()] == [
        sum(turn["speaker"] == speaker for turn in turns) for speaker in MARKS
    ]


def test_text_before_the_first_mark_belongs_to_nobody():
    assert turns_of("... of it.\n<system> Yes.") == [{"speaker": "system", "text": "Yes."}]
    assert turns_of("") == []


def test_both_layouts_of_the_corpus_are_the_same_dialogues(tmp_path):
    compact, original = tmp_path / "compact", tmp_path / "original"
    for folder, stem in (("train", "train"), ("dev", "valid"), ("test", "test")):
        (original / folder).mkdir(parents=True)
        compact.mkdir(exist_ok=True)
        lines = "".join(json.dumps({**ROW, "id": f"{stem}{n}"}) + "\n" for n in range(3))
        (compact / f"sgd_{stem}.jsonl.gz").write_bytes(gzip.compress(lines.encode()))
        for number, part in (("002", [2]), ("001", [0, 1])):
            rows = [{**ORIGINAL, "dialogue_id": f"{stem}{n}"} for n in part]
            (original / folder / f"dialogues_{number}.json").write_text(json.dumps(rows, indent=1))
        (original / folder / "schema.json").write_text("[]")
    for split, stem in zip(SPLITS, ("train", "valid", "test"), strict=True):
        expected = tuple({**EXAMPLE, "id": f"{stem}{n}"} for n in range(3))
        assert load("sgd", split, path=compact) == load("sgd", split, path=original) == expected


@pytest.mark.parametrize(
    "line, why",
    [
        ("{", "invalid JSON"),
        ("[]", "it must be an object, not []"),
        ('{"id": "1"}', "there is no 'turns'"),
        ('{"id": "1", "turns": {}}', "'turns' must be a list, not {}"),
        ('{"id": "1", "turns": [1]}', "a turn must be an object, not 1"),
        ('{"id": "1", "turns": [{"s": "X", "u": "a"}]}', "the speaker is 'X', but must be U, S,"),
        ('{"id": "1", "turns": [{"s": "U"}]}', "there is no 'u' or 'utterance'"),
        ('{"id": "1", "turns": [{"s": "U", "u": 3}]}', "'u' must be a text, not 3"),
        ('{"id": "1", "turns": []}', "the dialogue has no text"),
        ('{"id": "1", "turns": [{"s": "U", "u": " "}]}', "the dialogue has no text"),
        ('{"turns": [{"s": "U", "u": "a"}]}', "there is no 'id' or 'dialogue_id'"),
    ],
)
def test_a_dialogue_of_another_format_is_reported_with_its_place(tmp_path, line, why):
    (tmp_path / "sgd_train.jsonl").write_text(f"{json.dumps(ROW)}\n\n{line}\n")
    assert f"{tmp_path}/sgd_train.jsonl:3: {why}" in message_of("sgd", "train", path=tmp_path)
    (tmp_path / "test").mkdir()
    file = tmp_path / "test" / "dialogues_001.json"
    file.write_text(f"[{json.dumps(ORIGINAL)}, {line}]")
    message = message_of("sgd", "test", path=tmp_path)
    place = f"{file}:" if line == "{" else f"{file}: dialogue 2:"
    assert f"{place} {why.replace('it must', 'the dialogue must')}" in message


def test_a_file_that_is_no_list_and_a_folder_without_dialogues_are_reported(tmp_path):
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "dialogues_001.json").write_text("{}")
    assert "dialogues_001.json: the file must be a list" in message_of(
        "sgd", "train", path=tmp_path
    )
    message = message_of("sgd", "validation", path=tmp_path)
    assert f"{tmp_path} has no sgd_valid.jsonl or dev/dialogues_*.json, gzipped or not" in message


@needs_data
@pytest.mark.parametrize(
    "split, count, empty",
    [pytest.param("train", 12_174, 0, marks=pytest.mark.slow), ("validation", 2_098, 0), ("test", 2_921, 2)],
)  # fmt: skip
def test_the_real_dialogues_are_whole(split, count, empty):
    source = load("sgd", split, path=DATA / "chat")
    assert len(source) == count
    silent = 0
    for example in source:
        turns = example["turns"]
        assert turns_of(example["text"]) == turns
        assert [turn["speaker"] for turn in turns] == ["user", "system"] * (len(turns) // 2)
        assert all(turn["text"] for turn in turns[:-1])
        silent += not turns[-1]["text"]
    assert silent == empty


@needs_data
def test_the_first_real_dialogue():
    text = load("sgd", "test", path=DATA / "chat")[0]["text"]
    assert text.startswith(
        "<user> Hi, could you get me a restaurant booking on the 8th please?\n<system> Any preference on the"
    )
