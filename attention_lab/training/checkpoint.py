"""Checkpoints, a small interface to orbax. A run keeps the two latest states and the two latest best parameters.

Orbax writes checkpoints atomically, but does not detect corrupted bytes. Therefore each checkpoint has a file
STEP.sha256, written after all others, which `sha256sum --check` reads too. If a digest does not match, the previous
checkpoint is restored.
"""

import contextlib
import hashlib
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp

from attention_lab import files
from attention_lab.training.cost import tree_bytes
from attention_lab.training.processes import (
    all_or_none,
    any_process,
    barrier,
    from_first,
    is_first,
)

LATEST, BEST = "latest", "best"
KEPT = 2  # checkpoints of each kind
VERSION = 3  # increased when the meaning of a checkpoint changes, even if its shapes do not
TRIAL = "round_trip"
# Paths that orbax and tensorstore read literally; they may take others for patterns or URLs, or fail to decode them.
_LITERAL = re.compile(r"[\w/.,+=@ -]*")


class Checkpoints:
    """The checkpoints in one run's folder: LATEST, from which training resumes, and BEST, for inference."""

    def __init__(self, folder: Path | str, single_process: bool = False) -> None:
        """single_process: whether this process alone calls the methods; if not, all processes call them collectively."""
        self.folder, self.single_process = Path(folder).absolute(), single_process
        self.damaged: set[tuple[str, int]] = set()  # those of which a warning was printed

    def check_round_trip(self) -> None:
        """Saves and restores a small array, so that an unsuitable folder is detected before training.

        Removes what it wrote, and does nothing if the folder already contains checkpoints. Raises ValueError if
        saving or restoring fails.
        """
        if self._steps(LATEST) or self._steps(BEST):
            return
        state = {"written": np.arange(3)}
        with removed_if_empty(self.folder):
            try:
                with self._manager(TRIAL, create=True) as manager:
                    manager.save(0, args=ocp.args.StandardSave(state))
                    manager.wait_until_finished()
                with self._manager(TRIAL) as manager:
                    read = manager.restore(0, args=ocp.args.StandardRestore(state))
                np.testing.assert_array_equal(read["written"], state["written"])
            except Exception as error:  # from any of the underlying libraries
                message = " ".join(str(error).split())[:200]
                raise ValueError(
                    f"{self.folder}: a checkpoint that is written there cannot be read back ({message}); choose "
                    "another folder: --workdir"
                ) from error
            finally:
                shutil.rmtree(self.folder / TRIAL, ignore_errors=True)

    def save(self, kind: str, step: int, state: Any) -> None:
        """Saves a state atomically, and then removes all but the newest KEPT checkpoints of its kind.

        Does nothing if an intact checkpoint of this step exists. Raises OSError if the state cannot be written, for
        instance on a full disk; earlier checkpoints then remain intact.
        """
        if self._from_first(self._is_intact(kind, step)):
            return
        try:
            if is_first():
                self._remove_unfinished(kind)
                for old in self._steps(kind):
                    # After a restore of an earlier checkpoint, later ones are obsolete; damaged ones must not count
                    # among those that are kept.
                    if old >= step or (kind, old) in self.damaged:
                        self._remove(kind, old)
            barrier(f"before {kind} {step}")
            self._check_free_space(tree_bytes(state))
            with self._manager(kind, create=True) as manager:
                manager.save(step, args=ocp.args.StandardSave(state), force=True)
                manager.wait_until_finished()
            if is_first():
                _write_digest(self.folder / kind / str(step))
                for old in self._steps(kind)[KEPT:]:
                    self._remove(kind, old)
            barrier(f"after {kind} {step}")
        except (ValueError, OSError) as error:
            self._remove_unfinished(kind)
            # The operating system's message is the last part, after the paths that tensorstore adds.
            message = re.sub(r" \[.*?\]", "", str(error)).rsplit(": ", 1)[-1]
            raise OSError(
                f"the {kind} checkpoint of update {step:,} could not be written to {self.folder / kind}: "
                f"{message}; what was saved before is intact"
            ) from error

    def step(self, kind: str) -> int | None:
        """Returns the number of updates of the newest intact checkpoint, or None if there is no checkpoint.

        Prints a warning if a newer one is damaged. Raises ValueError if all are damaged.
        """
        if self.single_process:
            return self._newest(kind)
        with all_or_none():
            newest = self._newest(kind)
        chosen = self._from_first(-1 if newest is None else newest)
        return None if chosen < 0 else chosen

    def _from_first(self, number):
        """Returns the number of the first process: collective reads and writes must not depend on each one's view of the disk."""
        return number if self.single_process else int(from_first({"number": number})["number"])

    def _newest(self, kind):
        steps = self._steps(kind)
        digested = [step for step in steps if _digest_of(self.folder / kind / str(step)).exists()]
        if not digested:
            # The process was killed before it wrote the digest, or its version wrote none; orbax's write was atomic.
            return steps[0] if steps else None
        intact = next((step for step in digested if self._is_intact(kind, step)), None)
        for step in digested[: digested.index(intact) if intact is not None else None]:
            self._warn_damaged(kind, step, intact)
        if intact is None:
            raise ValueError(
                f"the {kind} checkpoint of update {digested[0]:,} in {self.folder} is damaged (its sha256 "
                f"differs), and there is no intact one before it; train again in another --workdir"
            )
        return intact

    def restore(self, kind: str, like: Any) -> Any:
        """Restores the newest intact state. like: a state of the same structure, or its shapes.

        Raises ValueError if there is no checkpoint, or if its structure differs.
        """
        step = self.step(kind)
        if step is None:
            raise ValueError(f"there is no {kind} checkpoint in {self.folder}")
        shapes = jax.tree.map(_on_own_devices, like)
        which = f"the {kind} checkpoint in {self.folder}"
        with self._manager(kind) as manager:
            try:
                saved, expected = _shapes(manager.item_metadata(step)), _shapes(shapes)
                if saved == expected:
                    return manager.restore(step, args=ocp.args.StandardRestore(shapes))
            except (ValueError, KeyError, TypeError, OSError) as error:
                message = " ".join(str(error).split())[:200]
                raise ValueError(f"{which} is damaged: {message}") from error
        name = min(p for p in saved.keys() | expected.keys() if saved.get(p) != expected.get(p))
        raise ValueError(
            f"{which} is of another model: it has {saved.get(name, 'nothing')} as {name}, but "
            f"{expected.get(name, 'nothing')} is expected"
        )

    def _steps(self, kind):
        """Returns the steps of all checkpoints of a kind, newest first."""
        names = [path.name for path in (self.folder / kind).glob("*") if path.is_dir()]
        return sorted((int(name) for name in names if name.isdecimal()), reverse=True)

    def _is_intact(self, kind, step):
        digest = _digest_of(self.folder / kind / str(step))
        if not digest.is_file():
            return False
        lines = digest.read_text(encoding="utf-8", errors="replace").splitlines()
        return bool(lines) and all(_matches(digest.parent, line) for line in lines)

    def _warn_damaged(self, kind, step, used):
        if used is not None and (kind, step) not in self.damaged:
            self.damaged.add((kind, step))
            message = f"the {kind} checkpoint of update {step:,} in {self.folder} is damaged"
            print(f"{message}; that of update {used:,} is used", file=sys.stderr, flush=True)

    def _remove(self, kind, step):
        saved = self.folder / kind / str(step)
        _digest_of(saved).unlink(missing_ok=True)
        shutil.rmtree(saved)

    def _remove_unfinished(self, kind):
        """Removes incomplete files of a process that was killed or ran out of disk space."""
        for unfinished in (self.folder / kind).glob("*.orbax-checkpoint-tmp"):
            shutil.rmtree(unfinished, ignore_errors=True)
        for unfinished in (self.folder / kind).glob("*.tmp"):
            unfinished.unlink(missing_ok=True)

    def _check_free_space(self, needed):
        """Raises OSError if the disk lacks space. If tensorstore found out, its threads would continue to print errors."""
        existing = next(folder for folder in (self.folder, *self.folder.parents) if folder.exists())
        free = shutil.disk_usage(existing).free
        if any_process(free < needed):  # all processes raise, or none does
            raise OSError(
                f"No space left on device (it takes {needed / 2**20:,.1f} MiB, {free / 2**20:,.1f} are free)"
            )

    @contextlib.contextmanager
    def _manager(self, kind, create=False):
        # Synchronous, since the next update may reuse the memory of the state (buffer donation).
        options = ocp.CheckpointManagerOptions(
            max_to_keep=None, create=False, enable_async_checkpointing=False
        )
        if self.single_process:
            own = jax.process_index()
            options.multiprocessing_options = ocp.options.MultiprocessingOptions(
                own, {own}, "alone"
            )
        handler = ocp.StandardCheckpointHandler()  # makes the metadata available before a restore
        if create:  # orbax creates folders only collectively
            (self.folder / kind).mkdir(parents=True, exist_ok=True)
        with (
            _literal(self.folder) as folder,
            ocp.CheckpointManager(folder / kind, options=options, item_handlers=handler) as manager,
        ):
            yield manager


@contextlib.contextmanager
def removed_if_empty(folder: Path) -> Iterator[None]:
    """At its end, removes the folder and its parents if they were created within the context and are empty."""
    new = [folder for folder in (folder, *folder.parents) if not folder.exists()]
    try:
        yield
    finally:
        for path in new:
            with contextlib.suppress(OSError):  # it does not exist, or is not empty
                path.rmdir()


@contextlib.contextmanager
def _literal(folder: Path) -> Iterator[Path]:
    """Yields the folder, or a symbolic link to it if tensorstore does not read its path literally.

    Raises ValueError if the folder for temporary files has such a path too.
    """
    if _is_literal(folder):
        yield folder
        return
    if not _is_literal(Path(tempfile.gettempdir())):
        raise ValueError(
            f"{folder} and the folder for temporary files, {tempfile.gettempdir()}, have characters in their paths "
            "that tensorstore interprets; set TMPDIR to a path of letters and digits"
        )
    with tempfile.TemporaryDirectory(prefix="attention_lab_") as path:
        link = Path(path, "checkpoints")
        link.symlink_to(folder, target_is_directory=True)
        yield link


def _is_literal(path: Path) -> bool:
    return bool(_LITERAL.fullmatch("/".join(path.parts[1:])))  # the first part is "/", or a drive


def _on_own_devices(leaf: Any) -> jax.ShapeDtypeStruct:
    """Returns the shape of a leaf with its sharding, or on the first device: the saving process may have had other devices."""
    struct = ocp.utils.to_shape_dtype_struct(leaf)
    if struct.sharding is not None:
        return struct
    first = jax.sharding.SingleDeviceSharding(jax.local_devices()[0])
    return jax.ShapeDtypeStruct(struct.shape, struct.dtype, sharding=first)


def _digest_of(saved: Path) -> Path:
    return saved.with_name(f"{saved.name}.sha256")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _matches(folder: Path, line: str) -> bool:
    digest, _, name = line.partition("  ")
    path = folder / name
    return bool(name) and path.is_file() and _sha256(path) == digest


def _write_digest(saved: Path) -> None:
    """Writes a line for each file, in the format of sha256sum."""
    paths = sorted(path for path in saved.rglob("*") if path.is_file())
    lines = [f"{_sha256(path)}  {path.relative_to(saved.parent)}\n" for path in paths]
    files.replace(_digest_of(saved), "".join(lines))


def _shapes(tree: Any) -> dict[str, tuple[int, ...]]:
    """Returns the shape of each array by its path, such as "params/bridge"; for a PRNG key, the shape of its data."""
    shapes = {}
    for path, leaf in jax.tree_util.tree_flatten_with_path(tree)[0]:
        shape = tuple(leaf.shape)
        if jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key):
            shape = jax.eval_shape(jax.random.key_data, leaf).shape
        shapes[jax.tree_util.keystr(path, simple=True, separator="/")] = shape
    return shapes
