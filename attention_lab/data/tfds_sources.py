"""Corpora of TensorFlow Datasets by name, read without TensorFlow: "tfds:ted_hrlr_translate/pt_to_en".

A dataset that is stored as array_record gives random access to its examples. `experiments.prepare` stores it once: a
corpus of ours (see tfds_builders.py) without TensorFlow, an official one with it.
"""

import contextlib
import difflib
import functools
import hashlib
import importlib
import io
import os
from collections.abc import Sequence
from types import ModuleType
from typing import Any

import numpy as np

from attention_lab.data.corpus_files import VALIDATION
from attention_lab.data.parallel_files import Example
from attention_lab.data.sounds import resampled
from attention_lab.data.tfds_features import PERCEIVED, PREFIX, Roles, example_of, roles_of
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
    kind = kind_of(builder.info.features, roles)
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
        return Prepared(builder.as_data_source(split=where), roles, builder.info.features, kind)
    except (KeyError, NotImplementedError):  # no such split; another file format
        place = "" if data_dir is None else f" --data_dir={data_dir}"
        raise ValueError(
            f"{PREFIX}{name} has not been prepared as {FORMAT} in {data_dir or 'the directory of TFDS'}; "
            f"python -m experiments.prepare {PREFIX}{name}{place} does that"
        ) from None


class Prepared:
    """The rows of a TFDS data source as examples; texts are bytes or str there.

    kind: that of the source's feature, "Image" or "Audio", or "" for texts.
    """

    def __init__(self, rows: Any, roles: Roles, features: Any = None, kind: str = "") -> None:
        self.rows, self.roles, self.features, self.kind = rows, roles, features, kind

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> Example:
        number = range(len(self))[index]
        row = self.rows[number]
        if not self.kind:
            return example_of(row, self.roles)
        (feature,) = self.roles.source
        made = StoredImage if self.kind == "Image" else StoredSound
        source = made(self.rows, number, feature, getattr(self.features[feature], "sample_rate", 0))
        target = self.roles.target
        if target in self.features and hasattr(self.features[target], "int2str"):
            row = {**row, target: self.features[target].int2str(int(row[target]))}
        return example_of(row, self.roles, source)


class Stored:
    """An image or a recording of a prepared dataset, which is read when it is needed."""

    def __init__(self, rows: Any, number: int, feature: str, rate: int) -> None:
        self.rows, self.number, self.feature, self.rate = rows, number, feature, rate

    def __str__(self):
        return f"{self.feature} {self.number}"

    def values(self) -> np.ndarray:
        """Returns the array of the feature."""
        return np.asarray(self.rows[self.number][self.feature])

    @property
    def digest(self) -> str:
        """The sha256 of the values."""
        return hashlib.sha256(np.ascontiguousarray(self.values()).data).hexdigest()


class StoredImage(Stored):
    """An image: uint8 [Y, X, 1], [Y, X, 3] or [Y, X, 4]."""

    def pixels(self) -> np.ndarray:
        """Returns uint8 [Y, X, 3]; transparency is ignored."""
        values = self.values()
        return np.repeat(values, 3, -1) if values.shape[-1] == 1 else values[..., :3]


class StoredSound(Stored):
    """A recording: samples of 16 bits, or of any other type of integers, [N] or [N, channels]."""

    def samples(self, rate: int) -> np.ndarray:
        """Returns float32 [N], `rate` samples a second. Raises ValueError if the dataset does not say its rate."""
        if not self.rate:
            raise ValueError(f"{self} has no known number of samples a second")
        values = self.values().astype(np.float32)
        mono = values.mean(-1) if values.ndim == 2 else values
        return resampled(mono / 32768, self.rate, rate)


def kind_of(features: Any, roles: Roles) -> str:
    """Returns the kind of the source's feature, if it is an image or a recording, else ""."""
    kinds = [type(features[name]).__name__ for name in roles.source if name in features]
    found = [kind for kind in kinds if kind in PERCEIVED]
    return found[0] if found and len(kinds) == 1 else ""


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
    except ModuleNotFoundError:
        return _from_files(library, name, data_dir, options)
    except ValueError:
        configs = [one.name for one in library.builder_cls(dataset).BUILDER_CONFIGS]
        if config in configs:
            raise
        raise ValueError(
            f"{dataset} of TFDS has no config {config!r}{nearest(config, configs)}"
        ) from None


def _from_files(library, name, data_dir, options):
    """Returns the builder of a prepared dataset whose own code needs TensorFlow, which is not installed."""
    try:
        read = library.core.read_only_builder.builder_from_files
        return read(name, data_dir=data_dir, **options)
    except library.core.registered.DatasetNotFoundError:
        reason = f"has not been prepared in {data_dir or 'the directory of TFDS'}, which needs"
    except ModuleNotFoundError:  # as all recordings
        reason = "is read by TFDS with"
    raise ValueError(
        f"{PREFIX}{name} {reason} TensorFlow; pip install tensorflow-cpu importlib_resources (the extra tfds-prepare)"
    )


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
