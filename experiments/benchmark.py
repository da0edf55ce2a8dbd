"""The benchmark: what attention costs in time and memory, by score, implementation and length.

    python -m experiments.benchmark --config=configs/benchmarks/mechanism.py
    python -m experiments.benchmark --config=configs/benchmarks/mechanism.py:small
    python -m experiments.benchmark --config.heads=8 --config.groups.dot.lengths="(512,1024)"
    python -m experiments.benchmark --print_config    # what would be measured
    python -m experiments.benchmark --list            # which pieces can be asked where and how

Cases of one length, direction and mask take turns, and the table gives the median of each. Beside
it stand this machine's own rates, measured in the same turns, and the share of them that each case
reaches. Other libraries are measured where they are installed.

--workdir gets results.jsonl, to which every run adds a line per case as soon as it is measured, and
benchmark.png. Exit status: 0; 1 where a case of this package failed; 2 where the command is wrong.
"""

import datetime
import importlib.util
import json
import sys
from pathlib import Path
from typing import Any, TextIO

from absl import app, flags, logging
from ml_collections import config_flags

from attention_lab.mechanism import legality
from experiments.benchmarking import plot, rates, report, timing
from experiments.benchmarking.cases import Round, Sizes, rounds
from experiments.benchmarking.programs import NEEDS

DEFAULT = "configs/benchmarks/mechanism.py"
# Without a default of its own: absl would read that, and the fields set beside it, here and
# now, where a mistyped field could end only in a traceback. `parse` puts the default in.
CONFIG = config_flags.DEFINE_config_file(
    "config", None, f"What to measure, by default {DEFAULT}; :small after it for a smoke test."
)
WORKDIR = flags.DEFINE_string(
    "workdir", "runs/benchmark_mechanism", "Where results.jsonl and benchmark.png go."
)
LIST = flags.DEFINE_bool("list", False, "Print what is legal, and measure nothing.")
PRINT_CONFIG = flags.DEFINE_bool("print_config", False, "Print the config, and measure nothing.")


def main(argv: list[str]) -> int:
    """Measures what the config asks for. Returns the exit status."""
    logging.set_verbosity(logging.WARNING)  # JAX tells of every backend that it does not find
    if len(argv) > 1:
        return refuse(f"{argv[1]!r} is not a flag; see --help")
    if LIST.value:
        print(legality.markdown())
        return 0
    try:
        config = CONFIG.value
        if PRINT_CONFIG.value:
            print(config.to_json_best_effort(indent=2))
            return 0
        turns = available(rounds(config))
        workdir = Path(WORKDIR.value)
        workdir.mkdir(parents=True, exist_ok=True)
        with (workdir / "results.jsonl").open("a") as lines:
            rows = run(config, turns, lines)
    except (ValueError, OSError) as error:
        return refuse(str(error))
    print(report.growth(rows), f"rows     {workdir / 'results.jsonl'}", sep="\n\n")
    save_plot(rows, workdir / "benchmark.png")
    return int(any(row["status"] == "failed" and row["ours"] for row in rows))


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


def refuse(reason: str) -> int:
    """One line for a command that cannot be obeyed; returns its exit status."""
    print(f"benchmark: {' '.join(reason.split())}", file=sys.stderr)
    return 2


def parse(argv: list[str]) -> list[str]:
    """The command line, where a mistyped flag or field of the config ends in one line."""
    if not any(word.split("=")[0] in ("--config", "-config") for word in argv):
        argv = [argv[0], f"--config={DEFAULT}", *argv[1:]]
    try:
        return flags.FLAGS(argv)
    except (AttributeError, KeyError) as error:
        said = f"the config has no field {innermost(error)}"
    except (flags.Error, TypeError, ValueError, OSError) as error:
        said = innermost(error)
        if "Traceback" in said:  # of the config file; its last line is the reason
            said = said.strip().splitlines()[-1]
    sys.exit(refuse(f"{said} (--print_config shows every field, --help the usage)"))


def innermost(error: Any) -> str:
    """What the error says that others were made from."""
    while isinstance(error, BaseException) and error.args:
        error = error.args[0]
    return str(error)


if __name__ == "__main__":
    app.run(main, flags_parser=parse)
