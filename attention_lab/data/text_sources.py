"""Texts without a second side, for language models: {"text": str} is one document.

    shakespeare("train", path="data/shakespeare")                                # one document
    text_files("train", path="books/{split}/*.txt")                              # one document for each file
    text_files("train", path="notes.txt", train_fraction=0.9, documents="paragraph")

Texts are exact: line breaks and repeated spaces are those of the file, and a tokenizer may keep them.
"""

import itertools
import os
import pathlib

from attention_lab.data.corpus_files import Folder, first_of, matching, spelled
from attention_lab.data.parallel_files import Example, whole_text
from attention_lab.mechanism.registry import unknown

DOCUMENTS = ("file", "paragraph", "line")
# The part of Shakespeare that everyone trains on.
SHAKESPEARE_TRAIN = 0.9


def shakespeare(split: str, *, path: Folder) -> tuple[Example, ...]:
    """Forty thousand lines of Shakespeare (Karpathy 2015), each split one document: input.txt or tinyshakespeare.txt.

    The first 1,003,854 of its 1,115,394 characters, nine tenths, are for training, and the others for validation. The
    common split has no test set: test is the same as validation. path: the folder of the file, gzipped or not.
    """
    file = first_of(path, "tinyshakespeare.txt", "input.txt")
    return ({"text": _part(_read(file), split, SHAKESPEARE_TRAIN)},)


def text_files(
    split: str, *, path: str, documents: str = "file", train_fraction: float | None = None
) -> tuple[Example, ...]:
    """Reads text files of your own, in UTF-8, gzipped or not: path="corpus.{split}.txt".

    The path may have * for several files, in the order of their names; {split} is as for `sources.files`. A file for
    all splits, whose name has no {split}, is cut: the first train_fraction of its characters is for training, and the
    rest for validation, and for test as well. documents: what one document is: a "file", a "paragraph" (lines between
    blank lines) or a "line" that is not blank. Raises ValueError if there is no such file, or a file has no text.
    """
    if documents not in DOCUMENTS:
        raise ValueError(unknown("kind of documents", documents, DOCUMENTS))
    pattern = os.fspath(path)
    if ("{split}" in pattern) == (train_fraction is not None):
        raise ValueError(
            f"{pattern}: put {{split}} into the path, if each split has its own files; or else set train_fraction=0.9, "
            "which cuts the text: nine tenths are for training, and the rest is for validation"
        )
    number = isinstance(train_fraction, int | float)
    if train_fraction is not None and not (number and 0 < train_fraction < 1):
        raise ValueError(f"train_fraction must be between 0 and 1, not {train_fraction!r}")
    name = pattern.replace("{split}", spelled(split, pattern) if "{split}" in pattern else split)
    # A name without * that does not exist is read all the same, since that reports the names beside it.
    files = matching(name) or ([] if "*" in name else [pathlib.Path(name)])
    if not files:
        raise ValueError(f"there is no file {name}")
    texts = [_read(file) for file in files]
    if train_fraction is not None:
        texts = [_part(text, split, train_fraction) for text in texts]
    return tuple({"text": one} for text in texts for one in _documents(text, documents))


def _read(path):
    text = whole_text(path)
    if not text.strip():
        raise ValueError(f"{path} has no text")
    return text


def _part(text, split, fraction):
    cut = int(fraction * len(text))
    return text[:cut] if split == "train" else text[cut:]


def _documents(text, documents):
    if documents == "file":
        return [text]
    lines = [line.removesuffix("\r") for line in text.split("\n")]
    if documents == "line":
        return [line for line in lines if line.strip()]
    groups = itertools.groupby(lines, key=lambda line: bool(line.strip()))
    return ["\n".join(group) for there, group in groups if there]
