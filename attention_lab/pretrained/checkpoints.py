"""The files of a pre-trained model: config.json, and the tensors in one or several files of safetensors.

Files of pickled weights are refused: to read one is to run the code in it.
"""

import json
import os
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

CONFIG, WEIGHTS, INDEX = "config.json", "model.safetensors", "model.safetensors.index.json"
PICKLED = ("pytorch_model.bin", "pytorch_model.bin.index.json", "model.pt", "model.pth")
SHARE = 0.8  # of the free memory that the parameters may take, in float32


class Checkpoint(NamedTuple):
    """A folder whose files are complete. tensors: the file of each tensor; nothing has been read from it yet."""

    folder: pathlib.Path
    config: Mapping[str, Any]
    tensors: Mapping[str, pathlib.Path]

    def read(self) -> Iterator[tuple[str, np.ndarray]]:
        """Yields the name and the values of each tensor, float32, file by file. Raises ValueError if one is damaged."""
        open_file = library().safe_open
        for path in sorted(set(self.tensors.values())):
            try:
                with open_file(str(path), framework="numpy") as file:
                    for name in sorted(file.keys()):
                        if self.tensors.get(name) == path:
                            yield name, file.get_tensor(name).astype(np.float32)
            except (OSError, TypeError, ValueError, library().SafetensorError) as error:
                raise ValueError(f"{path} is damaged or not supported: {error}") from None


def checkpoint_of(folder: Any) -> Checkpoint:
    """Returns the checkpoint in a folder.

    Raises ValueError if it lacks a file, a file is damaged, or the parameters do not fit into the free memory.
    """
    folder = pathlib.Path(folder)
    if not folder.is_dir():
        raise ValueError(f"there is no folder {folder}")
    path = folder / CONFIG
    if not path.is_file():
        raise ValueError(f"{folder} has no {CONFIG}; a pre-trained model has one")
    config = read_json(path)
    if not isinstance(config, dict):
        raise ValueError(f"{path} is no config: it must be a JSON object")
    tensors = _located(folder)
    _check_memory(folder, set(tensors.values()))
    return Checkpoint(folder, config, tensors)


def read_json(path: pathlib.Path) -> Any:
    """Returns the content of a JSON file. Raises ValueError if it is missing or damaged."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from None
    except ValueError as error:  # no JSON, or no UTF-8
        raise ValueError(f"{path} is damaged: {error}") from None


def library() -> Any:
    """Returns safetensors. Raises ValueError if it is not installed."""
    try:
        import safetensors
    except ImportError:
        raise ValueError(
            "pre-trained models need the packages safetensors and tokenizers: pip install safetensors tokenizers"
        ) from None
    return safetensors


def _located(folder):
    """The file of each tensor, by the index of several files or by the header of one."""
    if (folder / INDEX).is_file():
        index = read_json(folder / INDEX)
        named = index.get("weight_map") if isinstance(index, dict) else None
        if not isinstance(named, dict) or not all(isinstance(x, str) for x in named.values()):
            raise ValueError(f"{folder / INDEX} is damaged: it has no weight_map of file names")
        files = {name: folder / pathlib.PurePath(file).name for name, file in named.items()}
        missing = sorted({path.name for path in files.values() if not path.is_file()})
        if missing:
            raise ValueError(
                f"{folder} lacks {', '.join(missing[:5])}, of {len(set(files.values()))} files of tensors that {INDEX} "
                "names; nothing is loaded in part"
            )
        held: dict[pathlib.Path, set[str]] = {path: _header(path) for path in set(files.values())}
        lost = sorted(name for name, path in files.items() if name not in held[path])
        if lost:
            raise ValueError(f"{files[lost[0]]} has no tensor {lost[0]}, which {INDEX} names")
        return files
    path = folder / WEIGHTS
    if not path.is_file():
        pickled = [name for name in PICKLED if (folder / name).exists()]
        if pickled:
            raise ValueError(
                f"{folder} has its parameters in {pickled[0]} alone, a pickle, which can run any code when it is read; save "
                "the model as safetensors: model.save_pretrained(folder, safe_serialization=True)"
            )
        raise ValueError(f"{folder} has no {WEIGHTS} and no {INDEX}")
    return dict.fromkeys(_header(path), path)


def _header(path):
    """The names of the tensors in a file."""
    safetensors = library()
    try:
        with safetensors.safe_open(str(path), framework="numpy") as file:
            return set(file.keys())
    except (OSError, ValueError, safetensors.SafetensorError) as error:
        reason = "is damaged" if os.access(path, os.R_OK) else "cannot be read"
        raise ValueError(f"{path} {reason}: {error}") from None


def _check_memory(folder, paths):
    """Raises ValueError if the tensors, as float32, would take more than SHARE of the free memory."""
    free = free_memory()
    # Of tensors of 16 bits the values in float32 take twice as much as the files.
    size = 2 * sum(path.stat().st_size for path in paths)
    if free is not None and size > SHARE * free:
        raise ValueError(
            f"{folder} has parameters of about {size / 2**30:.1f} GiB, and {free / 2**30:.1f} GiB of memory are free"
        )


def free_memory() -> int | None:
    """Returns the bytes of memory that are available, None where it is unknown."""
    try:
        for line in pathlib.Path("/proc/meminfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return None
