"""Fine-tuning: a run that starts from the best parameters of another run (`config["initialize_from"]`)."""

from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from attention_lab.data.vocabularies import Codec
from attention_lab.mechanism.contracts import Params
from attention_lab.runs.folder import load
from attention_lab.runs.origin import codec_of


class Initialized(NamedTuple):
    """Parameters of which some come from another run.

    taken: the names of these; left: for each of the others, and for each of that run's that fits nowhere, its name
    and why it was not used.
    """

    params: Params
    taken: list[str]
    left: list[str]

    def __str__(self):
        left = [f"\n         not used: {line}" for line in self.left]
        return f"{len(self.taken)} arrays of parameters{''.join(left)}"


def codec_from(folder: str) -> Codec | None:
    """Returns the tokenizers of the run in a folder, with which its parameters must be used; None for "".

    Raises ValueError if the folder contains no run.
    """
    if not folder:
        return None
    codec = codec_of(Path(folder))
    if codec is None:
        raise ValueError(f"initialize_from is {folder!r}, and there is no run in that folder")
    return codec


def initialize(params: Params, folder: str) -> Initialized:
    """Replaces parameters [S, ..] by those of the run in a folder that have the same names and shapes.

    All replicas start from the same parameters. Raises ValueError if the folder contains no run, or if no parameter fits.
    """
    known = _by_name(load(folder).params)
    taken, left = [], []

    def choose(path, own):
        name = _name(path)
        other = known.pop(name, None)
        if other is None:
            left.append(f"{name} is new")
        elif other.shape != own.shape[1:]:
            left.append(f"{name} has the shape {own.shape[1:]}, and {other.shape} in {folder}")
        else:
            taken.append(name)
            return jnp.broadcast_to(other.astype(own.dtype), own.shape)
        return own

    chosen = jax.tree_util.tree_map_with_path(choose, params)
    left += [f"{name} of {folder} has no place in this model" for name in known]
    if not taken:
        raise ValueError(
            f"initialize_from is {folder!r}, and none of its parameters has the name and shape of one of this model"
        )
    return Initialized(chosen, taken, left)


def _by_name(params: Params) -> dict[str, Any]:
    return {_name(path): leaf for path, leaf in jax.tree_util.tree_leaves_with_path(params)}


def _name(path) -> str:
    return jax.tree_util.keystr(path, simple=True, separator="/")
