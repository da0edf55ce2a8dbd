"""How numbers, verdicts and tables of a study are written."""

from collections.abc import Sequence

from attention_lab.studies.findings import Comparison, Point
from attention_lab.studies.page import Table

EARLY = "EARLY"


def verdict(one: Comparison) -> str:
    """What the interval allows one to say, and no more."""
    if one.adjusted >= 0.05:
        return "not settled"
    return "higher" if one.difference.estimate > 0 else "lower"


def unless_early(text: str, early: bool) -> str:
    """What is said, with a warning where more training may change it."""
    return f"{text}, {EARLY}" if early else text


def p_value(p: float) -> str:
    """As it is read: three decimals, and no zero that is none."""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def interval(point: Point | None, decimals: int = 2) -> str:
    """A score with its interval."""
    if point is None:
        return "-"
    text = f"{point.score:.{decimals}f}"
    if point.low == point.high:
        return text
    return f"{text} [{point.low:.{decimals}f}, {point.high:.{decimals}f}]"


def markdown(table: Table) -> str:
    """The table under its title."""
    if not table.lines:
        return f"## {table.title}\n\nNothing to compare: that needs two arms with two seeds each."
    sections = [f"## {table.title}", table.note, grid(table.header, table.lines)]
    return "\n\n".join(part for part in sections if part)


def grid(header: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """A Markdown table that is also one on the terminal."""
    every = [[cell.replace("|", r"\|") for cell in row] for row in (header, *lines)]
    widths = [max(len(row[i]) for row in every) for i in range(len(header))]

    def line(cells):
        return "| " + " | ".join(c.ljust(w) for c, w in zip(cells, widths, strict=True)) + " |"

    rule = "| " + " | ".join("-" * w for w in widths) + " |"
    return "\n".join([line(every[0]), rule, *(line(row) for row in every[1:])])
