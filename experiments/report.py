"""What a study found, from its JSON lines alone: a table with intervals, and paired differences.

    python -m experiments.report --workdir=runs/studies/quickstart

Writes results.jsonl and report.md into the folder, and prints the tables. Exit status: 0; 2 where the
command cannot be obeyed.
"""

import json
from pathlib import Path

from absl import flags

from experiments import command, reporting
from experiments.study import study_of

WORKDIR = flags.DEFINE_string("workdir", "runs/studies/quickstart", "The study to report on.")


def main(words: list[str]) -> None:
    """Reports on a study, finished or not."""
    command.no_words(words)
    folder = Path(WORKDIR.value)
    path = folder / "study.json"
    if not path.is_file():
        raise command.Refusal(f"{folder} holds no study (there is no study.json in it)")
    study = study_of(json.loads(path.read_text()), folder)
    if not reporting.rows_of(study):
        raise command.Refusal(f"nothing of the study in {folder} has finished yet")
    print(reporting.write(study))


if __name__ == "__main__":
    command.run(main)
