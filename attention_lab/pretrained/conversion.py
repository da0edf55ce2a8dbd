"""Parameters of our models from tensors of pre-trained ones, and back."""

import contextlib
import json
import pathlib
import re
import tempfile
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from attention_lab.mechanism.contracts import Params
from attention_lab.mechanism.registry import choose
from attention_lab.models import Model, make_model
from attention_lab.pretrained.architectures import (
    CONSTANT_POSITIONS,
    Architecture,
    architecture_of,
)
from attention_lab.pretrained.checkpoints import (
    CONFIG,
    WEIGHTS,
    Checkpoint,
    checkpoint_of,
    library,
)
from attention_lab.pretrained.vocabulary import Order, order_of

EMBEDDINGS = ("embeddings/target", "embeddings/output", "embeddings/bias")
Tensors = dict[str, np.ndarray]


class Pretrained(NamedTuple):
    """A pre-trained model. config: that of its folder; words: of `make_model`; order: that of its ids."""

    config: Mapping[str, Any]
    words: dict[str, Any]
    model: Model
    params: Params
    order: Order


def words_of(folder: Any) -> dict[str, Any]:
    """Returns the words of `make_model` for the model in a folder. Raises ValueError as `load`, except for its tensors."""
    checkpoint = checkpoint_of(folder)
    with _of_config(checkpoint.folder):
        return words_in(checkpoint.config)


def words_in(config: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the words of `make_model` for a config. Copies of tokens are read as these, and learn nothing of their own."""
    words, order = architecture_of(config).model(config), order_in(config)
    originals = order.ours[order.theirs]
    copies = [(copy, int(originals[copy])) for copy in np.flatnonzero(~order.written).tolist()]
    return words | {"embeddings": {**words["embeddings"], "copies": copies}}


def load(folder: Any) -> Pretrained:
    """Returns the pre-trained model in a folder.

    Raises ValueError, before anything is read, if the folder is incomplete or too large, or the architecture or one of its
    options is unknown; and if a tensor is missing, left over, damaged or of another shape.
    """
    checkpoint = checkpoint_of(folder)
    config = checkpoint.config
    with _of_config(checkpoint.folder):
        architecture, words, order = architecture_of(config), words_in(config), order_in(config)
    model = make_model(len(order.theirs), len(order.theirs), **words)
    params = _params(checkpoint, architecture, model, _state(checkpoint), order)
    return Pretrained(config, words, model, params, order)


@contextlib.contextmanager
def _of_config(folder: pathlib.Path) -> Iterator[None]:
    """Errors inside say which config.json they are about."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"{folder / CONFIG}: {error}") from None


def order_in(config: Mapping[str, Any]) -> Order:
    """Returns the order of the ids of a config's model. Raises ValueError as `load`, of the config alone."""
    size = config.get("vocab_size")
    if type(size) is not int or size < 1:
        raise ValueError("there is no whole number 'vocab_size'")
    return order_of(architecture_of(config).specials(config), size)


def save(pretrained: Pretrained, folder: Any) -> None:
    """Writes config.json and model.safetensors, which transformers and `load` read.

    What ours lacks is 0: biases of keys, which no weight depends on, and rows of positions that nothing reads. Raises
    ValueError if the folder exists, cannot be written, or the parameters are another model's.
    """
    folder = pathlib.Path(folder)
    if folder.exists():
        raise ValueError(f"{folder} exists; choose another folder")
    shapes = jax.eval_shape(pretrained.model.init, jax.random.key(0))
    if jax.tree.map(jnp.shape, pretrained.params) != jax.tree.map(jnp.shape, shapes):
        raise ValueError("these parameters are of another model: their names or shapes differ")
    safetensors = library()
    from safetensors.numpy import save_file

    state = {name: np.ascontiguousarray(x) for name, x in _tensors(pretrained).items()}
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        # The folder appears when it is complete: a full disk leaves none.
        with tempfile.TemporaryDirectory(dir=folder.parent) as part:
            made = pathlib.Path(part) / folder.name
            made.mkdir()
            save_file(state, made / WEIGHTS, metadata={"format": "pt"})
            text = json.dumps(dict(pretrained.config), indent=2, ensure_ascii=False)
            (made / CONFIG).write_text(f"{text}\n", encoding="utf-8")
            made.rename(folder)
    except (OSError, safetensors.SafetensorError) as error:
        raise ValueError(f"{folder} cannot be written: {error}") from None


def _state(checkpoint: Checkpoint) -> Tensors:
    """The tensors by name, in the form that all architectures but GPT-2 have."""
    architecture = architecture_of(checkpoint.config)
    state: Tensors = {}
    for name, tensor in checkpoint.read():
        state |= dict(architecture.form(name, tensor))
    if checkpoint.config["model_type"] == "gpt2" and "wte.weight" in state:
        # A model that was saved without its head lacks this part of the names.
        return {f"transformer.{name}": tensor for name, tensor in state.items()}
    return state


def _called(names: Mapping[str, str], ours: str) -> str:
    """What a parameter of ours is called; "" if it has no name."""
    number = re.search(r"layer_(\d+)", ours)
    theirs = names.get(re.sub(r"layer_\d+", "layer_{n}", ours), "")
    return theirs.format(n=number and number[1])


def _path(path: Any) -> str:
    return jax.tree_util.keystr(path, simple=True, separator="/")


def _transposed(ours: str) -> bool:
    """Whether a parameter of ours is the transpose of theirs: W of x W; [heads, buckets]."""
    return ours.endswith("kernel") or "/bias/heads/" in ours


def _params(
    checkpoint: Checkpoint,
    architecture: Architecture,
    model: Model,
    state: Mapping[str, np.ndarray],
    order: Order,
) -> Params:
    names = architecture.names(checkpoint.config)
    used: set[str] = set()

    def leaf(path, shape):
        ours = _path(path)
        theirs = _called(names, ours)
        if ours == "embeddings/output" and theirs not in state:  # it is the table of embeddings
            theirs = names["embeddings/target"]
        used.add(theirs)
        if theirs not in state:
            raise ValueError(f"{checkpoint.folder} has no tensor {theirs}")
        value = state[theirs]
        if ours == "embeddings/bias":
            value = np.ravel(value)
        if ours in EMBEDDINGS and len(value) > order.theirs.max():
            value = value[order.theirs]
        elif _transposed(ours):
            value = value.T
        elif ours.endswith("positions/table"):
            value = value[architecture.skipped :]
        if value.size != shape.size:
            raise ValueError(
                f"{checkpoint.folder}: the tensor {theirs} has the shape {state[theirs].shape}, which does not fit its "
                f"{CONFIG}"
            )
        return jnp.asarray(value.reshape(shape.shape))

    shapes = jax.eval_shape(model.init, jax.random.key(0))
    params = jax.tree_util.tree_map_with_path(leaf, shapes)
    tied = {names[name] for name in EMBEDDINGS if name in names}  # a copy of a tied table
    left = sorted(
        name for name in set(state) - used - tied if not name.endswith(architecture.unused)
    )
    if left:
        raise ValueError(
            f"{checkpoint.folder} has {len(left)} tensors that a {checkpoint.config['model_type']} of ours lacks, such as "
            f"{left[0]}"
        )
    return params


def _tensors(pretrained: Pretrained) -> Tensors:
    """The inverse of `_params` and `_state`."""
    config, order = pretrained.config, pretrained.order
    architecture = architecture_of(config)
    names, state = architecture.names(config), {}
    written = order.theirs[order.written]
    for path, x in jax.tree_util.tree_leaves_with_path(pretrained.params):
        ours, value = _path(path), np.asarray(x, np.float32)
        theirs = _called(names, ours)
        if not theirs:
            continue
        if ours in EMBEDDINGS:
            table = np.zeros((order.theirs.max() + 1, *value.shape[1:]), np.float32)
            table[written] = value[order.written]
            value = table[None] if ours == "embeddings/bias" else table
        elif "/heads/" in ours and "/bias/heads/" not in ours:
            value = _flat(ours, value)
        elif _transposed(ours):
            value = value.T
        elif ours.endswith("positions/table"):
            value = np.pad(value, ((architecture.skipped, 0), (0, 0)))
        state[theirs] = value
        if "heads/b_Q" in ours and (keys := _called(names, ours.replace("b_Q", "b_K"))):
            state[keys] = np.zeros_like(value)
    for side in ("encoder", "decoder"):
        constant = _called(names, f"{side}/positions/table")
        if constant.endswith(CONSTANT_POSITIONS) and constant not in state:
            state[constant] = _sinusoids(pretrained.words[side])
    return architecture.back(state)


def _sinusoids(words: Mapping[str, Any]) -> np.ndarray:
    """The table of positions of a side without parameters for them."""
    encoding, nothing = choose("encoding", words["encoding"]), jnp.zeros(words["features"])
    positions = jnp.arange(words["positions"])
    return np.asarray(jax.vmap(lambda i: encoding.encode({}, nothing, i))(positions), np.float32)


def _flat(ours: str, value: np.ndarray) -> np.ndarray:
    """A projection of all heads as one matrix or bias: W_Q [H, d, D] -> [H d, D], W_O [D, H, d] or [D, H d]."""
    if ours.endswith(("b_Q", "b_V", "b_O")):
        return value.ravel()
    wide = value.shape[0] if ours.endswith("W_O") else value.shape[-1]
    return value.reshape(wide, -1) if ours.endswith("W_O") else value.reshape(-1, wide)
