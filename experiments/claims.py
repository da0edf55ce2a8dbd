"""Decides claims of the literature: runs a study where it has not run yet, and puts each claim to it.

    python -m experiments.claims --config=configs/claims/rosetta.py
    python -m experiments.claims --config=configs/claims/rosetta.py --list
    python -m experiments.claims --config=configs/claims/rosetta.py --only=attention,heads
    python -m experiments.claims --only=saturation

HOLDS: the whole 95 % interval of the number lies within the bounds; FAILS: all of it lies outside; else
INCONCLUSIVE; EARLY: more training may change the verdict. With --only, those arms alone are run that the claims need. The same command goes on with a
study that was stopped. The study's folder, --workdir, gets claims.jsonl and claims.md beside the study's
own. Exit status: 0, whatever the verdicts; 2 where the command cannot be obeyed.
"""

import json
from pathlib import Path

from absl import flags
from ml_collections import config_flags

from attention_lab import files, studies
from attention_lab.claims import as_json, bounds, chosen, judge, legend, table
from attention_lab.runs import evaluation
from attention_lab.studies import fleet, reporting, results, tables
from experiments import command

DEFAULT = "configs/claims/rosetta.py"
CONFIG = config_flags.DEFINE_config_file("config", None, f"The study, by default {DEFAULT}.")
WORKDIR = flags.DEFINE_string(
    "workdir", None, "Where everything goes, by default runs/studies/NAME."
)
ONLY = flags.DEFINE_list("only", [], "The names of the claims to decide, by default all.")
LIST = flags.DEFINE_bool("list", False, "Print the claims, and decide nothing.")
MAX_MINUTES = flags.DEFINE_float(
    "max_minutes", None, "Stop then, in order; the same command goes on.", lower_bound=0
)
PRINT_CONFIG = flags.DEFINE_bool("print_config", False, "Print the config, and run nothing.")


def main(words: list[str]) -> None:
    """Decides what is asked for."""
    config = command.config_of(words, CONFIG.value, PRINT_CONFIG.value, ("base", "arms"))
    if config is None:
        return
    claims = chosen(ONLY.value)
    if LIST.value:
        lines = [[one.name, one.sentence, one.source, one.number, bounds(one)] for one in claims]
        print(tables.grid(["claim", "sentence", "source", "number", "is"], lines))
        return
    folder = Path(WORKDIR.value or f"runs/studies/{config['name']}")
    needed = {arm for claim in claims for arm in claim.arms}
    study = studies.run(
        config,
        folder,
        wanted=lambda crew: bool(needed & {arm.name for arm in crew.arms}),
        max_minutes=MAX_MINUTES.value,
    )
    rows = results.rows_of(study)
    found = []
    with evaluation.bar(len(claims), "deciding") as tell:
        for claim in claims:
            found.append(judge(claim, rows))
            tell(1)
    undecided = [claim.name for claim, one in zip(claims, found, strict=True) if one is None]
    verdicts = [one for one in found if one is not None]
    header, lines = table(verdicts)
    told = "\n\n".join(filter(None, [tables.grid(header, lines), legend(verdicts, rows)]))
    print("\n" + told, flush=True)
    if undecided:
        print(f"\nnot in this study: {', '.join(undecided)}", flush=True)
    text = "".join(json.dumps(as_json(one)) + "\n" for one in verdicts)
    files.replace(folder / "claims.jsonl", text)
    files.replace(folder / "claims.md", told + "\n")
    print(f"\nclaims   {folder / 'claims.md'}", flush=True)
    if not fleet.unfinished(study):
        reporting.write(study)  # every arm against every other: the longest part comes last
        print(f"report   {folder / 'report.html'}")


if __name__ == "__main__":
    command.run(main, DEFAULT)
