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
import os
from collections.abc import Sequence
from math import isinf
from pathlib import Path

from absl import flags
from ml_collections import config_flags

from attention_lab.training import replicas
from attention_lab.training.interrupt import Interrupt
from experiments import budgets, checks, command, findings, fleet, reporting, translation
from experiments.claiming import mechanism
from experiments.claiming import translation as translating
from experiments.claiming.contracts import Claim, Verdict, judge
from experiments.rows import Row
from experiments.study import study_of

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
CLAIMS = (*mechanism.CLAIMS, *translating.CLAIMS)


def main(words: list[str]) -> None:
    """Decides what is asked for."""
    config = command.config_of(words, CONFIG.value, PRINT_CONFIG.value, ("base", "arms"))
    if config is None:
        return
    claims = chosen(ONLY.value)
    if LIST.value:
        lines = [[one.name, one.sentence, one.source, one.number, bounds(one)] for one in claims]
        print(reporting.grid(["claim", "sentence", "source", "number", "is"], lines))
        return
    folder = Path(WORKDIR.value or f"runs/studies/{config['name']}")
    checks.study(config)
    study = study_of(budgets.balanced(config), folder)
    replicas.cores_as_devices(os.cpu_count() or 1)
    translation.prepare()
    needed = {arm for claim in claims for arm in claim.arms}
    with Interrupt(MAX_MINUTES.value) as interrupt:
        wanted = [one for one in study.crews if needed & {arm.name for arm in one.arms}]
        fleet.run(study, wanted, fleet.Machine(interrupt=interrupt))
    rows = findings.rows_of(study)
    found = []
    with translation.bar(len(claims), "deciding") as tell:
        for claim in claims:
            found.append(judge(claim, rows))
            tell(1)
    undecided = [claim.name for claim, one in zip(claims, found, strict=True) if one is None]
    verdicts = [one for one in found if one is not None]
    header, lines = table(verdicts)
    told = "\n\n".join(filter(None, [reporting.grid(header, lines), legend(verdicts, rows)]))
    print("\n" + told, flush=True)
    if undecided:
        print(f"\nnot in this study: {', '.join(undecided)}", flush=True)
    text = "".join(json.dumps(as_json(one)) + "\n" for one in verdicts)
    reporting.replace(folder / "claims.jsonl", text)
    reporting.replace(folder / "claims.md", told + "\n")
    print(f"\nclaims   {folder / 'claims.md'}", flush=True)
    if not fleet.unfinished(study):
        reporting.write(study)  # every arm against every other: the longest part comes last
        print(f"report   {folder / 'report.html'}")


def chosen(names: Sequence[str]) -> list[Claim]:
    """The claims of these names, or all. Raises Refusal where there is no such claim."""
    known = {claim.name: claim for claim in CLAIMS}
    for name in names:
        if name not in known:
            raise command.Refusal(
                f"--only: there is no claim {name!r}; there are {', '.join(known)}"
            )
    return [known[name] for name in names] if names else list(CLAIMS)


def bounds(claim: Claim) -> str:
    """The bounds in words."""
    low, high = claim.bounds
    if isinf(high):
        return f"more than {low:g}"
    if isinf(low):
        return f"less than {high:g}"
    return f"between {low:g} and {high:g}"


def table(verdicts: Sequence[Verdict]) -> tuple[list[str], list[list[str]]]:
    """What was decided, as it is read."""
    lines = []
    for one in verdicts:
        found = one.interval
        number = f"{found.estimate:.3g} [{found.low:.3g}, {found.high:.3g}]"
        claim, verdict = one.claim, reporting.unless_early(one.verdict, one.early)
        lines.append([claim.sentence, claim.source, claim.number, number, bounds(claim), verdict])
    return ["claim", "source", "number", "found [95 %]", "claimed", "verdict"], lines


def legend(verdicts: Sequence[Verdict], rows: Sequence[Row]) -> str:
    """What EARLY means where it was said, and which replicas skipped updates or could not read some sentences."""
    said = [reporting.EARLY_NOTE] if any(one.early for one in verdicts) else []
    return "\n\n".join([*said, *filter(None, [reporting.skipped(rows), reporting.refused(rows)])])


def as_json(one: Verdict) -> dict[str, object]:
    """A verdict as plain JSON."""
    found = one.interval
    numbers = {name: float(getattr(found, name)) for name in ("estimate", "low", "high")}
    told = {field: getattr(one.claim, field) for field in ("name", "sentence", "source", "number")}
    return {
        **told,
        "claimed": bounds(one.claim),
        **numbers,
        "verdict": one.verdict,
        "early": one.early,
    }


if __name__ == "__main__":
    command.run(main, DEFAULT)
