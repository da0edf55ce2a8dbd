"""Training examples whose sources are not texts: images, read when a batch needs them, and frames, computed once."""

import contextlib
import functools
import hashlib
import io
import pathlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from attention_lab import files
from attention_lab.data import images, readers
from attention_lab.data.augmentation import Augment
from attention_lab.data.readers import Reader
from attention_lab.data.rows import Row
from attention_lab.data.tokenizer_files import Path
from attention_lab.data.vocabularies import Codec

KEPT = 2**29  # bytes of images that are kept in memory


class Perceived(NamedTuple):
    """Sources with the ids of their targets, each ending in END, and the number of those left out, by reason.

    array: (index) -> the array of a source. sizes: [N] the positions of each, along its longer axis. augment: changes the
    array in each epoch; None: nothing does.
    """

    array: Callable[[int], np.ndarray]
    sizes: np.ndarray
    target: Sequence[np.ndarray]  # int32 [T] each
    left_out: dict[str, int]
    augment: Augment | None = None

    @property
    def lengths(self) -> tuple[np.ndarray, np.ndarray]:
        """The number of positions of each source along its longer axis, and of ids of each target."""
        return self.sizes, np.array([len(ids) for ids in self.target], int)

    def epoch(self, seed: int, number: int, /) -> Callable[[int], Row]:
        """Returns the function from the index of an example to its row; it is a pure function of its arguments."""
        augment = self.augment
        if augment is None:
            return lambda index: Row(self.array(index), self.target[index])

        def row(index):
            rng = np.random.default_rng([seed, number, 2, index])
            return Row(augment(self.array(index), rng), self.target[index])

        return row


def perceived(
    codec: Codec,
    examples: Sequence[dict[str, Any]],
    max_length: int,
    cache_dir: Path,
    longest: int | None = None,
    augment: Augment | None = None,
) -> Perceived:
    """Encodes the targets of examples, and finds the arrays of their sources.

    Examples with a blank target, more than max_length tokens, or more than `longest` positions of the source are left out
    and counted. cache_dir: the folder in which frames are cached. augment: as in `Perceived`.
    """
    targets = codec.target.arrays(example["target"] for example in examples)
    blank = np.array([len(ids) == 1 for ids in targets], bool)
    long = ~blank & np.array([len(ids) > max_length for ids in targets], bool)
    kept = np.flatnonzero(~blank & ~long).tolist()
    sources = [examples[i]["source"] for i in kept]
    array, sizes = _arrays(codec.source, sources, cache_dir)
    fits = np.flatnonzero(sizes <= (longest or np.inf))
    left_out = {
        "a blank target": int(blank.sum()),
        f"more than {max_length} tokens": int(long.sum()),
    }
    if longest is not None:
        left_out[f"more than {longest} frames"] = len(kept) - len(fits)
    chosen = fits.tolist()
    return Perceived(
        lambda index: array(chosen[index]),
        sizes[fits],
        [targets[kept[i]] for i in chosen],
        left_out,
        augment,
    )


def _arrays(reader, sources, cache_dir):
    """Returns the function from the index of a source to its array, and the positions of all of them, [N]."""
    if reader.reads == "image":
        # Reading and drawing images takes longer than storing their bytes: as many as fit are kept.
        @functools.lru_cache(KEPT // (reader.size**2 * images.CHANNELS))
        def resized(index):
            return reader.resized(sources[index].pixels())

        return lambda index: images.scaled(resized(index)), reader.sizes(sources)
    rows = cached_frames(reader, sources, cache_dir)
    return lambda index: rows[index].astype(np.float32), np.array([len(one) for one in rows], int)


def cached_frames(reader: Reader, sources: Sequence[Any], cache_dir: Path) -> list[np.ndarray]:
    """Returns the frames of each source, float16 [K, F], from cache_dir if they were computed before.

    A damaged file is replaced; if the file cannot be written, the frames are returned nevertheless.
    """
    digest = hashlib.sha256(readers.digest_of(reader).encode())
    for source in sources:
        digest.update(source.digest.encode())
    path = pathlib.Path(cache_dir) / f"frames-{digest.hexdigest()[:32]}.npz"
    with contextlib.suppress(OSError, ValueError, KeyError, EOFError):
        return _from_bytes(path.read_bytes(), digest.hexdigest())
    rows = [one.astype(np.float16) for one in reader.arrays(sources)]
    with contextlib.suppress(OSError):  # it is only slower without
        files.replace(path, _to_bytes(rows, digest.hexdigest()))
    return rows


def _to_bytes(rows: Iterable[np.ndarray], made_from: str) -> bytes:
    rows = list(rows)
    content = io.BytesIO()
    lengths = np.array([len(row) for row in rows], np.int32)
    np.savez(content, lengths=lengths, made_from=np.array(made_from), values=np.concatenate(rows))
    return hashlib.sha256(content.getbuffer()).digest() + content.getbuffer()


def _from_bytes(data: bytes, made_from: str) -> list[np.ndarray]:
    """Parses what `_to_bytes` returned. Raises ValueError if it is damaged, or made from other inputs."""
    content = memoryview(data)[32:]
    if hashlib.sha256(content).digest() != data[:32]:
        raise ValueError("the frames are damaged")
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        if str(arrays["made_from"]) != made_from:
            raise ValueError("the frames were made from something else")
        return np.split(arrays["values"], np.cumsum(arrays["lengths"])[:-1])
