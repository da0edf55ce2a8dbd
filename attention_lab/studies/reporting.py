"""A study's report: tables in Markdown, figures, and one HTML page with all of it; from its rows alone."""

import json
from collections.abc import Callable, Sequence

import numpy as np

from attention_lab import files
from attention_lab.evaluation import diagnostics
from attention_lab.evaluation.metrics import Metric
from attention_lab.studies import budgets, findings, page, results, tuning
from attention_lab.studies.figures import figures
from attention_lab.studies.page import Table
from attention_lab.studies.rows import Row
from attention_lab.studies.study import Study
from attention_lab.studies.tables import (
    EARLY,
    grid,
    interval,
    markdown,
    p_value,
    unless_early,
    verdict,
)
from attention_lab.training.nonfinite import PATIENCE
from attention_lab.views import curves

NOTE = """Intervals hold the truth in 95 of 100 studies like this one, were other seeds and other test \
sentences of the same kind drawn; they say nothing of other corpora, sizes or budgets. Differences are \
paired: the same seeds in the same order of data, and the same sentences. p is adjusted by Holm's rule over \
all comparisons of the table; beside it stand the interval of a bootstrap of seeds and sentences, which is \
too narrow with few seeds (where they alone matter, 95 % cover 74 with three seeds, 82 with five, 90 with \
ten), and the p of sacreBLEU's paired bootstrap of the BLEU of the first seeds, which draws \
sentences alone. "Seeds needed" is how many would settle the difference with a probability of 80 %, were it the \
true one; a dash says that more sentences are needed first. A number without an interval is of one seed, of \
fewer than ten sentences, or of values that are all the same."""
EARLY_NOTE = """EARLY: over the last tenth of its target tokens an arm, of a difference either arm, still gained more \
of the main metric on validation (the best until then, the mean of its seeds, linear between validations) than half the \
width of the interval of its score or of their difference, so that more training may turn what is said here round."""


def write(study: Study, report: Callable[[str], object] = lambda tables: None) -> str:
    """Writes results.jsonl, report.md, report.html and figures/, and gives where. report: gets the main tables before."""
    rows = results.rows_of(study)
    arms = [arm.name for arm in study.arms if findings.of_arm(rows, arm.name)]
    metrics = study.metrics
    main = [scores(rows, arms, metrics), differences(rows, arms, study.compared, metrics[0])]
    sections = [grid(one.header, one.lines) for one in main if one.lines]
    if any(EARLY in cell for one in main for line in one.lines for cell in line):
        sections.append(EARLY_NOTE)
    report("\n" + "\n\n".join(filter(None, [*sections, skipped(rows), refused(rows)])))
    files.replace(study.folder / "results.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    tables = [*main, *claims(study), *details(rows, arms, metrics[0])]
    drawn = {name: curves.svg(figure) for name, figure in figures(rows, arms, metrics[0]).items()}
    (study.folder / "figures").mkdir(exist_ok=True)
    for name, figure in drawn.items():
        files.replace(study.folder / "figures" / f"{name.lower().replace(' ', '_')}.svg", figure)
    what = subtitle(study, rows)
    note = f"{NOTE} {EARLY_NOTE}"
    parts = [f"# {study.name}", what, *map(markdown, tables), note]
    files.replace(study.folder / "report.md", "\n\n".join(parts) + "\n")
    examples = {arm: findings.of_arm(rows, arm)[0].get("example") for arm in arms}
    html = page.page(study.name, what, tables, drawn, examples, note)
    files.replace(study.folder / "report.html", html)
    return f"\nreport   {study.folder / 'report.html'} (and report.md, figures/)"


def subtitle(study: Study, rows: Sequence[Row]) -> str:
    """What was run, in two sentences."""
    base = study.config["base"]
    seeds = {arm.name: len(findings.of_arm(rows, arm.name)) for arm in study.arms}
    done = [f"{n} seeds" if n else "not finished" for n in dict.fromkeys(seeds.values())]
    return " ".join(filter(None, [_what(study, rows, base, done), skipped(rows), refused(rows)]))


def _what(study, rows, base, done):
    return (
        f"{len(study.arms)} arms, {', '.join(done)}; {budgets.in_words(study)}, of {base['data']['name']}, {rows[0]['sentences']:,} test sentences, beam {rows[0]['search']['beam']}. "
        f"{_signatures(study, rows)}{_tuning(study)}"
    )


def skipped(rows: Sequence[Row]) -> str:
    """Which replicas skipped updates that were not finite, in a sentence; "" where none did."""
    lines = [
        f"{row['arm']}, seed {row['seed']}: {row['skipped']:,}{' (frozen)' * row['frozen']}"
        for row in rows
        if row.get("skipped")
    ]
    if not lines:
        return ""
    frozen = any(row.get("frozen") for row in rows)
    what = f"; frozen is a replica that skipped {PATIENCE} in a row, of which alone it would have ended"
    return (
        f"Replicas that skipped updates which were not finite, and count like the others{what * frozen}: "
        f"{'; '.join(lines)}."
    )


def refused(rows: Sequence[Row]) -> str:
    """Which replicas could not read some sentences, in a sentence; "" where none did."""
    lines = [
        f"{row['arm']}, seed {row['seed']}: {row['refused']:,}"
        for row in rows
        if row.get("refused")
    ]
    what = "Sentences that a model could not read, and that count as translated by nothing"
    return f"{what}: {'; '.join(lines)}." if lines else ""


def _tuning(study):
    """How each arm got its value; "" where no trials stand in the study's folder."""
    chosen = study.config["tuning"]
    if not chosen["candidates"] or not tuning.is_done(study.config, study.folder):
        return ""
    values = ", ".join(f"{arm.name}: {tuning.value_of(arm, chosen['field'])}" for arm in study.arms)
    return (
        f" In each arm {chosen['field']} was the best on validation of {', '.join(map(str, chosen['candidates']))}, "
        f"{tuning.in_words(study.config)}; it is {values}."
    )


def _signatures(study, rows):
    """How each metric was computed, where there is a choice."""
    scores = rows[0]["scores"]
    signed = [
        f"{metric.title}: {scores[metric.name]['signature']}"
        for metric in study.metrics
        if "signature" in scores.get(metric.name, {})
    ]
    return f"{'; '.join(signed)}." if signed else ""


def scores(rows: Sequence[Row], arms: Sequence[str], metrics: Sequence[Metric]) -> Table:
    """The table of arms: their scores by each metric, the main one first."""
    lines, first = [], metrics[0]
    for arm in arms:
        arm_rows = findings.of_arm(rows, arm)
        cells = [arm, str(len(arm_rows))]
        main, *others = (interval(findings.score(rows, arm, metric)) for metric in metrics)
        early = findings.early(rows, arm, metric=first)
        cells += [f"{main} {EARLY}" if early else main, *others]
        each = [row["scores"][first.name]["score"] for row in arm_rows]
        spread = f"{np.std(each, ddof=1):.2f}" if len(arm_rows) > 1 else "-"
        lines.append([*cells, spread, f"{arm_rows[0]['parameters']:,}"])
    header = ["arm", "seeds", *(f"{m.title} [95 %]" for m in metrics), f"sd of {first.title}"]
    return Table("Arms", "", [*header, "parameters"], lines)


def differences(
    rows: Sequence[Row], arms: Sequence[str], metrics: Sequence[Metric], main: Metric
) -> Table:
    """The table of comparisons by some metrics; main: the one by which it is decided whether they are EARLY."""
    lines = []
    every = findings.compare(rows, arms, metrics)
    library = findings.library_p(rows, every)
    for one in every:
        low, high = one.bootstrap
        result, p = one.difference, library.get((one.arm, one.other, one.metric.name))
        lines.append(
            [
                f"{one.arm} - {one.other}",
                one.metric.title,
                f"{result.estimate:+.2f} [{result.low:+.2f}, {result.high:+.2f}]",
                p_value(one.adjusted),
                f"{one.effect:+.1f}",
                "-" if one.needed is None else str(one.needed),
                f"[{low:+.2f}, {high:+.2f}]",
                p_value(p) if p is not None else "",
                unless_early(verdict(one), findings.early(rows, one.arm, one.other, metric=main)),
            ]
        )
    header = [
        "difference",
        "of",
        "mean [95 %]",
        "p",
        "effect",
        "seeds needed",
        "bootstrap",
        "sacreBLEU's p",
    ]
    return Table("Differences", "", [*header, "says"], lines)


WORDS = (  # what words are told apart by: the title, the part of a row, names of classes, and what it shows
    (
        "By frequency",
        "frequency",
        diagnostics.FREQUENCY_NAMES,
        "Reference words that the translation has, in percent, by how often training has them.",
    ),
    (
        "By order",
        "jump",
        diagnostics.JUMP_NAMES,
        "The same by how far their source word stands from where reading on would be.",
    ),
    (
        "By fertility",
        "fertility",
        diagnostics.FERTILITY_NAMES,
        "The same by how many target words their source word has.",
    ),
)


def details(rows: Sequence[Row], arms: Sequence[str], metric: Metric) -> list[Table]:
    """The diagnostics that the study's corpus allows."""
    lengths = {arm: findings.by_length(rows, arm, metric) for arm in arms}
    what = f"{metric.title} of test sentences by words of the source."
    tables = [_by_class("By length", what, "sentences", diagnostics.LENGTH_NAMES, lengths)]
    for title, part, names, what in WORDS:
        points = {arm: findings.by_class(rows, arm, part, len(names)) for arm in arms}
        tables.append(_by_class(title, what, "words", names, points))
    tables += [attention(rows, arms), cost(rows, arms, metric)]
    return [one for one in tables if one.lines]


def _by_class(title, note, size, names, by_arm):
    """A line for each class, a column for each arm."""
    points = {arm: {p.number: p for p in each} for arm, each in by_arm.items() if each}
    lines = []
    for number in sorted({number for each in points.values() for number in each}):
        of = [each.get(number) for each in points.values()]
        count = next(p.size for p in of if p is not None)
        lines.append([names[number], f"{count:,}", *(interval(p, 1) for p in of)])
    return Table(title, note, ["", size, *points], lines)


def claims(study: Study) -> list[Table]:
    """What was decided of claims, where experiments.claims has run."""
    path = study.folder / "claims.jsonl"
    lines = []
    for one in map(
        json.loads, path.read_text(encoding="utf-8").splitlines() if path.is_file() else ()
    ):
        number = f"{one['estimate']:.3g} [{one['low']:.3g}, {one['high']:.3g}]"
        verdict = unless_early(one["verdict"], one.get("early", False))
        lines.append([one["sentence"], one["number"], number, one["claimed"], verdict])
    header = ["claim", "number", "found [95 %]", "claimed", "verdict"]
    note = (
        "HOLDS: the whole interval lies within what is claimed; FAILS: all of it lies outside. Each at 95 % by "
        "itself: of twenty, one may err."
    )
    return [Table("Claims", note, header, lines)] if lines else []


def attention(rows: Sequence[Row], arms: Sequence[str]) -> Table:
    """How attention spreads, and how far seeds and heads agree."""
    lines = []
    for arm in arms:
        arm_rows = [row for row in findings.of_arm(rows, arm) if "entropy" in row]
        if arm_rows:
            entropy = f"{np.mean([row['entropy'] for row in arm_rows]):.2f}"
            agreed = [[row["agreement"].get(of) for row in arm_rows] for of in ("seeds", "heads")]
            cells = ["-" if None in each else f"{100 * np.mean(each):.0f}" for each in agreed]
            lines.append([arm, entropy, *cells])
    note = (
        "Entropy of the weights that a target token gives to source tokens, and how far two seeds or heads "
        "agree: the share of weight that they put on the same source tokens."
    )
    header = ["arm", "entropy, bits", "between seeds, %", "between heads, %"]
    return Table("Attention", note, header, lines)


def cost(rows: Sequence[Row], arms: Sequence[str], metric: Metric) -> Table:
    """What a seed costs, and what the main metric gained in the end."""
    first = [(arm, findings.of_arm(rows, arm)[0]) for arm in arms]
    lines = [
        [
            arm,
            f"{row['parameters']:,}",
            f"{row['flops'] / 1e12:,.1f}",
            f"{row['memory'] / 2**20:,.0f}",
            f"{findings.late_gain(rows, arm, metric):+.2f}",
        ]
        for arm, row in first
    ]
    note = (
        "Of training: the floating-point operations of matrix products, all seeds' memory as estimated, and what "
        f"validation {metric.title} gained over the last tenth of the target tokens."
    )
    header = ["arm", "parameters", "TFLOP of a seed", "MiB", f"last tenth, {metric.title}"]
    return Table("Cost", note, header, lines)
