"""Programs that are timed in alternation: a single run, and several seeds side by side in every layout of the machine."""

import os
import time
from collections.abc import Mapping
from contextlib import ExitStack, closing
from typing import Any

import jax

from attention_lab.benchmarks import updates
from attention_lab.benchmarks.updates import Program
from attention_lab.runs import evaluation, setup
from attention_lab.training import replicas

SINGLE = "a single run"


def take_turns(programs: Mapping[str, Program], turns: int) -> dict[str, list[float]]:
    """Runs the programs in alternation. Returns the seconds of every turn except the first, which compiles."""
    seconds: dict[str, list[float]] = {name: [] for name in programs}
    with evaluation.bar((turns + 1) * len(programs), "measuring") as advance:
        for turn in range(turns + 1):
            for name, program in programs.items():
                started = time.perf_counter()
                program()
                if turn:
                    seconds[name].append(time.perf_counter() - started)
                advance(1)
    return seconds


def every_program(
    config: dict[str, Any], seeds: int, count: int, stack: ExitStack
) -> tuple[str, dict[str, Program]]:
    """Returns the name of the layout that training would choose, and the programs by name, each of `count` updates.

    The programs are the updates of a single run, of all replicas in each layout, and of single-threaded processes. The
    exit stack closes the processes.
    """
    cores = os.cpu_count() or 1
    replicas.cores_as_devices(cores)
    setup.enable_compilation_cache()
    timed = updates.updates_of(config, range(seeds), count)
    programs: dict[str, Program] = {SINGLE: updates.alone(timed)}
    for layout in updates.layouts(cores, seeds):
        programs[str(layout)] = updates.side_by_side(timed, layout)
    if jax.default_backend() == "cpu":
        processes = min(cores, seeds)
        separate = updates.SeparateProcesses(config, seeds, count, processes)
        programs[f"{processes} single-threaded processes"] = stack.enter_context(closing(separate))
    return str(replicas.choose(seeds)), programs


HEADER = ("layout", "s", "relative to single runs", "")


def rows(medians: Mapping[str, float], seeds: int, chosen: str) -> list[list[str]]:
    """Returns a row for each program: its seconds, absolute and relative to as many single runs as there are seeds."""
    single = seeds * medians[SINGLE]
    lines = []
    for name, median in medians.items():
        alone = name == SINGLE
        relative = "1.00" if alone else f"{median / single:.2f}"
        seconds = f"{single if alone else median:.2f}"
        label = f"{seeds} single runs" if alone else name
        lines.append([label, seconds, relative, "chosen" if name == chosen else ""])
    return lines
