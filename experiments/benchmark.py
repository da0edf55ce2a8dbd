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

from pathlib import Path

from absl import flags
from ml_collections import config_flags

from attention_lab.benchmarks import report
from attention_lab.benchmarks.cases import rounds
from attention_lab.benchmarks.run import available, run, save_plot
from attention_lab.mechanism import legality
from experiments import command

DEFAULT = "configs/benchmarks/mechanism.py"
CONFIG = config_flags.DEFINE_config_file(
    "config", None, f"What to measure, by default {DEFAULT}; :small after it for a smoke test."
)
WORKDIR = flags.DEFINE_string(
    "workdir", "runs/benchmark_mechanism", "Where results.jsonl and benchmark.png go."
)
LIST = flags.DEFINE_bool("list", False, "Print what is legal, and measure nothing.")
PRINT_CONFIG = flags.DEFINE_bool("print_config", False, "Print the config, and measure nothing.")


def main(words: list[str]) -> int:
    """Measures what the config asks for. Returns the exit status."""
    command.no_words(words)
    if LIST.value:
        print(legality.markdown())
        return 0
    config = CONFIG.value
    if PRINT_CONFIG.value:
        print(config.to_json_best_effort(indent=2))
        return 0
    turns = available(rounds(config))
    workdir = Path(WORKDIR.value)
    workdir.mkdir(parents=True, exist_ok=True)
    with (workdir / "results.jsonl").open("a", encoding="utf-8") as lines:
        rows = run(config, turns, lines)
    print(report.growth(rows), f"rows     {workdir / 'results.jsonl'}", sep="\n\n")
    save_plot(rows, workdir / "benchmark.png")
    return int(any(row["status"] == "failed" and row["ours"] for row in rows))


if __name__ == "__main__":
    command.run(main, DEFAULT)
