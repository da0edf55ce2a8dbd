"""What many seeds cost, trained together or one after the other, in every layout of the machine.

    python -m experiments.benchmark_replicas --config=configs/quickstart.py
    python -m experiments.benchmark_replicas --config=configs/quickstart.py --seeds=4 --config.model.decoder.hidden=64
    python -m experiments.benchmark_replicas --whole_runs --config=configs/quickstart_small.py

Updates, or with --whole_runs the commands experiments.train and experiments.ablate from start to end. All take
turns, compilation excluded (of whole runs: their programs lie on the disk); the table has the medians. --workdir
gets results.jsonl. Exit status: 0; 2 where the command is wrong.
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
from attention_lab.training.replicas import Layout
from experiments import command, whole_runs

DEFAULT = "configs/quickstart.py"
CONFIG = config_flags.DEFINE_config_file("config", None, f"What to train, by default {DEFAULT}.")
WORKDIR = flags.DEFINE_string(
    "workdir", "runs/benchmark_replicas", "Where results.jsonl goes, to which each run adds."
)
SEEDS = flags.DEFINE_integer("seeds", 8, "How many replicas.", lower_bound=2)
UPDATES = flags.DEFINE_integer("updates", 4, "How many updates a turn has.", lower_bound=1)
TURNS = flags.DEFINE_integer("turns", 5, "How many turns; the median counts.", lower_bound=1)
WHOLE_RUNS = flags.DEFINE_bool("whole_runs", False, "Time whole runs, not updates alone.")
PRINT_CONFIG = flags.DEFINE_bool("print_config", False, "Print the config, and measure nothing.")
SINGLE = "a single run"


def main(words: list[str]) -> None:
    """Measures, and prints the table."""
    config = command.config_of(words, CONFIG.value, PRINT_CONFIG.value, ("data", "model"))
    if config is None:
        return
    checks.run(config)
    folder = Path(WORKDIR.value)
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as kept:
        if WHOLE_RUNS.value:
            chosen, programs = "", whole_runs.programs(SINGLE, config, SEEDS.value, folder)
        else:
            chosen, programs = every_program(config, kept)
        seconds = take_turns(programs)
    print(table({name: statistics.median(found) for name, found in seconds.items()}, chosen))
    row = {"seeds": SEEDS.value, "whole": WHOLE_RUNS.value, "seconds": seconds, "chosen": chosen}
    with (folder / "results.jsonl").open("a", encoding="utf-8") as lines:
        lines.write(json.dumps({**row, "updates": UPDATES.value, "config": config}) + "\n")
    print(f"\nrows     {folder / 'results.jsonl'}")


def take_turns(programs: dict[str, Program]) -> dict[str, list[float]]:
    """Seconds of every turn but the first, which compiles."""
    seconds: dict[str, list[float]] = {name: [] for name in programs}
    with evaluation.bar((TURNS.value + 1) * len(programs), "measuring") as tell:
        for turn in range(TURNS.value + 1):
            for name, program in programs.items():
                started = time.perf_counter()
                program()
                if turn:
                    seconds[name].append(time.perf_counter() - started)
                tell(1)
    return seconds


def every_program(config: dict[str, Any], kept: ExitStack) -> tuple[str, dict[str, Program]]:
    """The layout that would be chosen; and updates of a single run, of every layout and of processes."""
    cores = os.cpu_count() or 1
    replicas.cores_as_devices(cores)
    setup.prepare()
    found = updates.updates_of(config, range(SEEDS.value), UPDATES.value)
    programs: dict[str, Program] = {SINGLE: updates.alone(found)}
    for layout in every_layout(cores, SEEDS.value):
        programs[str(layout)] = updates.together(found, layout)
    if jax.default_backend() == "cpu":
        processes = min(cores, SEEDS.value)
        apart = updates.Apart(config, SEEDS.value, UPDATES.value, processes)
        programs[f"{processes} processes, of one thread each"] = kept.enter_context(closing(apart))
    return str(replicas.choose(SEEDS.value)), programs


def every_layout(cores: int, seeds: int) -> list[Layout]:
    """One device or all, and both ways within a device; where there is one device, two."""
    devices = sorted({1, min(cores, jax.local_device_count(), seeds)})
    return [Layout(count, at_once) for count in devices for at_once in (None, 1)]


def table(medians: dict[str, float], chosen: str) -> str:
    """Seconds, and the part of as many single runs that they are."""
    single = SEEDS.value * medians[SINGLE]
    lines = []
    for name, found in medians.items():
        alone = name == SINGLE
        part = "1.00" if alone else f"{found / single:.2f}"
        told = f"{single if alone else found:.2f}"
        said = f"{SEEDS.value} single runs" if alone else name
        lines.append([said, told, part, "chosen" if name == chosen else ""])
    return tables.grid(["layout", "s", "of single runs", ""], lines)


if __name__ == "__main__":
    command.run(main, DEFAULT)
