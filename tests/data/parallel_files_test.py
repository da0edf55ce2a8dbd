"""Files of pairs: line n answers line n, nothing is lost, what is wrong is told with its line."""

import gzip
import json
import pathlib
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attention_lab.data.parallel_files import blank, lines_of, read_lines, read_parallel
from attention_lab.data.words import words_in

DATA = pathlib.Path(__file__).parents[2].parent / "shared" / "data"
ODD = "a\u2028b\u2029c\x85d\x0be\x0cf\x1cg\rh"  # str.splitlines would make eight lines of it


@pytest.fixture
def put(tmp_path):
    """Writes a file, given as text or bytes, and says where."""

    def put(name, content):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return put


def message_of(*args, **options):
    with pytest.raises(ValueError) as caught:
        read_parallel(*args, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_line_n_of_one_file_goes_with_line_n_of_the_other(put):
    pairs = read_parallel(put("x.de", "eins\nzwei\n"), put("x.en", "one\ntwo"))
    assert pairs == (
        {"source": "eins", "target": "one"},
        {"source": "zwei", "target": "two"},
    )


def test_only_a_newline_ends_a_line(put):
    pairs = read_parallel(put("x.de", f"{ODD}\nzwei\n"), put("x.en", "one\ntwo\n"))
    assert [pair["source"] for pair in pairs] == [ODD, "zwei"]


@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize("last", [True, False])
def test_boms_carriage_returns_and_gzip_leave_no_trace(put, bom, end, pack, last):
    data = pack(bom + end.join(["größer".encode(), b"", b" b "]) + end * last)
    assert read_lines(put("x", data)) == ["größer", "", " b "]


def test_the_first_bytes_say_whether_a_file_is_gzipped_and_not_its_name(put):
    assert len(read_parallel(put("x.tsv.gz", "a\tb\n"))) == 1
    assert len(read_parallel(put("x.tsv", gzip.compress(b"a\tb\n")))) == 1


@settings(deadline=None, derandomize=True)
@given(st.lists(st.text(st.characters(exclude_characters="\n\0", exclude_categories=["Cs"]))))
def test_any_lines_come_back(tmp_path_factory, lines):
    path = tmp_path_factory.mktemp("lines") / "x"
    path.write_bytes("".join(line + "\n" for line in lines).encode())
    without_bom = [line.removeprefix("\ufeff") if i == 0 else line for i, line in enumerate(lines)]
    assert read_lines(path) == [line.removesuffix("\r") for line in without_bom]


def test_empty_files_have_no_pairs(put):
    assert read_parallel(put("x.de", ""), put("x.en", b"\xef\xbb\xbf")) == ()
    assert read_parallel(put("x.tsv", gzip.compress(b""))) == ()


def test_a_blank_line_is_reported_not_lost(put):
    pairs = read_parallel(put("x.de", "eins\n\n \ndrei\n\n"), put("x.en", "one\ntwo\n\n\u00a0\n\n"))
    assert len(pairs) == 5
    assert [blank(pair) for pair in pairs] == [False, True, True, True, True]
    assert [blank(pair) for pair in read_parallel(put("x.tsv", "a\tb\n\n\tb\na\t\n"))] == [
        False,
        True,
        True,
        True,
    ]
    assert [
        blank(pair) for pair in read_parallel(put("x.jsonl", '\n{"src": "a", "tgt": "b"}'))
    ] == [
        True,
        False,
    ]


def test_files_of_unequal_length_are_reported_with_both_counts(put):
    message = message_of(put("x.de", "a\nb\n"), put("x.en", "a\n\n\n"))
    assert "x.de has 2 lines" in message and "x.en has 3" in message


def test_bytes_that_are_not_utf8_are_reported_with_their_line(put):
    good = put("x.en", "a\nb\nc\n")
    assert "x.de:2: byte 0xfc is not UTF-8" in message_of(put("x.de", b"a\nM\xfcller\nc\n"), good)
    assert "x.de:3: byte 0x00 is not UTF-8" in message_of(put("x.de", b"a\nb\nc\0\n"), good)
    assert "x.de:1: byte 0xff" in message_of(put("x.de", "a\n".encode("utf-16")), good)
    assert "x.de:1: byte 0x00" in message_of(put("x.de", "a\n".encode("utf-16-le")), good)
    assert "x.de:2: byte 0xed" in message_of(put("x.de", b"a\n\xed\xa0\x80\n"), good)


def test_text_from_elsewhere_is_read_as_a_file_is():
    assert lines_of(b"\xef\xbb\xbfa\r\n\nb", "standard input") == ["a", "", "b"]
    with pytest.raises(ValueError, match="standard input:2: byte 0xe9 is not UTF-8"):
        lines_of(b"a\ncaf\xe9\n", "standard input")


def test_a_missing_file_is_reported_with_those_that_are_most_like_it(put, tmp_path):
    put("train.de.gz", "")
    here = put("train.en.gz", "")
    message = message_of(tmp_path / "train.de", here)
    assert f"there is no file {tmp_path / 'train.de'}" in message
    assert "train.de.gz, train.en.gz" in message
    assert "nothing in" in message_of(tmp_path / "qqqq", here)
    assert "there is no folder" in message_of(tmp_path / "no" / "train.de", here)


def test_a_folder_and_a_damaged_gzip_file_are_reported(put, tmp_path):
    assert "cannot be read: Is a directory" in message_of(tmp_path, put("x.en", ""))
    whole = gzip.compress(b"a\tb\n" * 1000)
    for wrong in (whole[:-9], whole[:40], whole[:15] + b"\xff\xff" + whole[17:], b"\x1f\x8b"):
        assert "damaged gzip" in message_of(put("x.tsv.gz", wrong))


@pytest.mark.parametrize("line", ["", " ", "   ", "\u00a0", "\t", " \t "])
def test_a_line_of_a_table_with_nothing_but_space_is_blank(put, line):
    pairs = read_parallel(put("x.tsv", f"a\tb\n{line}\nc\td\n"))
    assert [blank(pair) for pair in pairs] == [False, True, False]


def test_columns_say_the_order_of_a_table_and_others_are_not_read(put):
    path = put("x.tsv", "hello\tbonjour\tCC BY\nyes\toui\n")
    assert read_parallel(path)[0] == {"source": "hello", "target": "bonjour"}
    assert read_parallel(path, columns=(1, 0))[1] == {"source": "oui", "target": "yes"}
    assert "x.tsv:2: the line has 2 columns, but no column 2" in message_of(path, columns=(0, 2))


def test_a_line_of_a_table_without_a_tab_is_reported(put):
    assert "x.tsv:2: the line has 1 column, but no column 1" in message_of(
        put("x.tsv", "a\tb\nno tab\n")
    )


@pytest.mark.parametrize("columns", [(0, 0), (0,), (-1, 0), ("0", "1"), (True, 0), (), 5, "01"])
def test_columns_that_are_none_are_reported(put, columns):
    assert "columns must be two different whole numbers" in message_of(
        put("x.tsv", "a\tb"), columns=columns
    )


def test_options_that_do_not_fit_the_files_are_reported(put):
    x = put("x.jsonl", "")
    assert "columns are for TSV files" in message_of(x, columns=(1, 0))
    assert "columns are for one TSV file" in message_of(x, x, columns=(1, 0))
    assert "also give target_path" in message_of(x, links_path=x)
    assert "two files of lines need target_path" in message_of(put("x.de.gz", ""))


def test_json_lines_speak_two_dialects(put):
    ours = {"source": "a b", "target": "c", "links": [[1, 0], [0, 0]]}
    other = {"src": "a b", "tgt": "c", "align": "1-0 0-0"}
    first, second = read_parallel(put("x.jsonl", f"{json.dumps(ours)}\n{json.dumps(other)}\n"))
    assert first == second == {"source": "a b", "target": "c", "links": [(1, 0), (0, 0)]}


def test_json_lines_keep_what_else_they_say(put):
    line = '{"id": 7, "src": "a\u2028", "tgt": "\\n\\u0000", "align": "", "note": [1]}'
    (pair,) = read_parallel(put("x.jsonl", line))
    assert pair == {"id": 7, "source": "a\u2028", "target": "\n\0", "links": [], "note": [1]}


def test_links_count_the_words_that_are_given(put):
    example = {"source": "l'homme", "target": "man", "source_words": ["l'", "homme"]}
    good = json.dumps({**example, "links": [[1, 0]]})
    assert read_parallel(put("x.jsonl", good))[0]["links"] == [(1, 0)]
    wrong = json.dumps({**example, "links": [[2, 0]]})
    assert "x.jsonl:1: link 2-0 is outside 2 source and 1 target words" in message_of(
        put("x.jsonl", wrong)
    )


@pytest.mark.parametrize(
    "line, why",
    [
        ("not json", "invalid JSON"),
        ("[" * 100_000, "invalid JSON"),
        ('["a", "b"]', "expected"),
        ('{"source": "a"}', "'target' or 'tgt' must be a string"),
        ('{"source": 1, "target": "b"}', "'source' or 'src' must be a string"),
        ('{"source": "a", "src": "a", "target": "b"}', "source and src have the same meaning"),
        ('{"src": "a", "tgt": "b", "align": "0-1"}', "link 0-1 is outside 1 source and 1 target"),
        ('{"src": "a", "tgt": "b", "align": "1-0"}', "link 1-0 is outside"),
        ('{"src": "", "tgt": "b", "align": "0-0"}', "link 0-0 is outside 0 source"),
        ('{"src": "a", "tgt": "b", "align": "0:0"}', "link '0:0' is not of the form"),
        ('{"src": "a", "tgt": "b", "align": "0-0-0"}', "link '0-0-0' is not of the form"),
        ('{"src": "a", "tgt": "b", "align": "٠-٠"}', "link '٠-٠' is not of the form"),
        ('{"src": "a", "tgt": "b", "links": [[-1, 0]]}', "link -1-0 is outside"),
        ('{"src": "a", "tgt": "b", "links": [[0.0, 0]]}', "is not of the form"),
        ('{"src": "a", "tgt": "b", "links": [[false, 0]]}', "is not of the form"),
        ('{"src": "a", "tgt": "b", "links": [[0]]}', "is not of the form"),
        ('{"src": "a", "tgt": "b", "links": [0]}', "is not of the form"),
        ('{"src": "a", "tgt": "b", "links": null}', "links must be a string or a list"),
        ('{"src": "a", "tgt": "b", "links": ["%s-0"]}' % ("9" * 5000), "not of the form"),
        ('{"src": "a b", "tgt": "c", "source_words": "a b"}', "must be a list of strings"),
        ('{"src": "a b", "tgt": "c", "source_words": [1]}', "must be a list of strings"),
        ('{"src": "a b", "tgt": "c", "source_words": ["b", "a"]}', "word 1 of source_words, 'a'"),
        ('{"src": "a b", "tgt": "c", "target_words": ["c", ""]}', "word 1 of target_words, ''"),
        ('{"src": "a b", "tgt": "c", "source_words": []}', "source_words is empty"),
    ],
)
def test_what_is_wrong_in_json_lines_is_reported_with_its_line(put, line, why):
    message = message_of(put("x.jsonl", f'{{"src": "a", "tgt": "b"}}\n{line}\n'))
    assert "x.jsonl:2: " in message and why in message


def test_links_count_what_spaces_separate_in_any_script(put):
    (pair,) = read_parallel(
        put("zh.txt2", "我 喜欢 猫\n"),
        put("en.txt2", "I like cats\n"),
        links_path=put("l", "1-1 2-2\n"),
    )
    assert pair["links"] == [(1, 1), (2, 2)]
    assert words_in(pair, "source") == ["我", "喜欢", "猫"]
    assert "target_words" not in pair
    (free,) = read_parallel(put("x.tsv", "我 喜欢 猫\tI like cats\n"))
    assert words_in(free, "source") == ["我", "喜", "欢", "猫"]


def test_words_are_found_in_a_text_of_another_form(put):
    apart = {"source": "e\u0301te\u0301 la\u0300", "target": "b", "source_words": ["été", "là"]}
    composed = {"source": "été là", "target": "b", "source_words": ["e\u0301te\u0301", "la\u0300"]}
    for example in (apart, composed):
        (pair,) = read_parallel(put("x.jsonl", json.dumps({**example, "links": [[1, 0]]})))
        assert words_in(pair, "source") == ["été", "là"]


def test_two_files_of_lines_may_have_a_third_of_links(put):
    de, en = put("x.de", "a b\nc\n"), put("x.en", "d\ne f\n")
    pairs = read_parallel(de, en, links_path=put("x.align", "0-0 1-0\n\n"))
    assert [pair["links"] for pair in pairs] == [[(0, 0), (1, 0)], []]
    assert "x.align:2: link 1-1 is outside" in message_of(
        de, en, links_path=put("x.align", "\n1-1\n")
    )
    assert "x.align has 1" in message_of(de, en, links_path=put("x.align", "0-0\n"))


@pytest.mark.skipif(not DATA.exists(), reason="the corpora are not beside the project")
def test_29000_pairs_are_read_in_less_than_a_second():
    files = [DATA / "multi30k" / f"train.{language}.gz" for language in ("de", "en")]
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        pairs = read_parallel(*files)
        seconds.append(time.perf_counter() - start)
    assert len(pairs) == 29000 and not any(map(blank, pairs))
    assert min(seconds) < 1
