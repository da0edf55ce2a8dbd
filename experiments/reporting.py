"""What a study found, from its JSON lines alone: a table with intervals, and paired differences.

Every interval counts the seeds and the test sentences as chance (attention_lab.evaluation.statistics).
"""

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from attention_lab.evaluation import statistics
from attention_lab.evaluation.statistics import Interval
from experiments.study import Study


class Metric(NamedTuple):
    """A score that can be compared: the name of its parts in a row, and what becomes of their sum."""

    title: str
    parts: str
    of: Callable[[np.ndarray], np.ndarray]


METRICS = (
    Metric("BLEU", "bleu", statistics.bleu_of),
    Metric("AER %", "aer", statistics.aer_of),
)


class Comparison(NamedTuple):
    """How much an arm's score differs from another's, the same seeds and sentences in both."""

    metric: Metric
    arm: str
    other: str
    difference: Interval
    adjusted: float  # p by Holm's rule over all comparisons of the study
    bootstrap: tuple[float, float]
    effect: float
    needed: int | None


def rows_of(study: Study) -> list[dict[str, Any]]:
    """The results of all that has finished, arm by arm and seed by seed."""
    rows = []
    for crew in study.crews:
        if crew.results.is_file():
            rows += [json.loads(line) for line in crew.results.read_text().splitlines()]
    order = {arm.name: number for number, arm in enumerate(study.arms)}
    return sorted(rows, key=lambda row: (order[row["arm"]], study.seeds.index(row["seed"])))


def parts_of(rows: Iterable[dict[str, Any]], arm: str, metric: Metric) -> np.ndarray | None:
    """The parts [R, N, P] of an arm's seeds; None where it has none."""
    found = [row["parts"].get(metric.parts) for row in rows if row["arm"] == arm]
    return None if not found or None in found else np.array(found, float)


def compare(rows: Sequence[dict[str, Any]], arms: Sequence[str]) -> list[Comparison]:
    """Every arm with every one before it, by every metric that both have."""
    found = []
    for metric in METRICS:
        every = ((arm, parts_of(rows, arm, metric)) for arm in arms)
        parts = {arm: one for arm, one in every if one is not None and len(one) > 1}
        there = list(parts)
        for number, arm in enumerate(there):
            for other in there[:number]:
                a, b = parts[arm], parts[other]
                values = statistics.contributions(a, metric.of) - statistics.contributions(
                    b, metric.of
                )
                found.append(
                    Comparison(
                        metric,
                        arm,
                        other,
                        statistics.interval(values),
                        np.nan,
                        statistics.bootstrap(a, metric.of, b),
                        float(statistics.effect_size(values)),
                        statistics.seeds_needed(values),
                    )
                )
    adjusted = statistics.holm([float(one.difference.p) for one in found])
    return [one._replace(adjusted=float(p)) for one, p in zip(found, adjusted, strict=True)]


def write(study: Study) -> str:
    """Writes results.jsonl and report.md, and gives what to print."""
    rows = rows_of(study)
    _replace(study.folder / "results.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    tables = [scores(study, rows), differences(study, rows)]
    path = study.folder / "report.md"
    _replace(path, f"# {study.name}\n\n" + "\n\n".join(tables) + f"\n\n{NOTE}\n")
    return "\n" + "\n\n".join(tables) + f"\n\nreport   {path}"


NOTE = """Intervals hold the truth in 95 of 100 studies like this one, were other seeds and other test \
sentences of the same kind drawn; they say nothing of other corpora, sizes or budgets. Differences are \
paired: the same seeds in the same order of data, and the same sentences. p is adjusted by Holm's rule over \
all comparisons of the table. "Seeds" is how many would settle the difference with a probability of 80 %, \
were it the true one; a dash says that more sentences are needed first."""


def scores(study: Study, rows: Sequence[dict[str, Any]]) -> str:
    """The table of arms."""
    lines = []
    for arm in study.arms:
        mine = [row for row in rows if row["arm"] == arm.name]
        if not mine:
            continue
        cells = [arm.name, str(len(mine))]
        for metric in METRICS:
            cells.append(_score(parts_of(rows, arm.name, metric), metric))
        chrf = np.mean([row["chrf"] for row in mine])
        cells += [f"{chrf:.1f}", f"{mine[0]['parameters']:,}"]
        lines.append(cells)
    return table(
        ["arm", "seeds", *(f"{m.title} [95 %]" for m in METRICS), "chrF", "parameters"], lines
    )


def differences(study: Study, rows: Sequence[dict[str, Any]]) -> str:
    """The table of comparisons."""
    lines = []
    for one in compare(rows, [arm.name for arm in study.arms]):
        low, high = one.bootstrap
        lines.append(
            [
                f"{one.arm} - {one.other}",
                one.metric.title,
                f"{one.difference.estimate:+.2f} [{one.difference.low:+.2f}, {one.difference.high:+.2f}]",
                f"[{low:+.2f}, {high:+.2f}]",
                p_value(one.adjusted),
                f"{one.effect:+.1f}",
                "-" if one.needed is None else str(one.needed),
                verdict(one),
            ]
        )
    if not lines:
        return "No differences: they need two arms with two seeds each."
    header = ["difference", "of", "mean [95 %]", "bootstrap", "p", "effect", "seeds", "says"]
    return table(header, lines)


def verdict(one: Comparison) -> str:
    """What the interval allows one to say, and no more."""
    if one.adjusted >= 0.05:
        return "not settled"
    return "higher" if one.difference.estimate > 0 else "lower"


def p_value(p: float) -> str:
    """As it is read: three decimals, and no zero that is none."""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def table(header: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """A Markdown table that is also one on the terminal."""
    every = [list(header), *map(list, lines)]
    widths = [max(len(row[i]) for row in every) for i in range(len(header))]

    def line(cells):
        return "| " + " | ".join(c.ljust(w) for c, w in zip(cells, widths, strict=True)) + " |"

    rule = "| " + " | ".join("-" * w for w in widths) + " |"
    return "\n".join([line(every[0]), rule, *(line(row) for row in every[1:])])


def _score(parts, metric):
    if parts is None:
        return "-"
    each = metric.of(parts.sum(1))
    if len(parts) < 2:
        return f"{each[0]:.2f}"
    return str(statistics.interval(statistics.contributions(parts, metric.of)))


def _replace(path, text):
    temporary = path.with_suffix(".tmp")
    temporary.write_text(text)
    temporary.replace(path)
