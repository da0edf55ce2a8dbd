"""The folder of a run, which training writes and `load` reads.

config.json  origin.json  source_tokenizer.json  target_tokenizer.json  checkpoints/  metrics.jsonl  sessions.jsonl
"""

import datetime
import json
import subprocess
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from types import MappingProxyType
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
    """Returns the model that a config describes, at its matmul precision. Raises ValueError if the config is invalid."""
    model = make_model(*map(len, codec), **config["model"])
    # Runs of versions without this field used the default of JAX.
    return precise_in(model, config["training"].get("matmul_precision", "default"))


# Fields that determine how a run is computed, but not its results, except for rounding: they may change at a resume.
COMPUTATION = (
    "devices.",
    "training.workers",
    "training.microbatches",
    "model.encoder.recompute",
    "model.decoder.recompute",
)
# Fields that were added to configs, with the values that compute what was computed without them.
ADDED: Mapping[str, Any] = MappingProxyType(
    {
        "lengths": [],  # of a study
        "training.sampled_inputs": 0.0,
        "decoding.length_offset": 5.0,
        "decoding.full": False,
        "decoding.early": False,
        "model.embeddings.logits_bias": False,
        "model.embeddings.copies": [],
        "model.decoder.gate": False,
        "model.decoder.readout": "tanh",
        "model.decoder.initial_memory": False,
        "model.decoder.doubly_stochastic": 0.0,
        "model.decoder.hard": False,
        "model.decoder.hard_expected": 1.0,
        "model.decoder.hard_reinforce": 1.0,
        "model.decoder.hard_entropy": 0.01,
    }
)


def write(workdir: Path, config: Config, codec: Codec, data: Mapping[str, str]) -> None:
    """Writes all files that `load` requires except the checkpoints. data: the digest of each split.

    Raises ValueError, and writes nothing, where `check_config` and `origin.begin` do.
    """
    check_config(workdir, config)
    begin(workdir, codec, data)
    write_json(workdir / "config.json", config)


def check_config(workdir: Path, config: Config) -> None:
    """Raises ValueError if the folder contains a run with another config, with the fields that differ.

    Those in COMPUTATION may differ.
    """
    if (workdir / "config.json").exists():
        differing = [
            difference
            for difference in differences(read_json(workdir / "config.json"), config)
            if not difference.startswith(COMPUTATION)
        ]
        if differing:
            raise ValueError(
                f"{workdir} contains a run with another config ({', '.join(differing[:5])}); resume with "
                "that config, or choose another folder: --workdir"
            )


def record_session(workdir: Path) -> None:
    """Adds a line to sessions.jsonl: the time at which the run is started or resumed, the code and the devices."""
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
    """Loads the run of a folder with its best parameters.

    Raises ValueError if the folder contains no run, a damaged one, or one of another version of this program.
    """
    workdir = Path(workdir)
    path = workdir / "config.json"
    if not path.is_file():
        why = "there is no config.json in it" if workdir.is_dir() else "there is no such folder"
        raise ValueError(
            f"{workdir} contains no run ({why}); train one with "
            f"python -m experiments.train --config=CONFIG --workdir={workdir}"
        )
    config = read_json(path)
    origin, codec = origin_of(workdir), codec_of(workdir)
    assert origin is not None and codec is not None  # they raise if config.json exists without them
    model = model_of(config, codec)
    like = jax.eval_shape(model.init, jax.random.key(0))
    params = Checkpoints(workdir / "checkpoints", single_process=True).restore(BEST, like)
    return Run(config, model, jax.tree.map(jnp.asarray, params), codec, origin.data)


def differences(old: Config, new: Config, field: str = "") -> list[str]:
    """Returns the fields in which two configs differ, as "model.hidden: 16, now 18"."""
    differing = []
    for name in dict.fromkeys([*old, *new]):
        path = f"{field}{name}"
        # A config without a field that was added later means the value that changes nothing; "base." is that of a study.
        a, b = (config.get(name, ADDED.get(path.removeprefix("base."))) for config in (old, new))
        if isinstance(a, Mapping) and isinstance(b, Mapping):
            differing += differences(a, b, f"{path}.")
        elif a != b:
            differing.append(f"{path}: {a}, now {b}")
    return differing
