"""The report of a benchmark: a JSON row for each case, a table, and the growth of memory with length."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from attention_lab.benchmarks.cases import Sizes, work
from attention_lab.benchmarks.timing import Result

HEADER = ("score", "implementation", "length", "direction", "mask", "ms", "temp MiB")
LEFT = {"score", "implementation", "direction", "mask"}  # the columns that are left-aligned
FEWEST_LENGTHS = 3  # the least number of lengths from which growth is estimated


def row(result: Result, sizes: Sizes, rates: dict[str, float], **more: Any) -> dict[str, Any]:
    """Returns the row of one case, to be written as a line of JSON.

    rates: operations per second, by name. In the row, bound_ms has, for each rate, the milliseconds that the
    arithmetic alone takes at that rate, and fraction has bound_ms / milliseconds.
    """
    bounds = {
        name: 1e3 * operations / rates[name]
        for name, operations in work(result.case, sizes).items()
    }
    ms = result.milliseconds
    return {
        **more,
        **result.case._asdict(),
        **sizes._asdict(),
        "status": result.status,
        "reason": result.reason,
        "milliseconds": ms,
        "repetitions_ms": [1e3 * seconds for seconds in result.seconds],
        "temp_mib": result.temp_mib,
        "bound_ms": bounds,
        "fraction": {} if ms is None else {name: bound / ms for name, bound in bounds.items()},
        "rates": rates,
    }


def table(rows: Sequence[dict[str, Any]], rates: Iterable[str]) -> str:
    """Returns the rows as a table with a heading for each group, and the reason if a case was not measured."""
    fractions = tuple(f"of {name}" for name in rates)
    header = (*HEADER, *fractions)
    cells = [_cells(entry, rates) for entry in rows]
    widths = [max(map(len, column)) for column in zip(header, *cells, strict=True)]
    lines = [_aligned(header, header, widths)]
    group = None
    for entry, line in zip(rows, cells, strict=True):
        if entry["group"] != group:
            group = entry["group"]
            rest = sum(widths) + 2 * (len(widths) - 1) - len(group) - 4
            lines.append(f"── {group} " + "─" * rest)
        if entry["reason"]:
            # The reason replaces the fractions of the rates.
            known = len(HEADER)
            start = _aligned(header[:known], line[:known], widths[:known])
            lines.append(f"{start}  {entry['status']}: {entry['reason']}")
        else:
            lines.append(_aligned(header, line, widths).rstrip())
    return "\n".join(lines)


def _cells(entry: dict[str, Any], rates: Iterable[str]) -> list[str]:
    ms, mib = entry["milliseconds"], entry["temp_mib"]
    fractions = [entry["fraction"].get(name) for name in rates]
    return [
        entry["score"],
        entry["implementation"],
        str(entry["length"]),
        entry["direction"],
        "causal" if entry["causal"] else "",
        "–" if ms is None else f"{ms:,.1f}",
        "" if mib is None else f"{mib:,.1f}",
        *("" if fraction is None else f"{fraction:.0%}" for fraction in fractions),
    ]


def _aligned(header: Sequence[str], cells: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(
        cell.ljust(width) if name in LEFT else cell.rjust(width)
        for name, cell, width in zip(header, cells, widths, strict=True)
    )


Key = tuple[str, str, str, bool]  # score, implementation, direction, causal


def series(rows: Iterable[dict[str, Any]], field: str) -> dict[Key, dict[int, float]]:
    """Returns the values of a field by length, for each score, implementation, direction and mask."""
    values: dict[Key, dict[int, float]] = {}
    for entry in rows:
        if entry[field] is not None:
            key = (entry["score"], entry["implementation"], entry["direction"], entry["causal"])
            values.setdefault(key, {})[entry["length"]] = entry[field]
    return values


def growth(rows: Iterable[dict[str, Any]]) -> str:
    """Returns the growth of temporary memory: the slope of log MiB against log length, 1 linear, 2 quadratic."""
    lines = []
    for (score, how, direction, causal), by_length in series(rows, "temp_mib").items():
        if len(by_length) >= FEWEST_LENGTHS and min(by_length.values()) > 0:
            slope = _slope(by_length)
            span = f"{min(by_length)} to {max(by_length)}"
            mask = "causal" if causal else ""
            lines.append(f"{score:<12} {how:<12} {direction:<17} {mask:<7} {slope:5.2f}  {span}")
    if not lines:
        return f"The growth of memory is estimated from {FEWEST_LENGTHS} lengths of one score and implementation."
    title = (
        "Growth of temporary memory: MiB is proportional to length ^ slope (1 linear, 2 quadratic)."
    )
    return "\n".join([title, *sorted(lines, key=lambda line: "blockwise" not in line)])


def _slope(by_length: dict[int, float]) -> float:
    lengths, numbers = zip(*sorted(by_length.items()), strict=True)
    return float(np.polyfit(np.log(lengths), np.log(numbers), 1)[0])
