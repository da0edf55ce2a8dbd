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
from collections.abc import Sequence
from types import ModuleType
from typing import Any

from attention_lab.data.corpus_files import VALIDATION
from attention_lab.data.parallel_files import Example
from attention_lab.data.tfds_features import PREFIX, Roles, example_of, roles_of
from attention_lab.mechanism.registry import unknown

FORMAT = "array_record"
# Modules that register their datasets when they are imported; all others are imported by name.
LAZY = ("translate", "summarization", "text")


def tfds(
    name: str,
    split: str,
    *,
    data_dir: str | os.PathLike[str] | None = None,
    source: str | Sequence[str] | None = None,
    target: str | None = None,
    text: str | None = None,
    train: str | None = None,
    validation: str | None = None,
    test: str | None = None,
) -> "Prepared":
    """Opens a split of a prepared dataset, as pairs of texts, or as texts without a second side.

    name: "dataset" or "dataset/config". data_dir: the folder in which it was prepared; None: the default folder of TFDS.
    source, target, text: the features that are the two sides, or the one text; None: see `tfds_features.roles_of`.
    Several features of a source are joined by spaces, and "answers/text" is a feature within another. train,
    validation, test: what these splits are in TFDS's words, as validation="train[99%:]"; None: what is called so, and
    for validation also valid, val or dev. Raises ValueError if there is no such dataset, split or feature, or it was
    not prepared.
    """
    builder = open_builder(name, data_dir)
    roles = roles_of(name, builder.info, source, target, text)
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
        return Prepared(builder.as_data_source(split=where), roles)
    except (KeyError, NotImplementedError):  # no such split; another file format
        place = "" if data_dir is None else f" --data_dir={data_dir}"
        raise ValueError(
            f"{PREFIX}{name} has not been prepared as {FORMAT} in {data_dir or 'the directory of TFDS'}; "
            f"python -m experiments.prepare {PREFIX}{name}{place} does that"
        ) from None


class Prepared:
    """The rows of a TFDS data source as examples; texts are bytes or str there."""

    def __init__(self, rows: Any, roles: Roles) -> None:
        self.rows, self.roles = rows, roles

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> Example:
        return example_of(self.rows[range(len(self))[index]], self.roles)


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
