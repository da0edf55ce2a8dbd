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
import os
import statistics
import time
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import jax
from absl import flags
from ml_collections import config_flags

from attention_lab.benchmarks import updates
from attention_lab.benchmarks.updates import Program
from attention_lab.runs import checks, evaluation, setup
from attention_lab.studies import tables
from attention_lab.training import replicas
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
SINGLE = "a single run"


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
            chosen, programs = "", whole_runs.programs(SINGLE, config, SEEDS.value, folder)
        else:
            chosen, programs = every_program(config, stack)
        seconds = take_turns(programs)
    print(table({name: statistics.median(times) for name, times in seconds.items()}, chosen))
    row = {"seeds": SEEDS.value, "whole": WHOLE_RUNS.value, "seconds": seconds, "chosen": chosen}
    with (folder / "results.jsonl").open("a", encoding="utf-8") as lines:
        lines.write(json.dumps({**row, "updates": UPDATES.value, "config": config}) + "\n")
    print(f"\nrows     {folder / 'results.jsonl'}")


def take_turns(programs: dict[str, Program]) -> dict[str, list[float]]:
    """Runs the programs in alternation. Returns the seconds of every turn except the first, which compiles."""
    seconds: dict[str, list[float]] = {name: [] for name in programs}
    with evaluation.bar((TURNS.value + 1) * len(programs), "measuring") as advance:
        for turn in range(TURNS.value + 1):
            for name, program in programs.items():
                started = time.perf_counter()
                program()
                if turn:
                    seconds[name].append(time.perf_counter() - started)
                advance(1)
    return seconds


def every_program(config: dict[str, Any], stack: ExitStack) -> tuple[str, dict[str, Program]]:
    """Returns the name of the layout that training would choose, and the programs by name.

    The programs are the updates of a single run, of all replicas in each layout, and of single-threaded processes. The
    exit stack closes the processes.
    """
    cores = os.cpu_count() or 1
    replicas.cores_as_devices(cores)
    setup.enable_compilation_cache()
    timed = updates.updates_of(config, range(SEEDS.value), UPDATES.value)
    programs: dict[str, Program] = {SINGLE: updates.alone(timed)}
    for layout in updates.layouts(cores, SEEDS.value):
        programs[str(layout)] = updates.side_by_side(timed, layout)
    if jax.default_backend() == "cpu":
        processes = min(cores, SEEDS.value)
        separate = updates.SeparateProcesses(config, SEEDS.value, UPDATES.value, processes)
        programs[f"{processes} single-threaded processes"] = stack.enter_context(closing(separate))
    return str(replicas.choose(SEEDS.value)), programs


def table(medians: dict[str, float], chosen: str) -> str:
    """Returns a table of the seconds, absolute and relative to as many single runs as there are seeds."""
    single = SEEDS.value * medians[SINGLE]
    lines = []
    for name, median in medians.items():
        alone = name == SINGLE
        relative = "1.00" if alone else f"{median / single:.2f}"
        seconds = f"{single if alone else median:.2f}"
        label = f"{SEEDS.value} single runs" if alone else name
        lines.append([label, seconds, relative, "chosen" if name == chosen else ""])
    return tables.grid(["layout", "s", "relative to single runs", ""], lines)


if __name__ == "__main__":
    command.run(main, DEFAULT)
