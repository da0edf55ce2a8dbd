"""Texts about images or recordings, printed one after the other; one that cannot be read does not end the others."""

import sys
from collections.abc import Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from attention_lab.runs import evaluation, showing
from attention_lab.runs.run import Run

CONFIGS = MappingProxyType({"image": "configs/captions.py", "frames": "configs/speech.py"})
CALLED = MappingProxyType(
    {"image": "images", "frames": "recordings", "tokens": "texts", "nothing": "no source"}
)


def checked(run: Run, workdir: str, reads: str) -> None:
    """Raises ValueError, with what to do, if the model of a run reads another kind of source."""
    if run.model.reads != reads:
        raise ValueError(
            f"--workdir={workdir}: this model reads {CALLED[run.model.reads]}, not {CALLED[reads]}; train one with "
            f"--config={CONFIGS[reads]}"
        )


def example_of(run: Run, number: int) -> Any:
    """Returns the source of an example of the test set. Raises ValueError if there are fewer."""
    examples = evaluation.examples_of(run, run.config["data"]["test"])
    if number >= len(examples):
        raise ValueError(f"--number={number}: the test set has {len(examples):,} examples")
    return examples[number]["source"]


def describe(
    run: Run,
    workdir: Path,
    sources: Sequence[Any],
    *,
    name: str,
    beam: int | None = None,
    matrix: bool = False,
    picture: Path | None = None,
) -> int:
    """Prints the texts of sources, in order. Returns 1 if one of them could not be read, and otherwise 0.

    One that cannot be read has an empty line, and its reason is printed to standard error, after the name of the command.
    workdir: the run's folder, whose evaluation chose a layer and a head. matrix, picture: whether to print where the model looked, and the file to which it is drawn.
    """
    choice = evaluation.saved_choice(workdir, run.config["data"]["test"])
    size, failed = beam or run.config["decoding"]["beam"], False
    weights = matrix or picture is not None
    for source in sources:
        try:
            run.codec.source.arrays([source])
        except ValueError as error:
            print(f"{name}: {error}", file=sys.stderr)
            print()
            failed = True
            continue
        (found,) = run.translate([source], weights=weights, beam=size)
        if weights:
            showing.translation(run, source, found, matrix=matrix, picture=picture, choice=choice)
        else:
            print(found.text)
        if found.refused or not found.ended:
            reason = found.refused or "cut off by the length limit"
            print(f"{name}: {source}: {reason}", file=sys.stderr)
            failed |= found.refused is not None
    return int(failed)
