"""Prepares a dataset of TensorFlow Datasets (TFDS) as array_record files, which training reads without TensorFlow.

    python -m experiments.prepare tfds:ted_hrlr_translate/pt_to_en --data_dir=data/tfds     # needs TensorFlow
    python -m experiments.prepare rosetta --data_dir=data/tfds                              # does not
    python -m experiments.prepare multi30k --data_dir=data/tfds                             # downloads its files
    python -m experiments.prepare multi30k --options=source=en,target=fr,path=data/multi30k --data_dir=data/tfds
    python -m experiments.prepare files --options=path=mine.{split}.tsv --name=mine --data_dir=data/tfds

The first dataset is one of TFDS, which downloads it; the others are datasets of attention_lab.data.sources, with their
options. The names of datasets in other than the default languages end in the languages, and names of others in their
task, size or kind: the fourth is multi30k_en_fr. The files of multi30k, shakespeare, scitldr and scan are read from the
folder `path`; without it, missing files are downloaded to DATA_DIR/downloads. Their checksums are verified in both
cases. A dataset that is already prepared is not changed. Train with --config=configs/tfds.py:NAME and
--config.data.options.data_dir=data/tfds. The exit status is 0 on success and 2 for an invalid command.
"""

import contextlib
import io
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from absl import flags
from tqdm import tqdm

from attention_lab.data import sources, tfds_builders
from attention_lab.data.fetch import fetch, missing
from attention_lab.data.originals import ORIGINALS, originals_of, variant
from attention_lab.data.tfds_sources import PREFIX, load_library
from experiments import command
from experiments.arguments import option_of

DATA_DIR = flags.DEFINE_string(
    "data_dir", None, "The folder of the prepared datasets, by default that of TFDS."
)
OPTIONS = flags.DEFINE_list(
    "options", [], "Options of a dataset of attention_lab, such as path=data/multi30k."
)
NAME = flags.DEFINE_string("name", None, "The name of the prepared dataset, by default its own.")


def main(words: list[str]) -> None:
    """Prepares the dataset that is named by the only argument."""
    if len(words) != 1:
        raise command.Refusal(
            "give the name of one dataset: python -m experiments.prepare rosetta, or tfds:NAME"
        )
    try:
        str(DATA_DIR.value).encode()
    except UnicodeEncodeError:
        raise command.Refusal(
            f"--data_dir={DATA_DIR.value!r}: TFDS requires paths that are valid UTF-8"
        ) from None
    if not sys.stderr.isatty():
        load_library().disable_progress_bar()
    with contextlib.redirect_stdout(io.StringIO()):  # a shorter summary than that of TFDS is below
        builder = prepared(words[0])
    counts = ", ".join(
        f"{split} {one.num_examples:,}" for split, one in builder.info.splits.items()
    )
    name = builder.info.full_name.rpartition("/")[0]
    print(f"{builder.data_path}: {counts}")
    text = "text" in builder.info.features  # which no config of pairs reads
    words = [f"--config.data.name={PREFIX}{name}" if text else f"--config=configs/tfds.py:{name}"]
    words += [f"--config.data.options.data_dir={DATA_DIR.value}"] if DATA_DIR.value else []
    if text:
        print("with the config of a language model:", *map(command.quoted, words))
    else:
        print("python -m experiments.train", *map(command.quoted, words))


def prepared(word: str) -> Any:
    """Prepares a dataset and returns its builder."""
    if word.startswith(PREFIX):
        if OPTIONS.value or NAME.value:
            raise command.Refusal(
                f"--options and --name apply to datasets of attention_lab, not to {word} of TFDS"
            )
        return tfds_builders.prepare_official(word.removeprefix(PREFIX), DATA_DIR.value)
    options: dict[str, Any] = dict(map(option_of, OPTIONS.value))
    read, known, *_ = sources.dataset(word)
    name = NAME.value or "_".join([word, *variant(read, options)])
    if word in ORIGINALS:
        sources.check_options(word, read, options)  # this is checked before any download
        options["path"] = originals(word, options)
    splits = {split: sources.load(word, split, **options) for split in known or sources.SPLITS}
    return tfds_builders.prepare(name, DATA_DIR.value, splits)


def originals(dataset: str, options: dict[str, Any]) -> Path:
    """Returns the folder of a dataset's files after verifying their checksums; downloads them if `path` is not given."""
    files = originals_of(dataset, options)
    if "path" in options:
        missing(files, options["path"])  # reading reports missing files with a better message
        return Path(options["path"])
    root = Path(DATA_DIR.value or load_library().core.constants.DATA_DIR).expanduser()
    fetch(files, root / "downloads" / dataset, bar)
    return root / "downloads" / dataset


@contextlib.contextmanager
def bar(total: int | None, name: str) -> Iterator[Callable[[int], Any]]:
    """Shows a progress bar of bytes on a terminal; elsewhere it shows nothing."""
    silent = not sys.stderr.isatty()
    with tqdm(total=total, desc=name, disable=silent, leave=False, unit="B", unit_scale=True) as b:
        yield b.update


if __name__ == "__main__":
    command.run(main)
