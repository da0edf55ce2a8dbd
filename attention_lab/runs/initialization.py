"""Fine-tuning: a run that starts from the best parameters of another run, or from a pre-trained model.

--config.initialize_from=runs/denoising
--config.initialize_from=models/bart-base      # configs/fine_tuning.py has the model to which its parameters belong
config["initialize_from"] = "runs/studies/denoising/infilling/infilling_seed_{seed}"     # of the run with the same seed
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from attention_lab.data.vocabularies import Codec
from attention_lab.mechanism.contracts import Params
from attention_lab.models import Model
from attention_lab.pretrained import tokenizer_files
from attention_lab.pretrained.checkpoints import CONFIG, read_json
from attention_lab.pretrained.conversion import order_in
from attention_lab.runs.opening import opened
from attention_lab.runs.origin import codec_of, is_pretrained


class Initialized(NamedTuple):
    """Parameters of which some come from other runs.

    taken: the names of these; left: for each of the others, and for each of the other run's that fits nowhere, its name
    and why it was not used.
    """

    params: Params
    taken: list[str]
    left: list[str]

    def __str__(self):
        left = [f"\n         not used: {line}" for line in self.left]
        return f"{len(self.taken)} arrays of parameters{''.join(left)}"


def initial_run(config: Mapping[str, Any]) -> str:
    """Returns the folder of the run from which a run starts, "" if it starts from none: `{seed}` is replaced by its seed."""
    return config["initialize_from"].replace("{seed}", str(config["seed"]))


def codec_from(config: Mapping[str, Any]) -> Codec | None:
    """Returns the tokenizers of the run from which a run starts, with which its parameters must be used, or None.

    Raises ValueError if the folder contains no run.
    """
    folder = initial_run(config)
    if not folder:
        return None
    path = Path(folder)
    if is_pretrained(path):
        return tokenizer_files.codec_of(path, order_in(read_json(path / CONFIG)))
    codec = codec_of(path)
    if codec is None:
        raise ValueError(f"initialize_from is {folder!r}, and there is no run in that folder")
    return codec


def check(model: Model, configs: Sequence[Mapping[str, Any]]) -> None:
    """Raises ValueError if `initialize` would do so for a new training of the model with these configs."""
    shapes = jax.eval_shape(model.init, jax.random.key(0))
    initialize(jax.tree.map(lambda x: jnp.zeros((1, *x.shape), x.dtype), shapes), configs)


def initialize(params: Params, configs: Sequence[Mapping[str, Any]]) -> Initialized:
    """Replaces parameters [S, ..] by those with the same names and shapes of the runs from which the replicas start.

    configs: those of the S replicas. Raises ValueError if a folder contains no run, if the runs have different
    tokenizers, or if no parameter fits.
    """
    folders = list(map(initial_run, configs))
    runs = {folder: opened(folder) for folder in dict.fromkeys(folders)}
    if len({run.codec for run in runs.values()}) > 1:
        raise ValueError(
            f"the runs {', '.join(runs)} have different tokenizers; start from equal ones"
        )
    known = {folder: _by_name(run.params) for folder, run in runs.items()}
    first = folders[0]
    taken: list[str] = []
    left = [
        f"{name} of {first} has no place in this model"
        for name in known[first].keys() - _by_name(params)
    ]

    def choose(path, own):
        name = _name(path)
        other = known[first].get(name)
        if other is None:
            left.append(f"{name} is new")
        elif other.shape != own.shape[1:]:
            left.append(f"{name} has the shape {own.shape[1:]}, and {other.shape} in {first}")
        else:
            taken.append(name)
            return jnp.stack([known[folder][name].astype(own.dtype) for folder in folders])
        return own

    chosen = jax.tree_util.tree_map_with_path(choose, params)
    if not taken:
        raise ValueError(
            f"initialize_from is {first!r}, and none of its parameters has the name and shape of one of this model"
        )
    return Initialized(chosen, taken, sorted(left))


def _by_name(params: Params) -> dict[str, Any]:
    return {_name(path): leaf for path, leaf in jax.tree_util.tree_leaves_with_path(params)}


def _name(path) -> str:
    return jax.tree_util.keystr(path, simple=True, separator="/")
