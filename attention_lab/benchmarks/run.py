"""A benchmark of the mechanism from its config to its table, picture and lines of JSON."""

import datetime
import importlib.util
import json
import sys
from pathlib import Path
from typing import Any, TextIO

from attention_lab.benchmarks import plot, rates, report, timing
from attention_lab.benchmarks.cases import Round, Sizes
from attention_lab.benchmarks.programs import NEEDS


def run(config: Any, turns: list[Round], lines: TextIO) -> list[dict[str, Any]]:
    """Measures all rounds, writes each one's rows when it ends, and prints the table of all."""
    sizes = Sizes(config.heads, config.features, config.hidden, config.seed)
    started = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    machine = rates.environment()
    print(", ".join(f"{name} {value}" for name, value in machine.items()), flush=True)
    progress = Progress(sum(len(turn.cases) for turn in turns))
    meters = rates.meters()
    rows, paces = [], []
    for turn in turns:
        results, pace = timing.measure(turn, sizes, config.memory_limit_mib, meters, progress.tell)
        paces.append(pace)
        for result in results:
            about = {"run": started, "ours": result.case.ours, "environment": machine}
            rows.append(report.row(result, sizes, pace, **about))
            lines.write(json.dumps(rows[-1]) + "\n")
            progress.finish(result)
        lines.flush()
    print(rates.summary(meters, paces), report.table(rows, meters), "", sep="\n\n", end="")
    return rows


def available(turns: list[Round]) -> list[Round]:
    """The rounds without the libraries that are not installed; says once which those are."""
    asked = {case.implementation for turn in turns for case in turn.cases}
    absent = {
        name
        for name, module in NEEDS.items()
        if name in asked and importlib.util.find_spec(module) is None
    }
    if absent:
        print(f"Not installed and left out: {', '.join(sorted(absent))}.", flush=True)
    kept = [
        Round([case for case in turn.cases if case.implementation not in absent], turn.repetitions)
        for turn in turns
    ]
    return [turn for turn in kept if turn.cases]


class Progress:
    """On standard error: a line per finished case; on a terminal also what is happening now."""

    def __init__(self, total: int):
        self.total, self.done = total, 0

    def tell(self, what: str) -> None:
        """Shows the bar, on a terminal only."""
        if sys.stderr.isatty():
            filled = 20 * self.done // max(self.total, 1)
            bar = "█" * filled + "░" * (20 - filled)
            print(f"\r\033[K{bar} {self.done}/{self.total}  {what}"[:100], end="", file=sys.stderr)
            sys.stderr.flush()

    def finish(self, result: timing.Result) -> None:
        """One line for a case that is done."""
        self.clear()
        self.done += 1
        ms = result.milliseconds
        told = f"{result.status}: {result.reason}" if ms is None else f"{ms:,.1f} ms"
        print(f"[{self.done}/{self.total}] {result.case.label()}  {told}", file=sys.stderr)

    def clear(self) -> None:
        """Removes the bar."""
        if sys.stderr.isatty():
            print("\r\033[K", end="", file=sys.stderr, flush=True)


def save_plot(rows: list[dict[str, Any]], path: Path) -> None:
    """Draws the picture where there are two lengths to compare, and says where it is."""
    figure = plot.draw(rows)
    if figure is None:
        print("picture  none: it needs two lengths of one score and implementation")
        return
    figure.savefig(path, metadata={"Software": None})
    print(f"picture  {path}")
