"""Measures the time and memory of attention by score, implementation and length.

    python -m experiments.benchmark --config=configs/benchmarks/mechanism.py
    python -m experiments.benchmark --config=configs/benchmarks/mechanism.py:small
    python -m experiments.benchmark --config.heads=8 --config.groups.dot.lengths="(512,1024)"
    python -m experiments.benchmark --print_config    # prints the config
    python -m experiments.benchmark --list            # prints which pieces and implementations can be combined

Cases of one length, direction and mask are measured in alternation, and the table has the median of each. It also has
the rates at which this machine performs basic operations, which are measured in the same alternation, and the
fraction of them that each case reaches. Other libraries are measured if they are installed.

The command writes benchmark.png to --workdir and appends a line for each case to results.jsonl there. The exit status
is 0 on success, 1 if a case of this package failed, and 2 for an invalid command.
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
    "config",
    None,
    f"The config file, by default {DEFAULT}; append :small for a smoke test.",
)
WORKDIR = flags.DEFINE_string(
    "workdir", "runs/benchmark_mechanism", "The folder of results.jsonl and benchmark.png."
)
LIST = flags.DEFINE_bool("list", False, "Print the table of legal combinations without measuring.")
PRINT_CONFIG = flags.DEFINE_bool("print_config", False, "Print the config without measuring.")


def main(words: list[str]) -> int:
    """Measures the cases of the config. Returns the exit status."""
    command.no_words(words)
    if LIST.value:
        print(legality.markdown())
        return 0
    config = CONFIG.value
    if PRINT_CONFIG.value:
        print(config.to_json_best_effort(indent=2))
        return 0
    planned = available(rounds(config))
    workdir = Path(WORKDIR.value)
    workdir.mkdir(parents=True, exist_ok=True)
    with (workdir / "results.jsonl").open("a", encoding="utf-8") as lines:
        rows = run(config, planned, lines)
    print(report.growth(rows), f"rows     {workdir / 'results.jsonl'}", sep="\n\n")
    save_plot(rows, workdir / "benchmark.png")
    return int(any(row["status"] == "failed" and row["ours"] for row in rows))


if __name__ == "__main__":
    command.run(main, DEFAULT)
