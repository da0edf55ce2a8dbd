"""Corpora of TensorFlow Datasets by name, read without TensorFlow: "tfds:ted_hrlr_translate/pt_to_en".

A dataset that is stored as array_record gives random access to its examples. `experiments.prepare` stores it once: a
corpus of ours (see tfds_builders.py) without TensorFlow, an official one with it.
"""

import contextlib
import difflib
import functools
import importlib
import io
import os
from types import ModuleType
from typing import Any

from attention_lab.data.parallel_files import Example
from attention_lab.mechanism.registry import unknown

PREFIX = "tfds:"
FORMAT = "array_record"
# Names of the split "validation" in other corpora.
VALIDATION = ("validation", "valid", "val", "dev")
# Modules that register their datasets when they are imported; all others are imported by name.
LAZY = ("translate", "summarization", "text")


def tfds(
    name: str,
    split: str,
    *,
    data_dir: str | os.PathLike[str] | None = None,
    source: str | None = None,
    target: str | None = None,
    train: str | None = None,
    validation: str | None = None,
    test: str | None = None,
) -> "Prepared":
    """Opens a split of a prepared dataset, as pairs.

    name: "dataset" or "dataset/config". data_dir: the folder in which it was prepared; None: the default folder of TFDS.
    source, target: the features that are the two sides; None: of two languages, the one that the config names
    first is the source. train, validation, test: what these splits are in TFDS's words, as
    validation="train[99%:]"; None: what is called so, and for validation also valid, val or dev. Raises
    ValueError if there is no such dataset, split or feature, or it was not prepared.
    """
    builder = open_builder(name, data_dir)
    sides = sides_of(name, builder, source, target)
    splits = tuple(builder.info.splits)  # empty where nothing was prepared, and of mocked data
    names = VALIDATION if split == "validation" else (split,)
    called = next((word for word in names if word in splits), split)
    where = {"train": train, "validation": validation, "test": test}.get(split) or called
    if splits and where.partition("[")[0] not in splits:
        raise ValueError(
            f"{unknown(f'split of {PREFIX}{name}', where, splits)}; the option {split} may select a part of one, such as "
            f'{split}="{splits[0]}[99%:]"'
        )
    try:
        return Prepared(builder.as_data_source(split=where), *sides)
    except (KeyError, NotImplementedError):  # no such split; another file format
        place = "" if data_dir is None else f" --data_dir={data_dir}"
        raise ValueError(
            f"{PREFIX}{name} has not been prepared as {FORMAT} in {data_dir or 'the directory of TFDS'}; "
            f"python -m experiments.prepare {PREFIX}{name}{place} does that"
        ) from None


class Prepared:
    """The rows of a TFDS data source as examples; texts are bytes or str there."""

    def __init__(self, rows: Any, source: str, target: str) -> None:
        self.rows, self.source, self.target = rows, source, target

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> Example:
        row = self.rows[range(len(self))[index]]
        example: Example = {"source": text(row[self.source]), "target": text(row[self.target])}
        if "links" in row:
            example["links"] = [(int(i), int(j)) for i, j in row["links"]]
        for words in ("source_words", "target_words"):
            if words in row and len(row[words]):
                example[words] = [text(word) for word in row[words]]
        for numbers in ("sentence_of", "supporting"):
            if numbers in row:
                example[numbers] = [int(number) for number in row[numbers]]
        if isinstance(row.get("kind"), bytes | str):
            example["kind"] = text(row["kind"])
        return example


def text(value: Any) -> str:
    """Returns the value of a Text feature as a str."""
    return value.decode() if isinstance(value, bytes) else str(value)


def open_builder(name: str, data_dir: Any = None, **options: Any) -> Any:
    """Returns the builder of a dataset, prepared or not. Raises ValueError with the nearest names if there is none."""
    library = load_library()
    dataset, _, config = name.partition("/")
    try:
        return library.builder(name, data_dir=data_dir, **options)
    except library.core.registered.DatasetNotFoundError:
        raise ValueError(
            f"TFDS has no dataset {dataset!r}{nearest(dataset, registered())}, and no dataset of that name has been "
            f"prepared in {data_dir or 'its directory'}"
        ) from None
    except ValueError:
        configs = [one.name for one in library.builder_cls(dataset).BUILDER_CONFIGS]
        if config in configs:
            raise
        raise ValueError(
            f"{dataset} of TFDS has no config {config!r}{nearest(config, configs)}"
        ) from None


def nearest(word: str, words: Any) -> str:
    """Returns a hint with up to three words that resemble a word that does not exist."""
    near = difflib.get_close_matches(word, words, n=3, cutoff=0.5)
    return f"; the nearest names are {', '.join(near)}" if near else ""


def registered() -> list[str]:
    """Returns the names of all official datasets."""
    return load_library().list_builders(with_community_datasets=False)


def sides_of(name: str, builder: Any, source: str | None, target: str | None) -> tuple[str, str]:
    """Returns the features that are source and target. Raises ValueError if they are ambiguous."""
    features = builder.info.features
    texts = sorted(
        key for key in features if isinstance(features[key], load_library().features.Text)
    )
    for side in (source, target):
        if side is not None and side not in texts:
            raise ValueError(unknown(f"text in {PREFIX}{name}", side, texts))
    if source is not None and target is not None:
        if source == target:
            raise ValueError(
                f"source and target are both {source!r}; name two of {', '.join(texts)}"
            )
        return source, target
    if {"source", "target"} <= set(texts):
        first, second = "source", "target"
    elif len(texts) == 2:
        config = name.partition("/")[2]
        first, second = sorted(texts, key=config.find)
    else:
        raise ValueError(
            f"{PREFIX}{name} has the texts {', '.join(texts)}; choose two with the options source and target"
        )
    if source == second or target == first:
        first, second = second, first
    return first, second


@functools.cache
def load_library() -> ModuleType:
    """Imports tensorflow_datasets. Raises ValueError if it is not installed."""
    # It warns at length that TensorFlow is missing, which is intended.
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        try:
            library = importlib.import_module("tensorflow_datasets")
            for package in LAZY:
                importlib.import_module(f"tensorflow_datasets.{package}")
            importlib.import_module("array_record")
        except ImportError as error:
            raise ValueError(
                f"{PREFIX}.. needs {error.name}; pip install tensorflow-datasets array_record"
            ) from None
    return library
