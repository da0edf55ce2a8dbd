"""What many seeds cost, trained together or one after the other, in every layout of the machine.

    python -m experiments.benchmark_replicas --config=configs/quickstart.py
    python -m experiments.benchmark_replicas --config=configs/quickstart.py --seeds=4 --config.model.hidden=64

All layouts and the single run take turns, on the same batches, compilation excluded; the table has the
medians. --workdir gets results.jsonl. Exit status: 0; 2 where the command is wrong.
"""

import json
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
from absl import flags
from ml_collections import config_flags

from attention_lab import runs
from attention_lab.training import replicas
from attention_lab.training.optimizer import SCHEDULES, adam
from attention_lab.training.replicas import Layout, Together
from attention_lab.training.step import init_state, make_train_step
from experiments import checks, command, reporting, translation

DEFAULT = "configs/quickstart.py"
CONFIG = config_flags.DEFINE_config_file("config", None, f"What to train, by default {DEFAULT}.")
WORKDIR = flags.DEFINE_string(
    "workdir", "runs/benchmark_replicas", "Where results.jsonl goes, to which each run adds."
)
SEEDS = flags.DEFINE_integer("seeds", 8, "How many replicas.", lower_bound=2)
UPDATES = flags.DEFINE_integer("updates", 4, "How many updates a turn has.", lower_bound=1)
TURNS = flags.DEFINE_integer("turns", 5, "How many turns; the median counts.", lower_bound=1)
PRINT_CONFIG = flags.DEFINE_bool("print_config", False, "Print the config, and measure nothing.")


def main(words: list[str]) -> None:
    """Measures, and prints the table."""
    config = command.config_of(words, CONFIG.value, PRINT_CONFIG.value, ("data", "model"))
    if config is None:
        return
    checks.run(config)
    cores = os.cpu_count() or 1
    replicas.cores_as_devices(cores)
    translation.prepare()
    corpus = translation.corpus_of(config)
    model = runs.model_of(config, corpus.source_tokenizer, corpus.target_tokenizer)
    hyper = translation.hyper_of(config)
    optimizer = adam(config["training"]["clip"])
    step = make_train_step(model, optimizer, SCHEDULES["constant"](1, 1))
    seeds = range(SEEDS.value)
    batches = [translation.batches_of({**config, "seed": seed}, corpus.pairs) for seed in seeds]
    # Updates of one length alone, the most frequent one: each further length is one more program.
    shapes = [batches[0][t]["target"].shape for t in range(batches[0].per_epoch)]
    usual = [t for t, shape in enumerate(shapes) if shape == statistics.mode(shapes)]
    usual = usual[: UPDATES.value]

    single = jax.jit(step)
    state = init_state(model, optimizer, jax.random.key(0), hyper)

    def one():
        found = state
        for t in usual:
            found, _ = single(found, batches[0][t])
        jax.block_until_ready(found.params)

    programs: dict[str, Callable[[], Any]] = {"a single run": one}
    layouts = {str(layout): layout for layout in every_layout(cores, SEEDS.value)}
    for name, layout in layouts.items():
        programs[name] = together(layout, step, model, optimizer, hyper, batches, usual)
    seconds: dict[str, list[float]] = {name: [] for name in programs}
    with translation.bar((TURNS.value + 1) * len(programs), "measuring") as tell:
        for turn in range(TURNS.value + 1):
            for name, program in programs.items():
                started = time.perf_counter()
                program()
                if turn:  # the first compiles
                    seconds[name].append(time.perf_counter() - started)
                tell(1)
    medians = {name: statistics.median(found) for name, found in seconds.items()}
    chosen = str(replicas.choose(SEEDS.value))
    print(table(medians, chosen))
    row = {"seeds": SEEDS.value, "updates": len(usual), "seconds": seconds, "chosen": chosen}
    folder = Path(WORKDIR.value)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "results.jsonl").open("a") as lines:
        lines.write(json.dumps({**row, "config": config}) + "\n")
    print(f"\nrows     {folder / 'results.jsonl'}")


def every_layout(cores: int, seeds: int) -> list[Layout]:
    """One device or all, and both ways within a device; where there is one device, two."""
    devices = sorted({1, min(cores, jax.local_device_count(), seeds)})
    return [Layout(count, at_once) for count in devices for at_once in (None, 1)]


def together(layout, step, model, optimizer, hyper, batches, usual):
    """A program that takes all replicas through the same updates, in a layout."""
    room = layout.room(len(batches))
    places = [*batches, *batches[-1:] * (room - len(batches))]
    states = replicas.init_states(model, optimizer, [b.seed for b in places], [hyper] * room)
    states = replicas.place(states, layout)
    spread = jax.jit(replicas.spread(step, layout))
    each = Together(places)

    def program():
        found = states
        for t in usual:
            found, _ = spread(found, each[t])
        jax.block_until_ready(found.params)

    return program


def table(medians: dict[str, float], chosen: str) -> str:
    """Seconds, and the part of as many single runs that they are."""
    single = SEEDS.value * medians["a single run"]
    lines = []
    for name, found in medians.items():
        alone = name == "a single run"
        part = "1.00" if alone else f"{found / single:.2f}"
        told = f"{single if alone else found:.2f}"
        said = f"{SEEDS.value} single runs" if alone else name
        lines.append([said, told, part, "chosen" if name == chosen else ""])
    return reporting.grid(["layout", "s", "of single runs", ""], lines)


if __name__ == "__main__":
    command.run(main, DEFAULT)
