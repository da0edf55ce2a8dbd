"""What a study found, from its JSON lines alone: tables with intervals, curves, and one page with all of it.

    python -m experiments.report --workdir=runs/studies/quickstart

Writes results.jsonl, report.md, report.html and figures/ into the folder, and prints the main tables. Exit status: 0; 2 where the
command cannot be obeyed.
"""

import json
from pathlib import Path

from absl import flags

from attention_lab.studies import reporting, results
from attention_lab.studies.study import study_of
from experiments import command

WORKDIR = flags.DEFINE_string("workdir", "runs/studies/quickstart", "The study to report on.")


def main(words: list[str]) -> None:
    """Reports on a study, finished or not."""
    command.no_words(words)
    folder = Path(WORKDIR.value)
    path = folder / "study.json"
    if not path.is_file():
        raise command.Refusal(f"{folder} holds no study (there is no study.json in it)")
    try:
        study = study_of(json.loads(path.read_text(encoding="utf-8")), folder)
    except (ValueError, KeyError, TypeError) as error:
        raise command.Refusal(
            f"{path} is damaged or of another version of this program ({error!r}); run the study's "
            "command again in another --workdir"
        ) from None
    if not results.rows_of(study):
        raise command.Refusal(f"nothing of the study in {folder} has finished yet")
    print(reporting.write(study, print))


if __name__ == "__main__":
    command.run(main)
