"""Formats the numbers, conclusions and tables of a study."""

from collections.abc import Sequence

from attention_lab.studies.findings import Comparison, Point
from attention_lab.studies.page import Table

EARLY = "EARLY"


def conclusion(comparison: Comparison) -> str:
    """Returns the direction of a difference, or that it is not significant at 5 %."""
    if comparison.adjusted >= 0.05:
        return "not significant"
    return "higher" if comparison.difference.estimate > 0 else "lower"


def marked(text: str, early: bool) -> str:
    """Returns the text, with a mark if more training may change the conclusion."""
    return f"{text}, {EARLY}" if early else text


def p_value(p: float) -> str:
    """Returns a p value with three decimals; a smaller one is "< 0.001"."""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def interval(point: Point | None, decimals: int = 2) -> str:
    """Returns a score with its interval as text."""
    if point is None:
        return "-"
    text = f"{point.score:.{decimals}f}"
    if point.low == point.high:
        return text
    return f"{text} [{point.low:.{decimals}f}, {point.high:.{decimals}f}]"


def markdown(table: Table) -> str:
    """Returns the table as Markdown, below its title and note."""
    if not table.lines:
        return f"## {table.title}\n\nThere is nothing to compare: a comparison needs two arms with two seeds each."
    sections = [f"## {table.title}", table.note, grid(table.header, table.lines)]
    return "\n\n".join(part for part in sections if part)


def grid(header: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """Returns a Markdown table whose columns are aligned, for the terminal."""
    rows = [[cell.replace("|", r"\|") for cell in row] for row in (header, *lines)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(header))]

    def line(cells):
        return "| " + " | ".join(c.ljust(w) for c, w in zip(cells, widths, strict=True)) + " |"

    rule = "| " + " | ".join("-" * w for w in widths) + " |"
    return "\n".join([line(rows[0]), rule, *(line(row) for row in rows[1:])])
