"""Prepares a dataset for TensorFlow Datasets as array_record, once; training then reads it without TensorFlow.

    python -m experiments.prepare tfds:ted_hrlr_translate/pt_to_en --data_dir=data/tfds     # needs TensorFlow
    python -m experiments.prepare rosetta --data_dir=data/tfds                              # does not
    python -m experiments.prepare multi30k --options=path=data/multi30k --data_dir=data/tfds
    python -m experiments.prepare files --options=path=mine.{split}.tsv --name=mine --data_dir=data/tfds

The first is one of TFDS's own, which it fetches; the others are of attention_lab.data.sources, with their options.
What has been prepared stays as it is. Train with --config=configs/tfds.py:NAME --config.data.options.data_dir=data/tfds.
"""

import contextlib
import io
import sys
from typing import Any

from absl import flags

from attention_lab.data import sources, tfds_builders
from attention_lab.data.tfds_sources import PREFIX, load_library
from experiments import command

DATA_DIR = flags.DEFINE_string(
    "data_dir", None, "Where it goes, by default where TFDS puts things."
)
OPTIONS = flags.DEFINE_list("options", [], "Options of one of our datasets, as path=data/multi30k.")
NAME = flags.DEFINE_string("name", None, "What it is called there, by default as here.")


def main(words: list[str]) -> None:
    """Prepares what the one word names."""
    if len(words) != 1:
        raise command.Refusal(
            "say which dataset: python -m experiments.prepare rosetta, or tfds:NAME"
        )
    if not sys.stderr.isatty():
        load_library().disable_progress_bar()
    with contextlib.redirect_stdout(io.StringIO()):  # what TFDS says is said below, in fewer words
        builder = prepared(words[0])
    counts = ", ".join(
        f"{split} {one.num_examples:,}" for split, one in builder.info.splits.items()
    )
    name = builder.info.full_name.rpartition("/")[0]
    place = f" --config.data.options.data_dir={DATA_DIR.value}" if DATA_DIR.value else ""
    print(f"{builder.data_path}: {counts}")
    print(f"python -m experiments.train --config=configs/tfds.py:{name}{place}")


def prepared(word: str) -> Any:
    """The builder of a dataset, which is then prepared."""
    if word.startswith(PREFIX):
        if OPTIONS.value or NAME.value:
            raise command.Refusal(f"--options and --name are for our datasets; {word} has its own")
        return tfds_builders.prepare_official(word.removeprefix(PREFIX), DATA_DIR.value)
    options = dict(option_of(text) for text in OPTIONS.value)
    known = sources.dataset(word).splits or sources.SPLITS
    splits = {split: sources.load(word, split, **options) for split in known}
    return tfds_builders.prepare(NAME.value or word, DATA_DIR.value, splits)


def option_of(text: str) -> tuple[str, str | int]:
    """name=value as (name, value), a number where it is one."""
    name, equals, value = text.partition("=")
    if not equals:
        raise command.Refusal(f"--options has {text!r}; an option is name=value")
    return name, int(value) if value.isdecimal() else value


if __name__ == "__main__":
    command.run(main)
