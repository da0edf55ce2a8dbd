"""Texts that become other texts, beside translation: commands to actions (SCAN), abstracts to summaries (SciTLDR)."""

import re
from collections import Counter
from typing import Any

from attention_lab.data.corpus_files import (
    Folder,
    checked,
    field,
    first_of,
    held_out,
    matching,
    parsed,
    rows_of,
)
from attention_lab.data.parallel_files import Example, located, read_lines, whole_text
from attention_lab.data.words import normalize, words_of
from attention_lab.mechanism.registry import unknown

_PAIR = re.compile(r"IN: *(.*\S) +OUT: *(.*\S)\s*")
_TASKS, _SPLITS = "scan_tasks.jsonl", "scan_splits.json"
_ORDER = ("train", "validation", "test")
_STEMS = {"train": "train", "validation": "dev", "test": "test"}
_NAMES = {"train": "train", "valid": "validation", "test": "test"}
_ABSTRACTS = "scitldr_a.jsonl"


def scan(split: str, *, path: Folder, kind: str = "simple") -> tuple[Example, ...]:
    """Commands and the actions that they mean (Lake & Baroni 2018): "jump twice" to "I_JUMP I_JUMP".

    kind: how training and test differ: "simple" (at random), "length", "addprim_jump", "addprim_turn_left",
    "template_around_right" and so on. path: the folder of SCAN, with simple_split/tasks_train_simple.txt and so on, or
    of scan_tasks.jsonl and scan_splits.json, gzipped or not. The corpus has no validation split: every tenth of the
    training commands that occur once is held out (a command that is repeated, such as "jump", is for training only).
    Raises ValueError if there is no such kind, and with file and line where a file does not have this format.
    """
    part = "test" if split == "test" else "train"
    file = first_of(path, _TASKS, "tasks_train_*.txt", "*/tasks_train_*.txt")
    pairs = (_indexed if file.name.startswith(_TASKS) else _listed)(path, part, kind)
    if part == "train":
        counts = Counter(pairs)
        once = [i for i, pair in enumerate(pairs) if counts[pair] == 1]
        held = {once[i] for i in held_out(len(once))}
        pairs = [pair for i, pair in enumerate(pairs) if (i in held) == (split == "validation")]
    return tuple({"source": command, "target": actions} for command, actions in pairs)


def scitldr(split: str, *, path: Folder, repeats: bool = False) -> tuple[Example, ...]:
    """Abstracts of papers, and summaries in one sentence by authors and reviewers (Cachola et al. 2020).

    Examples have "targets", all summaries, of which "target" is the first; "sentence_of", the index of the sentence
    of each word of the source; "supporting", the sentence that the corpus calls the best by ROUGE; "title" and "id".
    Texts are normalized. An abstract that repeats one of an earlier split (1 of validation and 3 of test) is left out,
    unless repeats is set, which gives the published 619 and 618. path: the folder of {train,dev,test}.jsonl of
    SciTLDR-A, or of scitldr_a.jsonl, gzipped or not. Raises ValueError with file and line where a row does not have
    this format, or has no text.
    """
    before, examples = _abstracts(path, split, repeats)
    known = {example["source"] for example in before}
    return tuple(example for example in examples if repeats or example["source"] not in known)


def abstract(row: dict[str, Any]) -> Example:
    """Returns the example of a row: {"source": [sentence, ..], "target": [summary, ..], "oracle": [0, 1, ..], ..}."""
    sentences = [normalize(checked(s, str, "a sentence")) for s in field(row, list, "source")]
    targets = [normalize(checked(t, str, "a summary")) for t in field(row, list, "target")]
    best = field(row, list, "oracle", "source_labels")
    words = [(word, i) for i, sentence in enumerate(sentences) for word in words_of(sentence)]
    if not words or not targets or not all(targets):
        raise ValueError(f"the {'summary' if words else 'source'} is empty")
    if len(best) != len(sentences):
        raise ValueError(f"there are {len(best)} labels for {len(sentences)} sentences")
    return {
        "source": " ".join(filter(None, sentences)),
        "target": targets[0],
        "targets": targets,
        "source_words": [word for word, _ in words],
        "sentence_of": [index for _, index in words],
        "supporting": [index for index, label in enumerate(best) if label == 1],
        "title": normalize(row.get("title", "")),
        "id": field(row, str, "id", "paper_id"),
    }


def _abstracts(path, split, repeats):
    """Returns the examples of earlier splits, unless repeats is set, and those of a split."""
    needed = [split] if repeats else _ORDER[: _ORDER.index(split) + 1]
    file = first_of(path, _ABSTRACTS, f"{_STEMS[split]}.jsonl")
    if file.name.startswith(_ABSTRACTS):
        rows = [row for row in rows_of(file, lambda row: _labelled(row, needed)) if row]
        parts = [[example for name, example in rows if name == part] for part in needed]
    else:
        files = [first_of(path, f"{_STEMS[part]}.jsonl") for part in needed]
        parts = [list(rows_of(file, abstract)) for file in files]
    return [example for part in parts[:-1] for example in part], parts[-1]


def _labelled(row, needed):
    """Returns the split and the example of a row, or None if its split is not needed."""
    name = field(row, str, "split")
    if name not in _NAMES:
        raise ValueError(unknown("split", name, _NAMES))
    return (_NAMES[name], abstract(row)) if _NAMES[name] in needed else None


def _indexed(path, part, kind):
    """Returns the pairs of a split from the list of all pairs and the indices of each split."""
    file = first_of(path, _SPLITS)
    try:
        names = {
            name.rpartition("/")[2]: checked(indices, list, repr(name))
            for name, indices in checked(parsed(whole_text(file)), dict, "it").items()
        }
    except ValueError as error:
        raise ValueError(f"{file}: {error}") from None
    kinds = [name.removeprefix("train_") for name in names if name.startswith("train_")]
    if f"{part}_{kind}" not in names:
        raise ValueError(unknown("kind of scan", kind, kinds))
    tasks = first_of(path, _TASKS)
    pairs = list(rows_of(tasks, lambda row: (_text(row, "in"), _text(row, "out"))))
    for index in names[f"{part}_{kind}"]:
        if type(index) is not int or not 0 <= index < len(pairs):
            raise ValueError(
                f"{file}: {part}_{kind} has the index {index!r}, but {tasks} has {len(pairs)} lines"
            )
    return [pairs[index] for index in names[f"{part}_{kind}"]]


def _listed(path, part, kind):
    """Returns the pairs of a split from the file of the authors: "IN: command OUT: actions" in each line."""
    first_of(
        path, "tasks_train_*.txt", "*/tasks_train_*.txt"
    )  # reports a folder that is none of SCAN
    names = (f"tasks_{part}_*.txt", f"*/tasks_{part}_*.txt")
    files = [file for name in names for file in matching(f"{path}/{name}")]
    kinds = {file.stem.removeprefix(f"tasks_{part}_"): file for file in files}
    if kind not in kinds:
        usual = [
            name for name in sorted(kinds) if "_num" not in name
        ]  # without the many few-shot splits
        raise ValueError(unknown("kind of scan", kind, usual))
    lines = enumerate(read_lines(kinds[kind]), 1)
    return [located(kinds[kind], number, _pair, line) for number, line in lines if line.strip()]


def _pair(line):
    match = _PAIR.fullmatch(line.strip())
    if not match:
        raise ValueError(f"a line must be IN: command OUT: actions, not {line!r:.60}")
    return match[1], match[2]


def _text(row, name):
    text = normalize(field(row, str, name))
    if not text:
        raise ValueError(f"{name!r} is empty")
    return text
