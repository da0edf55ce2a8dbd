"""Whole runs, for timing: commands, from the start of their process to the report on the disk."""

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

# A config file that says what lies beside it as JSON, so that commands take it as they take any other.
FILE = '''"""What experiments.benchmark_replicas runs."""

import json
from pathlib import Path

from ml_collections import ConfigDict


def get_config():
    return ConfigDict(json.loads(Path(__file__).with_suffix(".json").read_text(encoding="utf-8")))
'''


def programs(
    single: str, config: dict[str, Any], seeds: int, folder: Path
) -> dict[str, Callable[[], None]]:
    """By name, one run of a config, and a study of so many seeds of it.

    The same work for each seed: sentences that a run shows in the end are left out. Raises Refusal, when called,
    where a command failed.
    """
    folder = folder / "whole_runs"
    config = {**config, "showcase": []}
    study = defaults.study().to_dict()
    study |= {"name": "seeds", "base": config, "arms": {"all": {}}, "seeds": list(range(seeds))}
    alone = ["experiments.train", write(folder / "single", config)]
    together = ["experiments.ablate", write(folder / "study", study)]
    return {single: partial(run, alone, folder), "a study": partial(run, together, folder)}


def write(path: Path, config: dict[str, Any]) -> str:
    """Puts a config where a command finds it; the flag that says so."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.with_suffix(".json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    path.with_suffix(".py").write_text(FILE, encoding="utf-8")
    return f"--config={path.with_suffix('.py')}"


def run(words: list[str], folder: Path) -> None:
    """Runs a command in a new folder, which is removed afterwards; what it says goes to running.log beside that."""
    log = folder / "running.log"
    with (
        tempfile.TemporaryDirectory(prefix="run_", dir=folder) as workdir,
        log.open("w", encoding="utf-8") as said,
    ):
        command = [sys.executable, "-m", *words, f"--workdir={workdir}"]
        ended = subprocess.run(command, stdout=said, stderr=said)
    if ended.returncode:
        raise Refusal(f"{words[0]} ended with status {ended.returncode}; {log} says why")
