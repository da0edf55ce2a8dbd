"""Sentence pairs from files: two files of lines, one TSV, or JSON lines with word links.

    read_parallel("train.de.gz", "train.en.gz")
    read_parallel("train.tsv", columns=(1, 0))
    read_parallel("train.jsonl")[0]     # {"source": "...", "target": "...", "links": [(0, 1)]}

Files are UTF-8, plain or gzipped, which their first bytes determine. Only a newline (with or without a carriage return) ends
a line; other separators, such as U+2028, do not, so that line n of one file corresponds to line n of the other.
"""

import difflib
import functools
import gzip
import json
import os
import pathlib
import re
import zlib
from collections.abc import Callable
from typing import Any

from attention_lab.data.words import normalize, words_in, words_of

# {"source": str, "target": str}, and, if they are known, "links": [(i, j)], 0-based word i of the
# source with word j of the target; "source_words", "target_words": list[str]; "id".
Example = dict[str, Any]

NAMES = {"source": ("source", "src"), "target": ("target", "tgt"), "links": ("links", "align")}
JSON_LINES = (".jsonl", ".ndjson", ".json")
TABLES = (".tsv", ".tab", ".txt")

_GZIP, _BOM = b"\x1f\x8b", b"\xef\xbb\xbf"
_LINK = re.compile(r"(\d{1,9})-(\d{1,9})", re.ASCII)


def read_parallel(
    path: str | os.PathLike[str],
    target_path: str | os.PathLike[str] | None = None,
    *,
    links_path: str | os.PathLike[str] | None = None,
    columns: tuple[int, int] | None = None,
) -> tuple[Example, ...]:
    """Reads the pairs of a corpus, one for each line, blank ones too, in the order of the lines.

    With target_path there are two files of lines, and links_path may name a third with "i-j i-j ..." in each line.
    Otherwise the ending of the file name determines the format:

    * .tsv, .tab or .txt: columns between tabs, source and target in `columns`, by default the first
      two; further columns are not read.
    * .jsonl, .ndjson or .json: one object per line, with "source" and "target" ("src" and "tgt") and
      optionally "links" as [[i, j], ...] ("align" as "i-j i-j"), "source_words", "target_words"; other
      fields are kept. Without words, links count the strings between whitespace.

    Raises ValueError, with file and line, where text is not UTF-8, does not fit the format, or links words that do
    not exist; with both counts for files of unequal length; for a missing file with similar names.
    """
    path = pathlib.Path(path)
    ending = path.with_suffix("").suffix if path.suffix == ".gz" else path.suffix
    ending = ending.lower()
    if target_path is not None:
        if columns is not None:
            raise ValueError(
                f"columns are for one TSV file, but {path} was given together with {target_path}"
            )
        return _from_lines(path, pathlib.Path(target_path), links_path)
    if links_path is not None:
        raise ValueError(
            f"links_path {links_path} is for two files of lines; also give target_path"
        )
    if ending in TABLES:
        read: Callable[[str], Example] = functools.partial(_from_columns, columns=_checked(columns))
    elif columns is not None:
        raise ValueError(f"columns are for TSV files ({', '.join(TABLES)}), not for {path}")
    elif ending in JSON_LINES:
        read = _from_json
    else:
        raise ValueError(
            f"{path}: the name of a file of pairs must end with {', '.join(TABLES + JSON_LINES)}, or one of these "
            "and .gz; two files of lines need target_path"
        )
    return tuple(
        located(path, number, read, line) for number, line in enumerate(read_lines(path), 1)
    )


def blank(example: Example) -> bool:
    """Returns whether a side of the pair has nothing but whitespace."""
    return not (example["source"].strip() and example["target"].strip())


def read_lines(path: str | os.PathLike[str]) -> list[str]:
    """Returns the lines of a UTF-8 file, gzipped or not, without their ends; see the top of this file.

    Raises ValueError for a file that cannot be read, and with the line for bytes that are not UTF-8
    or are NUL.
    """
    return lines_of(_bytes(pathlib.Path(path)), str(path))


def whole_text(path: str | os.PathLike[str]) -> str:
    """Returns the text of a UTF-8 file, gzipped or not, with its ends of lines. Raises ValueError as `read_lines` does."""
    return _text(_bytes(pathlib.Path(path)), str(path))


def lines_of(data: bytes, name: str) -> list[str]:
    """Returns the lines of UTF-8 text, without their ends. Raises ValueError as `read_lines` does; name: its origin."""
    lines = _text(data, name).split("\n")
    if not lines[-1]:
        lines.pop()
    return [line.removesuffix("\r") for line in lines]


def located(path: str | os.PathLike[str], number: int, read: Callable[..., Any], *args: Any) -> Any:
    """Returns read(*args); file and line are put before the message of a ValueError."""
    try:
        return read(*args)
    except ValueError as error:
        raise ValueError(f"{path}:{number}: {error}") from None


def _text(data, name):
    data = data.removeprefix(_BOM)
    try:
        text = data.decode()
        wrong = data.find(0)
    except UnicodeDecodeError as error:
        wrong = error.start
    if wrong >= 0:
        line = data.count(b"\n", 0, wrong) + 1
        raise ValueError(
            f"{name}:{line}: byte 0x{data[wrong]:02x} is not UTF-8 text; convert the file to UTF-8"
        )
    return text


def _bytes(path):
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise ValueError(f"there is no file {path}; {_beside(path)}") from None
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from None
    if not data.startswith(_GZIP):
        return data
    try:
        return gzip.decompress(data)
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"{path} is a damaged gzip file ({error}); download it again") from None


def _beside(path):
    if not path.parent.is_dir():
        return f"there is no folder {path.parent} either"
    names = sorted(other.name for other in path.parent.iterdir())
    near = difflib.get_close_matches(path.name, names, n=4, cutoff=0.5)
    return f"beside it lie {', '.join(near)}" if near else f"nothing in {path.parent} is named so"


def _from_lines(source_path, target_path, links_path):
    sources, targets = read_lines(source_path), read_lines(target_path)
    links = [""] * len(sources) if links_path is None else read_lines(links_path)
    for path, lines in ((target_path, targets), (links_path, links)):
        if len(lines) != len(sources):
            raise ValueError(
                f"{source_path} has {len(sources)} lines and {path} has {len(lines)}; line n of "
                "one must be the translation of line n of the other"
            )
    pairs = [{"source": s, "target": t} for s, t in zip(sources, targets, strict=True)]
    if links_path is not None:
        for number, (pair, text) in enumerate(zip(pairs, links, strict=True), 1):
            pair["links"] = located(links_path, number, _links, text, pair)
    return tuple(pairs)


def _from_columns(line, columns):
    if not line.strip():
        return {"source": "", "target": ""}
    cells = line.split("\t")
    if len(cells) <= max(columns):
        raise ValueError(
            f"the line has {len(cells)} column{'s' * (len(cells) > 1)}, but no column {max(columns)} (counted "
            f"from 0); source and target are columns {columns[0]} and {columns[1]}, separated by tabs"
        )
    return {"source": cells[columns[0]], "target": cells[columns[1]]}


def _checked(columns):
    if columns is None:
        return 0, 1
    pair = isinstance(columns, tuple | list) and len(columns) == 2
    if not pair or columns[0] == columns[1] or not all(type(c) is int and c >= 0 for c in columns):
        raise ValueError(f"columns must be two different whole numbers, 0 or more, not {columns!r}")
    return tuple(columns)


def _from_json(line):
    if not line.strip():
        return {"source": "", "target": ""}
    try:
        example = json.loads(line)
    except (json.JSONDecodeError, RecursionError) as error:
        raise ValueError(f"invalid JSON: {error}") from None
    if not isinstance(example, dict):
        raise ValueError(f'expected {{"source": ..., "target": ...}}, not {line:.60}')
    for name, spellings in NAMES.items():
        present = [spelling for spelling in spellings if spelling in example]
        if len(present) > 1:
            raise ValueError(f"{' and '.join(present)} have the same meaning; leave one out")
        if present:
            example[name] = example.pop(present[0])
    for side in ("source", "target"):
        if not isinstance(example.get(side), str):
            raise ValueError(f"{' or '.join(map(repr, NAMES[side]))} must be a string")
        if f"{side}_words" in example:
            _check_words(example, side)
    if "links" in example:
        example["links"] = _links(example["links"], example)
    return example


def _check_words(example, side):
    words, text, end = example[f"{side}_words"], normalize(example[side]), 0
    if not (isinstance(words, list) and all(isinstance(word, str) for word in words)):
        raise ValueError(f"{side}_words must be a list of strings")
    if not words and example[side].strip():
        raise ValueError(f"{side}_words is empty, but the {side} is not; leave it out")
    for index, word in enumerate(words):
        start = text.find(normalize(word), end)
        if start < 0 or not word.strip():
            raise ValueError(
                f"word {index} of {side}_words, {word!r}, does not follow the previous words in "
                f"the {side}"
            )
        end = start + len(normalize(word))


def _links(text, example):
    if not isinstance(text, str | list):
        raise ValueError(f"links must be a string or a list, not {text!r:.60}")
    links = [_link(link) for link in (text.split() if isinstance(text, str) else text)]
    for side in ("source", "target"):
        words = example[side].split()  # which links count, in any script
        if f"{side}_words" not in example and len(words) != len(words_of(example[side])):
            example[f"{side}_words"] = words
    words = [len(words_in(example, side)) for side in ("source", "target")]
    for i, j in links:
        if not (0 <= i < words[0] and 0 <= j < words[1]):
            raise ValueError(
                f"link {i}-{j} is outside {words[0]} source and {words[1]} target words, counted "
                "from 0"
            )
    return links


def _link(text):
    match = _LINK.fullmatch(text) if isinstance(text, str) else None
    pair = match.groups() if match else text
    if not (isinstance(pair, list | tuple) and len(pair) == 2) or not (
        match or all(type(index) is int for index in pair)
    ):
        raise ValueError(f"link {text!r:.60} is not of the form i-j or [i, j]")
    return int(pair[0]), int(pair[1])
