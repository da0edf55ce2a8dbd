"""Decides claims of the literature: runs a study, or resumes it, and evaluates each claim on its results.

    python -m experiments.claims --config=configs/claims/rosetta.py
    python -m experiments.claims --config=configs/claims/rosetta.py --list
    python -m experiments.claims --config=configs/claims/rosetta.py --only=attention,heads
    python -m experiments.claims --only=saturation

A claim HOLDS if the whole 95 % interval of its quantity lies within the bounds, and FAILS if all of it lies outside;
otherwise it is INCONCLUSIVE. EARLY means that more training may change the verdict. With --only, only the arms that
the chosen claims need are trained. The same command resumes a study that was stopped. The command writes claims.jsonl
and claims.md to the study's folder, --workdir. The exit status is 0 for any verdict and 2 for an invalid command.
"""

import json
from pathlib import Path

from absl import flags
from ml_collections import config_flags

from attention_lab import files, studies
from attention_lab.claims import as_json, bounds, chosen, judge, legend, table
from attention_lab.runs import evaluation
from attention_lab.studies import reporting, results, scheduler, tables
from experiments import command

DEFAULT = "configs/claims/rosetta.py"
CONFIG = config_flags.DEFINE_config_file(
    "config", None, f"The config file of the study, by default {DEFAULT}."
)
WORKDIR = flags.DEFINE_string(
    "workdir", None, "The folder of the study, by default runs/studies/NAME of the config."
)
ONLY = flags.DEFINE_list("only", [], "The names of the claims to decide, by default all.")
LIST = flags.DEFINE_bool("list", False, "Print the claims without deciding them.")
MAX_MINUTES = flags.DEFINE_float(
    "max_minutes",
    None,
    "Save and stop after this many minutes; the same command resumes.",
    lower_bound=0,
)
PRINT_CONFIG = flags.DEFINE_bool("print_config", False, "Print the config without training.")


def main(words: list[str]) -> None:
    """Decides the chosen claims, and prints and saves their verdicts."""
    config = command.config_of(words, CONFIG.value, PRINT_CONFIG.value, ("base", "arms"))
    if config is None:
        return
    claims = chosen(ONLY.value)
    if LIST.value:
        lines = [[one.name, one.sentence, one.source, one.number, bounds(one)] for one in claims]
        print(tables.grid(["name", "claim", "source", "quantity", "claimed"], lines))
        return
    folder = Path(WORKDIR.value or f"runs/studies/{config['name']}")
    needed = {arm for claim in claims for arm in claim.arms}
    study = studies.run(
        config,
        folder,
        wanted=lambda group: bool(needed & {arm.name for arm in group.arms}),
        max_minutes=MAX_MINUTES.value,
    )
    rows = results.rows_of(study)
    decisions = []
    with evaluation.bar(len(claims), "deciding") as advance:
        for claim in claims:
            decisions.append(judge(claim, rows))
            advance(1)
    undecided = [claim.name for claim, one in zip(claims, decisions, strict=True) if one is None]
    verdicts = [one for one in decisions if one is not None]
    header, lines = table(verdicts)
    report = "\n\n".join(filter(None, [tables.grid(header, lines), legend(verdicts, rows)]))
    print("\n" + report, flush=True)
    if undecided:
        names = ", ".join(undecided)
        print(f"\nnot decided, because this study lacks their arms or data: {names}", flush=True)
    text = "".join(json.dumps(as_json(one)) + "\n" for one in verdicts)
    files.replace(folder / "claims.jsonl", text)
    files.replace(folder / "claims.md", report + "\n")
    print(f"\nclaims   {folder / 'claims.md'}", flush=True)
    if not scheduler.unfinished(study.groups):
        reporting.write(study)  # comparing all pairs of arms takes longest, so it comes last
        print(f"report   {folder / 'report.html'}")


if __name__ == "__main__":
    command.run(main, DEFAULT)
