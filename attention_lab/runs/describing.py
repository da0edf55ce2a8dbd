"""Texts about images or recordings, printed one after the other; one that cannot be read does not end the others."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from attention_lab.runs import evaluation, showing
from attention_lab.runs.run import Run


def checked(run: Run, workdir: str, reads: str, advice: str) -> None:
    """Raises ValueError, with what to do, if the model of a run reads another kind of source."""
    if run.model.reads != reads:
        raise ValueError(
            f"--workdir={workdir}: this model reads {run.model.reads}, not {reads}; {advice}"
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
    opened: Callable[[Any], Any],
    *,
    name: str,
    beam: int | None = None,
    matrix: bool = False,
    picture: Path | None = None,
) -> int:
    """Prints the texts of sources, in order. Returns 1 if one of them could not be read, and otherwise 0.

    workdir: the run's folder, whose evaluation chose a layer and a head. opened: raises ValueError for a source that
    cannot be read, whose line is empty and whose reason is printed to standard error, after the name of the command.
    matrix, picture: whether to print where the model looked, and the file to which it is drawn.
    """
    choice = evaluation.saved_choice(workdir, run.config["data"]["test"])
    size, failed = beam or run.config["decoding"]["beam"], False
    weights = matrix or picture is not None
    for source in sources:
        try:
            opened(source)
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
