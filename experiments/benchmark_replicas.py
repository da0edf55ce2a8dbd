"""Measures the time of training several seeds, together in each layout of the machine or one after the other.

    python -m experiments.benchmark_replicas --config=configs/quickstart.py
    python -m experiments.benchmark_replicas --config=configs/quickstart.py --seeds=4 --config.model.decoder.hidden=64
    python -m experiments.benchmark_replicas --whole_runs --config=configs/quickstart_small.py

It measures updates or, with --whole_runs, the commands experiments.train and experiments.ablate from start to end.
The programs are measured in alternation, and the table has their medians. The first turn is not counted, so compilation
is excluded; whole runs load their compiled programs from the disk. The command appends a line to results.jsonl in
--workdir. The exit status is 0 on success and 2 for an invalid command.
"""

import json
import statistics
from contextlib import ExitStack
from pathlib import Path

from absl import flags
from ml_collections import config_flags

from attention_lab.benchmarks import turns
from attention_lab.runs import checks
from attention_lab.studies import tables
from experiments import command, whole_runs

DEFAULT = "configs/quickstart.py"
CONFIG = config_flags.DEFINE_config_file(
    "config", None, f"The config file of the run, by default {DEFAULT}."
)
WORKDIR = flags.DEFINE_string(
    "workdir",
    "runs/benchmark_replicas",
    "The folder of results.jsonl, to which a line is appended.",
)
SEEDS = flags.DEFINE_integer("seeds", 8, "The number of replicas.", lower_bound=2)
UPDATES = flags.DEFINE_integer("updates", 4, "The number of updates in a turn.", lower_bound=1)
TURNS = flags.DEFINE_integer(
    "turns", 5, "The number of turns, of which the median is reported.", lower_bound=1
)
WHOLE_RUNS = flags.DEFINE_bool("whole_runs", False, "Measure whole runs instead of updates.")
PRINT_CONFIG = flags.DEFINE_bool("print_config", False, "Print the config without measuring.")


def main(words: list[str]) -> None:
    """Measures the programs, and prints a table."""
    config = command.config_of(words, CONFIG.value, PRINT_CONFIG.value, ("data", "model"))
    if config is None:
        return
    checks.run(config)
    folder = Path(WORKDIR.value)
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        if WHOLE_RUNS.value:
            chosen, programs = "", whole_runs.programs(turns.SINGLE, config, SEEDS.value, folder)
        else:
            chosen, programs = turns.every_program(config, SEEDS.value, UPDATES.value, stack)
        seconds = turns.take_turns(programs, TURNS.value)
    medians = {name: statistics.median(times) for name, times in seconds.items()}
    print(tables.grid(turns.HEADER, turns.rows(medians, SEEDS.value, chosen)))
    row = {"seeds": SEEDS.value, "whole": WHOLE_RUNS.value, "seconds": seconds, "chosen": chosen}
    with (folder / "results.jsonl").open("a", encoding="utf-8") as lines:
        lines.write(json.dumps({**row, "updates": UPDATES.value, "config": config}) + "\n")
    print(f"\nrows     {folder / 'results.jsonl'}")


if __name__ == "__main__":
    command.run(main, DEFAULT)
