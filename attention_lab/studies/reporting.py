"""The report of a study, from its rows alone: tables in Markdown, figures, and one HTML page with both."""

import json
from collections.abc import Callable, Sequence

import numpy as np

from attention_lab import files
from attention_lab.evaluation import diagnostics
from attention_lab.evaluation.metrics import Metric
from attention_lab.studies import findings, page, results
from attention_lab.studies.figures import figures
from attention_lab.studies.page import Table
from attention_lab.studies.rows import Row
from attention_lab.studies.study import Study
from attention_lab.studies.summary import refused, skipped, subtitle
from attention_lab.studies.tables import (
    EARLY,
    conclusion,
    grid,
    interval,
    markdown,
    marked,
    p_value,
)
from attention_lab.views import curves

NOTE = """Intervals are 95 % confidence intervals: they contain the true value in 95 of 100 studies like this one with \
other seeds and other test sentences of the same kind. They do not account for other corpora, model sizes or budgets. \
Differences are paired: both arms have the same seeds, the same order of data and the same sentences. p is adjusted for \
all comparisons of the table by Holm's method. "bootstrap" is the interval of a bootstrap of seeds and sentences, which \
is too narrow with few seeds (if only seeds vary, a 95 % interval covers 74 % with three seeds, 82 % with five, 90 % \
with ten). "sacreBLEU's p" is that of its paired bootstrap of the BLEU of the first seeds, which resamples sentences \
only. "effect" is the mean difference divided by its standard deviation over seeds. "seeds needed" is the number of seeds \
with which a true difference of this size is detected with a probability of 80 %; a dash means that more sentences are \
needed first. A number without an interval is of one seed, of fewer than ten sentences, or of values that are all equal."""
EARLY_NOTE = """EARLY marks a conclusion that more training may change: over the last tenth of its target tokens, an \
arm (for a difference, either arm) improved the main metric on validation by more than half the width of the interval \
of its score, or of the difference. The improvement is that of the best score so far, averaged over seeds and linearly \
interpolated between validations."""


def write(study: Study, report: Callable[[str], object] = lambda tables: None) -> str:
    """Writes results.jsonl, report.md, report.html and figures/. Returns a line with the path of the report.

    report: is called with the main tables as text before anything is written.
    """
    rows = results.rows_of(study)
    arms = [arm.name for arm in study.arms if findings.of_arm(rows, arm.name)]
    metrics = study.metrics
    main = [scores(rows, arms, metrics), differences(rows, arms, study.compared, metrics[0])]
    sections = [grid(table.header, table.lines) for table in main if table.lines]
    if any(EARLY in cell for table in main for line in table.lines for cell in line):
        sections.append(EARLY_NOTE)
    report("\n" + "\n\n".join(filter(None, [*sections, skipped(rows), refused(rows)])))
    files.replace(study.folder / "results.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    lengths = tuple(study.config.get("lengths", ())) or diagnostics.LENGTHS
    tables = [*main, *claims(study), *details(rows, arms, metrics[0], lengths)]
    drawn = figures(rows, arms, metrics[0], lengths)
    svgs = {name: curves.svg(figure) for name, figure in drawn.items()}
    (study.folder / "figures").mkdir(exist_ok=True)
    for name, figure in svgs.items():
        files.replace(study.folder / "figures" / f"{name.lower().replace(' ', '_')}.svg", figure)
    summary = subtitle(study, rows)
    note = f"{NOTE} {EARLY_NOTE}"
    sections = [f"# {study.name}", summary, *map(markdown, tables), note]
    files.replace(study.folder / "report.md", "\n\n".join(sections) + "\n")
    examples = {arm: findings.of_arm(rows, arm)[0].get("example") for arm in arms}
    html = page.page(study.name, summary, tables, svgs, examples, note)
    files.replace(study.folder / "report.html", html)
    return f"\nreport   {study.folder / 'report.html'} (and report.md, figures/)"


def scores(rows: Sequence[Row], arms: Sequence[str], metrics: Sequence[Metric]) -> Table:
    """Returns the table of arms with their scores by each metric; the main metric is the first."""
    lines, first = [], metrics[0]
    for arm in arms:
        arm_rows = findings.of_arm(rows, arm)
        cells = [arm, str(len(arm_rows))]
        main, *others = (interval(findings.score(rows, arm, metric)) for metric in metrics)
        early = findings.early(rows, arm, metric=first)
        cells += [f"{main} {EARLY}" if early else main, *others]
        values = [row["scores"][first.name]["score"] for row in arm_rows]
        spread = f"{np.std(values, ddof=1):.2f}" if len(arm_rows) > 1 else "-"
        lines.append([*cells, spread, f"{arm_rows[0]['parameters']:,}"])
    header = ["arm", "seeds", *(f"{m.title} [95 %]" for m in metrics), f"sd of {first.title}"]
    return Table("Arms", "", [*header, "parameters"], lines)


def differences(
    rows: Sequence[Row], arms: Sequence[str], metrics: Sequence[Metric], main: Metric
) -> Table:
    """Returns the table of comparisons by some metrics. main: the metric that determines whether they are EARLY."""
    lines = []
    comparisons = findings.compare(rows, arms, metrics)
    library = findings.library_p(rows, comparisons)
    for one in comparisons:
        low, high = one.bootstrap
        paired, p = one.difference, library.get((one.arm, one.other, one.metric.name))
        lines.append(
            [
                f"{one.arm} - {one.other}",
                one.metric.title,
                f"{paired.estimate:+.2f} [{paired.low:+.2f}, {paired.high:+.2f}]",
                p_value(one.adjusted),
                f"{one.effect:+.1f}" if np.isfinite(one.effect) else "-",
                "-" if one.needed is None else str(one.needed),
                f"[{low:+.2f}, {high:+.2f}]",
                p_value(p) if p is not None else "",
                marked(conclusion(one), findings.early(rows, one.arm, one.other, metric=main)),
            ]
        )
    header = [
        "difference",
        "metric",
        "mean [95 %]",
        "p",
        "effect",
        "seeds needed",
        "bootstrap",
        "sacreBLEU's p",
    ]
    return Table("Differences", "", [*header, "conclusion"], lines)


# For each table: its title, the field of a row, the names of the classes, and its description.
WORD_CLASSES = (
    (
        "By frequency",
        "frequency",
        diagnostics.FREQUENCY_NAMES,
        "The percentage of reference words that the translation has, by their number of occurrences in training.",
    ),
    (
        "By order",
        "jump",
        diagnostics.JUMP_NAMES,
        "The same percentage, by the distance between their source word and the one that follows in order.",
    ),
    (
        "By fertility",
        "fertility",
        diagnostics.FERTILITY_NAMES,
        "The same percentage, by the number of target words that are linked to their source word.",
    ),
)


def details(
    rows: Sequence[Row],
    arms: Sequence[str],
    metric: Metric,
    lengths: Sequence[int] = diagnostics.LENGTHS,
) -> list[Table]:
    """Returns the tables of diagnostics that the study's corpus allows. lengths: the least length of each class."""
    by_arm = {arm: findings.by_length(rows, arm, metric, lengths) for arm in arms}
    note = f"{metric.title} of test sentences, by the number of source words."
    names = diagnostics.length_names(lengths)
    tables = [_by_class("By length", note, "sentences", names, by_arm)]
    for title, field, names, note in WORD_CLASSES:
        points = {arm: findings.by_class(rows, arm, field, len(names)) for arm in arms}
        tables.append(_by_class(title, note, "words", names, points))
    tables += [attention(rows, arms), cost(rows, arms, metric)]
    return [table for table in tables if table.lines]


def _by_class(title, note, size, names, by_arm):
    """Returns a table with a line for each class and a column for each arm."""
    by_class = {arm: {p.number: p for p in points} for arm, points in by_arm.items() if points}
    lines = []
    for number in sorted({number for points in by_class.values() for number in points}):
        points = [known.get(number) for known in by_class.values()]
        count = next(p.size for p in points if p is not None)
        lines.append([names[number], f"{count:,}", *(interval(p, 1) for p in points)])
    return Table(title, note, ["", size, *by_class], lines)


def claims(study: Study) -> list[Table]:
    """Returns the table of verdicts, if experiments.claims has run in the study's folder."""
    path = study.folder / "claims.jsonl"
    lines = []
    for one in map(
        json.loads, path.read_text(encoding="utf-8").splitlines() if path.is_file() else ()
    ):
        estimate = f"{one['estimate']:.3g} [{one['low']:.3g}, {one['high']:.3g}]"
        verdict = marked(one["verdict"], one.get("early", False))
        lines.append([one["sentence"], one["number"], estimate, one["claimed"], verdict])
    header = ["claim", "quantity", "estimate [95 %]", "claimed", "verdict"]
    note = (
        "A claim HOLDS if the whole interval lies within the claimed bounds, and FAILS if all of it lies outside; "
        "otherwise it is INCONCLUSIVE. The verdicts are not adjusted for their number: of twenty, one may be wrong."
    )
    return [Table("Claims", note, header, lines)] if lines else []


def attention(rows: Sequence[Row], arms: Sequence[str]) -> Table:
    """Returns the table of the entropy of attention and of the agreement of seeds and of heads."""
    lines = []
    for arm in arms:
        arm_rows = [row for row in findings.of_arm(rows, arm) if "entropy" in row]
        if arm_rows:
            entropy = f"{np.mean([row['entropy'] for row in arm_rows]):.2f}"
            pairs = ("seeds", "heads")
            agreed = [[row["agreement"].get(kind) for row in arm_rows] for kind in pairs]
            cells = ["-" if None in values else f"{100 * np.mean(values):.0f}" for values in agreed]
            lines.append([arm, entropy, *cells])
    note = (
        "The entropy of the attention weights of a target token over the source tokens, and the agreement of two seeds "
        "or heads: the percentage of weight that they put on the same source tokens."
    )
    header = ["arm", "entropy, bits", "between seeds, %", "between heads, %"]
    return Table("Attention", note, header, lines)


def cost(rows: Sequence[Row], arms: Sequence[str], metric: Metric) -> Table:
    """Returns the table of the cost of a seed and the late improvement of the main metric."""
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
        "For training: the floating-point operations of matrix products, the estimated memory of all seeds, and the "
        f"change of validation {metric.title} over the last tenth of the target tokens (positive: an improvement)."
    )
    header = ["arm", "parameters", "TFLOP per seed", "MiB", f"last tenth, {metric.title}"]
    return Table("Cost", note, header, lines)
