"""Writes the report of a study from its results: tables with intervals, learning curves, and an HTML page.

    python -m experiments.report --workdir=runs/studies/quickstart

The command writes results.jsonl, report.md, report.html and figures/ to the folder, and prints the main tables. It
trains nothing. The exit status is 0 on success and 2 for an invalid command.
"""

import json
from pathlib import Path

from absl import flags

from attention_lab.studies import reporting, results
from attention_lab.studies.study import study_of
from experiments import command

WORKDIR = flags.DEFINE_string("workdir", "runs/studies/quickstart", "The folder of the study.")


def main(words: list[str]) -> None:
    """Writes and prints the report of a study, which need not be finished."""
    command.no_words(words)
    folder = Path(WORKDIR.value)
    path = folder / "study.json"
    if not path.is_file():
        raise command.Refusal(f"{folder} holds no study (there is no study.json in it)")
    try:
        study = study_of(json.loads(path.read_text(encoding="utf-8")), folder)
    except (ValueError, KeyError, TypeError) as error:
        raise command.Refusal(
            f"{path} is damaged or was written by another version of this program ({error!r}); run the "
            "study again in another --workdir"
        ) from None
    if not results.rows_of(study):
        raise command.Refusal(f"no run of the study in {folder} has finished yet")
    print(reporting.write(study, print))


if __name__ == "__main__":
    command.run(main)
