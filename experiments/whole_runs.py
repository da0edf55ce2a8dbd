"""Whole runs as programs to time: commands, from the start of their process to the report on the disk."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from configs import defaults
from experiments.command import Refusal

# The config file that is passed to the commands; it reads the JSON file of the same name.
FILE = '''"""A config of experiments.benchmark_replicas."""

import json
from pathlib import Path

from ml_collections import ConfigDict


def get_config():
    return ConfigDict(json.loads(Path(__file__).with_suffix(".json").read_text(encoding="utf-8")))
'''


def programs(
    single: str, config: dict[str, Any], seeds: int, folder: Path
) -> dict[str, Callable[[], None]]:
    """Returns two programs by name: a run of the config, and a study with `seeds` seeds of it.

    Both do the same work for each seed, because the run has no showcase sentences. A program raises Refusal if its
    command fails.
    """
    folder = folder / "whole_runs"
    config = {**config, "showcase": []}
    study = defaults.study().to_dict()
    study |= {"name": "seeds", "base": config, "arms": {"all": {}}, "seeds": list(range(seeds))}
    alone = ["experiments.train", write(folder / "single", config)]
    together = ["experiments.ablate", write(folder / "study", study)]
    return {single: partial(run, alone, folder), "a study": partial(run, together, folder)}


def write(path: Path, config: dict[str, Any]) -> str:
    """Writes a config file, and returns the flag that names it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.with_suffix(".json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    path.with_suffix(".py").write_text(FILE, encoding="utf-8")
    return f"--config={path.with_suffix('.py')}"


def run(words: list[str], folder: Path) -> None:
    """Runs a command in a temporary folder. Its output goes to running.log in `folder`."""
    log = folder / "running.log"
    with (
        tempfile.TemporaryDirectory(prefix="run_", dir=folder) as workdir,
        log.open("w", encoding="utf-8") as output,
    ):
        command = [sys.executable, "-m", *words, f"--workdir={workdir}"]
        process = subprocess.run(command, stdout=output, stderr=output)
    if process.returncode:
        raise Refusal(f"{words[0]} failed with status {process.returncode}; {log} has its output")
