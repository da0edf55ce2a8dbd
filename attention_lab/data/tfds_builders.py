"""Prepares corpora for TensorFlow Datasets: ours without TensorFlow, official ones with it.

prepare("rosetta", "data/tfds", {"train": train, "test": test})     # then "tfds:rosetta"
prepare_official("ted_hrlr_translate/pt_to_en", "data/tfds")
"""

import importlib.util
import os
import types
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from attention_lab.data.sources import Source
from attention_lab.data.tfds_sources import FORMAT, load_library, open_builder

VERSION = "1.0.0"
# The modules with which TFDS fetches and parses official datasets.
NEEDED = ("tensorflow", "importlib_resources")


def prepare(
    name: str, data_dir: str | os.PathLike[str] | None, splits: Mapping[str, Source]
) -> Any:
    """Writes the splits of a corpus of ours as a TFDS dataset of that name, and returns the builder that reads it.

    Features: source and target, or text, and, if the examples have them, source_words, target_words, targets, links
    [N, 2], sentence_of and supporting. The order of examples is kept. A dataset that exists is not changed. Raises
    ValueError for a name that TFDS does not allow, or an empty split; OSError if it cannot be written.
    """
    if not name.isidentifier() or not name.islower():
        raise ValueError(
            f"{name!r} is not a valid name of a dataset; use lowercase letters, digits and _"
        )
    for split, source in splits.items():
        if not len(source):
            raise ValueError(f"the split {split} of {name} is empty, which TFDS does not support")
    builder = _builder_class(name, splits)(data_dir=data_dir, file_format=FORMAT)
    try:
        builder.download_and_prepare()
    except RuntimeError as error:  # array_record raises it if the disk is full
        raise OSError(f"{builder.data_path} cannot be written: {error}") from None
    return builder


def prepare_official(name: str, data_dir: str | os.PathLike[str] | None) -> Any:
    """Fetches an official dataset, writes it as array_record, and returns the builder that reads it.

    Raises ValueError if there is no such dataset, or TensorFlow, which TFDS fetches and parses with, is
    missing; OSError if it cannot be fetched.
    """
    builder = open_builder(name, data_dir, file_format=FORMAT)
    if builder.is_prepared():
        return builder
    missing = [module for module in NEEDED if importlib.util.find_spec(module) is None]
    if missing:
        raise ValueError(
            f"TFDS needs {' and '.join(missing)} to prepare its own datasets (training does not); pip install "
            "tensorflow-cpu importlib_resources (the extra tfds-prepare)"
        )
    builder.download_and_prepare()
    return builder


def _builder_class(name: str, splits: Mapping[str, Source]) -> Any:
    """Returns a builder class of TFDS that writes these splits."""
    library = load_library()
    features, core = library.features, library.core
    words = features.Sequence(features.Text())
    possible = {
        "source": features.Text(),
        "target": features.Text(),
        "links": features.Tensor(shape=(None, 2), dtype=np.int32),
        "source_words": words,
        "target_words": words,
        "text": features.Text(),
        "targets": words,
        "sentence_of": features.Tensor(shape=(None,), dtype=np.int32),
        "supporting": features.Tensor(shape=(None,), dtype=np.int32),
        "kind": features.Text(),
    }
    firsts = [source[0] for source in splits.values()]
    kept = {field: kind for field, kind in possible.items() if all(field in one for one in firsts)}

    def info(self):
        return core.DatasetInfo(
            builder=self,
            description=f"{name} of attention_lab",
            features=features.FeaturesDict(kept),
            disable_shuffling=True,
        )

    def generators(self, download_manager):
        del download_manager
        return {split: _rows(source, kept) for split, source in splits.items()}

    body = {
        "name": name,
        "VERSION": core.Version(VERSION),
        "_info": info,
        "_split_generators": generators,
        "_generate_examples": None,
    }
    return types.new_class(
        name,
        (core.GeneratorBasedBuilder,),
        {"skip_registration": True},
        lambda space: space.update(body),
    )


def _rows(source: Source, fields: Iterable[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yields the number and the row of each example, with arrays of numbers in the format of TFDS."""
    for number in range(len(source)):
        row = {field: source[number][field] for field in fields}
        if "links" in row:
            row["links"] = np.array(row["links"], np.int32).reshape(-1, 2)
        for field in {"sentence_of", "supporting"} & row.keys():
            row[field] = np.array(row[field], np.int32)
        yield number, row
