"""Prepares a dataset for TensorFlow Datasets as array_record, once; training then reads it without TensorFlow.

    python -m experiments.prepare tfds:ted_hrlr_translate/pt_to_en --data_dir=data/tfds     # needs TensorFlow
    python -m experiments.prepare rosetta --data_dir=data/tfds                              # does not
    python -m experiments.prepare multi30k --data_dir=data/tfds                             # downloads its files
    python -m experiments.prepare multi30k --options=source=en,target=fr,path=data/multi30k --data_dir=data/tfds
    python -m experiments.prepare files --options=path=mine.{split}.tsv --name=mine --data_dir=data/tfds

The first is one of TFDS's own, which it fetches; the others are of attention_lab.data.sources, with their options. In
other languages than usual they are called after them, the fourth multi30k_en_fr. Multi30k's files are taken from the
folder `path`; without one, what is missing in DATA_DIR/downloads/multi30k is downloaded there. Either way their content
is checked. What has been prepared stays as it is. Train with --config=configs/tfds.py:NAME and
--config.data.options.data_dir=data/tfds.
"""

import contextlib
import inspect
import io
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from absl import flags
from tqdm import tqdm

from attention_lab.data import sources, tfds_builders
from attention_lab.data.fetch import fetch, missing
from attention_lab.data.originals import ORIGINALS
from attention_lab.data.tfds_sources import PREFIX, load_library
from experiments import command

DATA_DIR = flags.DEFINE_string(
    "data_dir", None, "Where it goes, by default where TFDS puts things."
)
OPTIONS = flags.DEFINE_list("options", [], "Options of one of our datasets, as path=data/multi30k.")
NAME = flags.DEFINE_string("name", None, "What it is called there, by default as here.")

SIDES = ("source", "target")


def main(words: list[str]) -> None:
    """Prepares what the one word names."""
    if len(words) != 1:
        raise command.Refusal(
            "say which dataset: python -m experiments.prepare rosetta, or tfds:NAME"
        )
    try:
        str(DATA_DIR.value).encode()
    except UnicodeEncodeError:
        raise command.Refusal(
            f"--data_dir={DATA_DIR.value!r}: TFDS takes paths of UTF-8 alone"
        ) from None
    if not sys.stderr.isatty():
        load_library().disable_progress_bar()
    with contextlib.redirect_stdout(io.StringIO()):  # what TFDS says is said below, in fewer words
        builder = prepared(words[0])
    counts = ", ".join(
        f"{split} {one.num_examples:,}" for split, one in builder.info.splits.items()
    )
    name = builder.info.full_name.rpartition("/")[0]
    words = [f"--config=configs/tfds.py:{name}"]
    words += [f"--config.data.options.data_dir={DATA_DIR.value}"] if DATA_DIR.value else []
    print(f"{builder.data_path}: {counts}")
    print("python -m experiments.train", *map(command.quoted, words))


def prepared(word: str) -> Any:
    """The builder of a dataset, which is then prepared."""
    if word.startswith(PREFIX):
        if OPTIONS.value or NAME.value:
            raise command.Refusal(f"--options and --name are for our datasets; {word} has its own")
        return tfds_builders.prepare_official(word.removeprefix(PREFIX), DATA_DIR.value)
    options: dict[str, Any] = dict(map(option_of, OPTIONS.value))
    read, known, _ = sources.dataset(word)
    name = NAME.value or "_".join([word, *unusual_languages(read, options)])
    if word in ORIGINALS:
        sources.check_options(word, read, options)  # before anything is downloaded
        options["path"] = originals(word, options)
    splits = {split: sources.load(word, split, **options) for split in known or sources.SPLITS}
    return tfds_builders.prepare(name, DATA_DIR.value, splits)


def unusual_languages(read: Callable[..., Any], options: dict[str, Any]) -> tuple[str, ...]:
    """Source and target of a dataset that has languages to choose from, where they are not the first choice."""
    usual = [p.default for n, p in inspect.signature(read).parameters.items() if n in SIDES]
    chosen = [options.get(side, default) for side, default in zip(SIDES, usual, strict=False)]
    return () if None in usual or chosen == usual else tuple(map(str, chosen))


def originals(dataset: str, options: dict[str, Any]) -> Path:
    """The folder of a dataset's files, checked; those that the user has not got are downloaded before."""
    files = ORIGINALS[dataset](**{side: options[side] for side in SIDES if side in options})
    if "path" in options:
        missing(files, options["path"])  # reading them says it better
        return Path(options["path"])
    place = Path(DATA_DIR.value or load_library().core.constants.DATA_DIR).expanduser()
    fetch(files, place / "downloads" / dataset, bar)
    return place / "downloads" / dataset


@contextlib.contextmanager
def bar(total: int | None, name: str) -> Iterator[Callable[[int], Any]]:
    """A progress bar of bytes on a terminal, nothing elsewhere."""
    silent = not sys.stderr.isatty()
    with tqdm(total=total, desc=name, disable=silent, leave=False, unit="B", unit_scale=True) as b:
        yield b.update


def option_of(text: str) -> tuple[str, str | int]:
    """name=value as (name, value), a number where it is one."""
    name, equals, value = text.partition("=")
    if not equals:
        raise command.Refusal(f"--options has {text!r}; an option is name=value")
    return name, int(value) if value.isdecimal() else value


if __name__ == "__main__":
    command.run(main)
