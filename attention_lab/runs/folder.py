"""A run's folder: what training leaves behind.

config.json  origin.json  source_tokenizer.json  target_tokenizer.json  checkpoints/  metrics.jsonl  sessions.jsonl
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

from attention_lab.data.vocabularies import Codec
from attention_lab.models import Model, make_model
from attention_lab.models.base import precise_in
from attention_lab.runs.origin import begin, codec_of, origin_of, read_json, write_json
from attention_lab.runs.run import Config, Run
from attention_lab.training.checkpoint import BEST, Checkpoints


def model_of(config: Config, codec: Codec) -> Model:
    """The model that a config describes, at its precision. Raises ValueError where it describes none."""
    model = make_model(*map(len, codec), **config["model"])
    # Runs from before there was a choice have what is JAX's own.
    return precise_in(model, config["training"].get("matmul_precision", "default"))


# Where and how a run is computed: a run may go on with others, and is the same, to rounding at most.
COMPUTED = (
    "devices.",
    "training.workers",
    "training.microbatches",
    "model.encoder.recompute",
    "model.decoder.recompute",
)


def write(workdir: Path, config: Config, codec: Codec, data: Mapping[str, str]) -> None:
    """All that `load` needs but the checkpoints; data: the digest of each split.

    Raises ValueError, and writes nothing, where the folder holds a run of another config, naming the fields that
    differ (those that say how it is COMPUTED may), and where `origin.begin` does.
    """
    if (workdir / "config.json").exists():
        differing = [
            difference
            for difference in differences(read_json(workdir / "config.json"), config)
            if not difference.startswith(COMPUTED)
        ]
        if differing:
            raise ValueError(
                f"{workdir} holds a run with another config ({', '.join(differing[:5])}); go on with "
                "that, or choose another folder: --workdir"
            )
    begin(workdir, codec, data)
    write_json(workdir / "config.json", config)


def record_session(workdir: Path) -> None:
    """Adds a line to sessions.jsonl: when, by which code and on what the run is begun or goes on."""
    with (workdir / "sessions.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(_session()) + "\n")


def _session() -> dict[str, Any]:
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

    Raises ValueError where the folder holds none, something damaged, or a run of another version of this program.
    """
    workdir = Path(workdir)
    path = workdir / "config.json"
    if not path.is_file():
        raise ValueError(
            f"{workdir} holds no run (there is no config.json in it); train one with "
            f"python -m experiments.train --workdir={workdir}"
        )
    config = read_json(path)
    origin, codec = origin_of(workdir), codec_of(workdir)
    assert origin is not None and codec is not None  # where config.json is, they raise instead
    model = model_of(config, codec)
    like = jax.eval_shape(model.init, jax.random.key(0))
    params = Checkpoints(workdir / "checkpoints", alone=True).restore(BEST, like)
    return Run(config, model, jax.tree.map(jnp.asarray, params), codec, origin.data)


def differences(old: Config, new: Config, field: str = "") -> list[str]:
    """The fields in which two configs differ, as "model.hidden: 16, now 18"."""
    differing = []
    for name in dict.fromkeys([*old, *new]):
        a, b = old.get(name), new.get(name)
        if isinstance(a, Mapping) and isinstance(b, Mapping):
            differing += differences(a, b, f"{field}{name}.")
        elif a != b:
            differing.append(f"{field}{name}: {a}, now {b}")
    return differing
