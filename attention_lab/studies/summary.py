"""What a report says of a study in sentences: its arms, its budget, and what went wrong."""

from collections.abc import Sequence

from attention_lab.runs import setup
from attention_lab.studies import budgets, findings, tuning
from attention_lab.studies.rows import Row
from attention_lab.studies.study import Study
from attention_lab.training.nonfinite import PATIENCE


def subtitle(study: Study, rows: Sequence[Row]) -> str:
    """Returns a description of the study: arms, seeds, budget, data, metrics and tuning."""
    base = study.config["base"]
    seeds = {arm.name: len(findings.of_arm(rows, arm.name)) for arm in study.arms}
    done = [f"{n} seeds" if n else "not finished" for n in dict.fromkeys(seeds.values())]
    return " ".join(filter(None, [_summary(study, rows, base, done), skipped(rows), refused(rows)]))


def _summary(study, rows, base, done):
    beam = f", beam {rows[0]['search']['beam']}" if rows[0]["search"] else ""
    return (
        f"{len(study.arms)} arms, {', '.join(done)}; {budgets.describe(study)}, {setup.names_of(base)}, "
        f"{rows[0]['sentences']:,} test examples{beam}. "
        f"{_signatures(study, rows)}{_tuning(study)}"
    )


def skipped(rows: Sequence[Row]) -> str:
    """Returns a sentence with the replicas that skipped nonfinite updates, or "" if there are none."""
    lines = [
        f"{row['arm']}, seed {row['seed']}: {row['skipped']:,}{' (frozen)' * row['frozen']}"
        for row in rows
        if row.get("skipped")
    ]
    if not lines:
        return ""
    frozen = any(row.get("frozen") for row in rows)
    meaning = (
        f"; a frozen replica skipped {PATIENCE} in a row, with which a single run would have ended"
    )
    return (
        f"Replicas that skipped nonfinite updates, and are included like the others{meaning * frozen}: "
        f"{'; '.join(lines)}."
    )


def refused(rows: Sequence[Row]) -> str:
    """Returns a sentence with the replicas whose model could not encode some sentences, or "" if there are none."""
    lines = [
        f"{row['arm']}, seed {row['seed']}: {row['refused']:,}"
        for row in rows
        if row.get("refused")
    ]
    title = "Sentences that a model could not encode, which count as empty translations"
    return f"{title}: {'; '.join(lines)}." if lines else ""


def _tuning(study):
    """Returns how the tuned field of each arm was chosen, or "" if the study's folder has no finished trials."""
    chosen = study.config["tuning"]
    if not chosen["candidates"] or not tuning.is_done(study.config, study.folder):
        return ""
    values = ", ".join(f"{arm.name}: {tuning.value_of(arm, chosen['field'])}" for arm in study.arms)
    return (
        f" For each arm, {chosen['field']} was chosen on validation from {', '.join(map(str, chosen['candidates']))}, "
        f"{tuning.describe(study.config)}; the chosen values are {values}."
    )


def _signatures(study, rows):
    """Returns the signatures of the metrics that have one."""
    scores = rows[0]["scores"]
    signed = [
        f"{metric.title}: {scores[metric.name]['signature']}"
        for metric in study.metrics
        if "signature" in scores.get(metric.name, {})
    ]
    return f"{'; '.join(signed)}." if signed else ""
