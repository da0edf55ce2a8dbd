"""Runs a benchmark of the mechanism: from its config to a table, a plot and JSON lines."""

import datetime
import importlib.util
import json
import sys
from pathlib import Path
from typing import Any, TextIO

from attention_lab.benchmarks import plot, rates, report, timing
from attention_lab.benchmarks.cases import Round, Sizes
from attention_lab.benchmarks.programs import NEEDS


def run(config: Any, rounds: list[Round], lines: TextIO) -> list[dict[str, Any]]:
    """Measures all rounds, writes the rows of each round when it ends, and prints the table of all rows."""
    sizes = Sizes(config.heads, config.features, config.hidden, config.seed)
    started = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    machine = rates.environment()
    print(", ".join(f"{name} {value}" for name, value in machine.items()), flush=True)
    progress = Progress(sum(len(round_.cases) for round_ in rounds))
    meters = rates.meters()
    rows, rates_by_round = [], []
    for round_ in rounds:
        results, round_rates = timing.measure(
            round_, sizes, config.memory_limit_mib, meters, progress.report
        )
        rates_by_round.append(round_rates)
        for result in results:
            origin = {"run": started, "ours": result.case.ours, "environment": machine}
            rows.append(report.row(result, sizes, round_rates, **origin))
            lines.write(json.dumps(rows[-1]) + "\n")
            progress.finish(result)
        lines.flush()
    print(rates.summary(meters, rates_by_round), report.table(rows, meters), "", sep="\n\n", end="")
    return rows


def available(rounds: list[Round]) -> list[Round]:
    """Returns the rounds without the libraries that are not installed, and prints the names of these."""
    requested = {case.implementation for round_ in rounds for case in round_.cases}
    absent = {
        name
        for name, module in NEEDS.items()
        if name in requested and importlib.util.find_spec(module) is None
    }
    if absent:
        names = ", ".join(sorted(absent))
        print(f"These libraries are not installed and are skipped: {names}.", flush=True)
    kept = [
        Round(
            [case for case in round_.cases if case.implementation not in absent], round_.repetitions
        )
        for round_ in rounds
    ]
    return [round_ for round_ in kept if round_.cases]


class Progress:
    """Prints progress on standard error: a line per finished case and, on a terminal, a bar."""

    def __init__(self, total: int):
        self.total, self.done = total, 0

    def report(self, what: str) -> None:
        """Shows the bar and the current activity. This has no effect if standard error is not a terminal."""
        if sys.stderr.isatty():
            filled = 20 * self.done // max(self.total, 1)
            bar = "█" * filled + "░" * (20 - filled)
            print(f"\r\033[K{bar} {self.done}/{self.total}  {what}"[:100], end="", file=sys.stderr)
            sys.stderr.flush()

    def finish(self, result: timing.Result) -> None:
        """Prints the line of a finished case."""
        self.clear()
        self.done += 1
        ms = result.milliseconds
        outcome = f"{result.status}: {result.reason}" if ms is None else f"{ms:,.1f} ms"
        print(f"[{self.done}/{self.total}] {result.case.label()}  {outcome}", file=sys.stderr)

    def clear(self) -> None:
        """Removes the bar."""
        if sys.stderr.isatty():
            print("\r\033[K", end="", file=sys.stderr, flush=True)


def save_plot(rows: list[dict[str, Any]], path: Path) -> None:
    """Draws the plot, if there are two lengths to compare, and prints its path."""
    figure = plot.draw(rows)
    if figure is None:
        print("picture  not drawn: it needs two lengths of one score and implementation")
        return
    figure.savefig(path, metadata={"Software": None})
    print(f"picture  {path}")
