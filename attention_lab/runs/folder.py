"""A run's folder: what training leaves behind.

config.json  source_tokenizer.json  target_tokenizer.json  checkpoints/  metrics.jsonl  sittings.jsonl
"""

import datetime
import json
import subprocess
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

from attention_lab.data import tokenizer_files as tokenizers
from attention_lab.data.tokenizer import Tokenizer
from attention_lab.models import Model, make_model
from attention_lab.runs.run import Config, Run
from attention_lab.training.checkpoint import BEST, Checkpoints


def model_of(config: Config, source_tokenizer: Tokenizer, target_tokenizer: Tokenizer) -> Model:
    """The model that a config describes. Raises ValueError where it describes none."""
    options = {name: value for name, value in config["model"].items() if name != "kind"}
    sizes = len(source_tokenizer), len(target_tokenizer)
    return make_model(config["model"]["kind"], *sizes, **options)


# Where and how a run is computed: a run may go on with others, and is the same, to rounding at most.
COMPUTED = ("devices.", "training.workers", "training.parts", "model.recompute")


def write(
    workdir: Path, config: Config, source_tokenizer: Tokenizer, target_tokenizer: Tokenizer
) -> None:
    """All that `load` needs but the checkpoints.

    Raises ValueError where the folder holds a run of another config, naming the fields that differ; those that say
    how it is COMPUTED may.
    """
    if (workdir / "config.json").exists():
        differing = [
            told
            for told in differences(_read(workdir / "config.json"), config)
            if not told.startswith(COMPUTED)
        ]
        if differing:
            raise ValueError(
                f"{workdir} holds a run with another config ({', '.join(differing[:5])}); go on with "
                "that, or choose another folder: --workdir"
            )
    workdir.mkdir(parents=True, exist_ok=True)
    tokenizers.save(source_tokenizer, workdir / "source_tokenizer.json")
    tokenizers.save(target_tokenizer, workdir / "target_tokenizer.json")
    temporary = workdir / "config.tmp"
    temporary.write_text(
        json.dumps(config, indent=2, ensure_ascii=False) + "\n",
        encoding="utf-8",
        errors="backslashreplace",
    )
    temporary.replace(workdir / "config.json")
    with (workdir / "sittings.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(_sitting()) + "\n")


def _sitting() -> dict[str, Any]:
    """When, by which code and on what a run is begun or goes on."""
    git = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty"]
    try:
        commit = subprocess.run(
            git, capture_output=True, encoding="utf-8", errors="replace", check=True
        ).stdout.strip()
    except (OSError, subprocess.CalledProcessError):  # installed, not cloned
        commit = None
    return {
        "started": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "commit": commit,
        **{name: metadata.version(name) for name in ("jax", "jaxlib", "flax", "optax")},
        "devices": jax.device_count(),
        "device": jax.devices()[0].device_kind,
        "processes": jax.process_count(),
    }


def load(workdir: str | Path) -> Run:
    """The run of a folder, with its best parameters.

    Raises ValueError where the folder holds none, or something damaged.
    """
    workdir = Path(workdir)
    path = workdir / "config.json"
    if not path.is_file():
        raise ValueError(
            f"{workdir} holds no run (there is no config.json in it); train one with "
            f"python -m experiments.train --workdir={workdir}"
        )
    config = _read(path)
    source = tokenizers.load(workdir / "source_tokenizer.json")
    target = tokenizers.load(workdir / "target_tokenizer.json")
    model = model_of(config, source, target)
    like = jax.eval_shape(model.init, jax.random.key(0))
    params = Checkpoints(workdir / "checkpoints", alone=True).restore(BEST, like)
    return Run(config, model, jax.tree.map(jnp.asarray, params), source, target)


def differences(old: Config, new: Config, place: str = "") -> list[str]:
    """The fields in which two configs differ, as "model.hidden: 16, now 18"."""
    found = []
    for name in dict.fromkeys([*old, *new]):
        a, b = old.get(name), new.get(name)
        if isinstance(a, Mapping) and isinstance(b, Mapping):
            found += differences(a, b, f"{place}{name}.")
        elif a != b:
            found.append(f"{place}{name}: {a}, now {b}")
    return found


def _read(path):
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise ValueError(f"{path} is damaged: {error}") from error
