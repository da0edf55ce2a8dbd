"""Flags and steps of the commands that write texts about files: caption and transcribe."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from absl import flags

import attention_lab
from attention_lab.runs import describing, setup
from experiments import command

NUMBER = flags.DEFINE_integer(
    "number", None, "Read this example of the run's test set, counted from 0.", lower_bound=0
)
BEAM = flags.DEFINE_integer(
    "beam", None, "The beam size, by default that of the config.", lower_bound=1
)
SHOW = flags.DEFINE_bool("show_attention", False, "Print where the model looked for each word.")
HEATMAP = flags.DEFINE_string(
    "save_heatmap", None, "Draw where the model looked in one file, as this .png file."
)


def describe(
    paths: list[str], workdir: str, name: str, reads: str, opened: Callable[[str], Any]
) -> int:
    """Prints the text of each file, or of --number. Returns the exit status.

    name: of the command, and of its configs. reads: what the model must read. opened: (path) -> a source.
    """
    if bool(paths) == (NUMBER.value is not None):
        raise command.Refusal("give either files or --number; see --help")
    if HEATMAP.value:
        if len(paths) > 1:
            raise command.Refusal(f"--save_heatmap draws one file, and {len(paths)} are given")
        command.png("--save_heatmap", HEATMAP.value)
    setup.enable_compilation_cache()
    run = attention_lab.load(workdir)
    describing.checked(run, workdir, reads)
    number = NUMBER.value
    return describing.describe(
        run,
        Path(workdir),
        list(map(opened, paths)) if number is None else [describing.example_of(run, number)],
        name=name,
        beam=BEAM.value,
        matrix=SHOW.value,
        picture=Path(HEATMAP.value) if HEATMAP.value else None,
    )
