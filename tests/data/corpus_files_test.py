"""Files of corpora are found under either name, and what is wrong with them is reported with its place."""

import gzip
import os

import pytest

from attention_lab.data.corpus_files import (
    checked,
    field,
    first_of,
    held_out,
    matching,
    part_of,
    plain_or_gzipped,
    rows_of,
    spelled,
)


def message_of(function, *args):
    with pytest.raises(ValueError) as caught:
        function(*args)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_the_first_name_that_exists_is_taken_gzipped_or_not(tmp_path):
    (tmp_path / "en").mkdir()
    (tmp_path / "b.txt.gz").write_bytes(b"")
    (tmp_path / "en" / "qa2_x.txt").write_bytes(b"")
    (tmp_path / "en" / "qa1_x.txt.gz").write_bytes(b"")
    assert first_of(tmp_path, "a.txt", "b.txt", "en/*.txt") == tmp_path / "b.txt.gz"
    assert first_of(tmp_path, "en/qa1_*.txt", "b.txt") == tmp_path / "en" / "qa1_x.txt.gz"
    (tmp_path / "b.txt").write_bytes(b"")
    assert first_of(tmp_path, "b.txt") == tmp_path / "b.txt"
    assert plain_or_gzipped(tmp_path, "b.txt") == tmp_path / "b.txt.gz"
    assert plain_or_gzipped(tmp_path, "a.txt") == tmp_path / "a.txt.gz"
    message = message_of(first_of, tmp_path, "en", "c.txt")  # a folder is no file
    assert message.startswith(f"{tmp_path} has no en or c.txt, gzipped or not; set the option path")
    message = message_of(first_of, tmp_path / "no", "a.txt", "c.txt")
    assert f"there is no folder {tmp_path / 'no'} with a.txt or c.txt in it" in message


def test_patterns_match_files_in_the_order_of_their_names(tmp_path):
    for name in ("b", "a", "[a]", "ab"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "a").write_bytes(b"")
    assert [path.name for path in matching(f"{tmp_path}/*")] == ["[a]", "a", "ab", "b"]
    assert [path.name for path in matching(f"{tmp_path}/a?")] == ["ab"]
    assert matching(f"{tmp_path}/[a]") == [tmp_path / "[a]"]
    assert len(matching(f"{tmp_path}/**/a")) == 2 and not matching(f"{tmp_path}/no/*")


@pytest.mark.parametrize("name", ["validation", "valid", "val", "dev"])
def test_validation_is_called_as_the_file_is(tmp_path, name):
    pattern = os.fspath(tmp_path / "x.{split}.txt")
    assert spelled("validation", pattern) == "validation"
    (tmp_path / f"x.{name}.txt").write_bytes(b"")
    assert spelled("validation", pattern) == name and spelled("valid", pattern) == "valid"
    (tmp_path / "x.dev.txt").write_bytes(b"")
    if name != "dev":
        assert f"exists for {name} and dev, but" in message_of(spelled, "validation", pattern)


def test_rows_are_objects_and_blank_lines_are_none(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_bytes(gzip.compress(b'{"a": 1}\r\n\n  \n{"a": 2}'))
    assert list(rows_of(path, lambda row: row["a"])) == [1, 2]
    for line, why in ((b"3", "it must be an object, not 3"), (b"{", "invalid JSON: Expecting")):
        path.write_bytes(b"{}\n\n" + line)
        assert f"{path}:3: {why}" in message_of(list, rows_of(path, len))
    path.write_bytes(b"[" * 10**5)
    assert f"{path}:1: invalid JSON" in message_of(list, rows_of(path, len))


def test_fields_have_kinds():
    row = {"b": "x", "c": True, "n": 3}
    assert field(row, str, "a", "b") == "x" and field(row, int, "n") == 3
    assert message_of(field, row, str, "d", "e") == "there is no 'd' or 'e'"
    assert message_of(field, row, int, "c") == "'c' must be a whole number, not True"
    assert message_of(checked, [1] * 99, str, "it").startswith("it must be a text, not [1, 1,")
    assert len(message_of(checked, "x" * 999, list, "it")) < 100


@pytest.mark.parametrize("count", [0, 1, 9, 10, 19, 20, 105])
def test_a_tenth_is_held_out_and_nothing_is_lost(count):
    items = list(range(count))
    train, validation = part_of(items, "train"), part_of(items, "validation")
    assert sorted(train + validation) == items and len(validation) == count // 10
    assert validation == held_out(count) == [i for i in items if i % 10 == 9]
