"""Checkpoints: orbax behind one small face. A run keeps its latest states and its best ones, two of each.

Orbax writes a checkpoint whole or not at all, but reads a flipped byte without a word. So beside each stands
STEP.sha256, written when all the rest is on disk, which `sha256sum --check` reads too; what does not agree with it
is passed over for the one before.
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
from attention_lab.training.processes import any_process, barrier, from_first, is_first, or_none

LATEST, BEST = "latest", "best"
KEPT = 2  # of each
VERSION = 3  # to be raised where what is saved means something else, in the same shapes too
TRIAL = "of_a_rehearsal"
# Paths that orbax and tensorstore take as they are; others may be patterns, addresses or no text to them.
_PLAIN = re.compile(r"[\w/.,+=@ -]*")


class Checkpoints:
    """The checkpoints of one run's folder: LATEST, from which to go on, and BEST, which to use."""

    def __init__(self, folder: Path | str, alone: bool = False) -> None:
        """alone: only this process reads here, whatever others it trains with; else all of them call together."""
        self.folder, self.alone = Path(folder).absolute(), alone
        self.damaged: set[tuple[str, int]] = set()  # and said to be

    def rehearse(self) -> None:
        """Writes something small and reads it back, so that a place where that fails is known before training.

        Leaves nothing. Raises ValueError where it fails. What has been saved here before has shown it already.
        """
        if self._steps(LATEST) or self._steps(BEST):
            return
        state = {"written": np.arange(3)}
        with emptied(self.folder):
            try:
                with self._manager(TRIAL, create=True) as manager:
                    manager.save(0, args=ocp.args.StandardSave(state))
                    manager.wait_until_finished()
                with self._manager(TRIAL) as manager:
                    read = manager.restore(0, args=ocp.args.StandardRestore(state))
                np.testing.assert_array_equal(read["written"], state["written"])
            except Exception as error:  # of any of the libraries below
                message = " ".join(str(error).split())[:200]
                raise ValueError(
                    f"{self.folder}: a checkpoint that is written there cannot be read back ({message}); choose "
                    "another folder: --workdir"
                ) from error
            finally:
                shutil.rmtree(self.folder / TRIAL, ignore_errors=True)

    def save(self, kind: str, step: int, state: Any) -> None:
        """Writes the state, whole or not at all, and then removes the one before the last.

        Raises OSError where it cannot be written, on a full disk say; those before are then untouched.
        """
        if self._of_first(self._is_sound(kind, step)):
            return
        try:
            if is_first():
                self._tidy(kind)
                for old in self._steps(kind):
                    # A run that has gone back to an earlier one comes by again, and what was damaged must not
                    # stand among the two that are kept.
                    if old >= step or (kind, old) in self.damaged:
                        self._remove(kind, old)
            barrier(f"before {kind} {step}")
            self._have_room(tree_bytes(state))
            with self._manager(kind, create=True) as manager:
                manager.save(step, args=ocp.args.StandardSave(state), force=True)
                manager.wait_until_finished()
            if is_first():
                _write_digest(self.folder / kind / str(step))
                for old in self._steps(kind)[KEPT:]:
                    self._remove(kind, old)
            barrier(f"after {kind} {step}")
        except (ValueError, OSError) as error:
            self._tidy(kind)
            # The system's own reason stands last, behind tensorstore's paths.
            message = re.sub(r" \[.*?\]", "", str(error)).rsplit(": ", 1)[-1]
            raise OSError(
                f"the {kind} checkpoint of update {step:,} could not be written to {self.folder / kind}: "
                f"{message}; what was saved before is intact"
            ) from error

    def step(self, kind: str) -> int | None:
        """The number of updates behind the newest sound checkpoint, None where nothing was saved.

        Says so where a newer one is damaged. Raises ValueError where all are.
        """
        if self.alone:
            return self._newest(kind)
        with or_none():
            newest = self._newest(kind)
        chosen = self._of_first(-1 if newest is None else newest)
        return None if chosen < 0 else chosen

    def _of_first(self, number):
        """The first process decides: who reads or writes together must not see the disk differently."""
        return number if self.alone else int(from_first({"number": number})["number"])

    def _newest(self, kind):
        steps = self._steps(kind)
        digested = [step for step in steps if _digest_of(self.folder / kind / str(step)).exists()]
        if not digested:
            # Its writer was killed just before that, or did not know of digests; orbax has written it whole.
            return steps[0] if steps else None
        sound = next((step for step in digested if self._is_sound(kind, step)), None)
        for step in digested[: digested.index(sound) if sound is not None else None]:
            self._warn_damaged(kind, step, sound)
        if sound is None:
            raise ValueError(
                f"the {kind} checkpoint of update {digested[0]:,} in {self.folder} is damaged (its sha256 "
                f"differs), and there is no sound one before it; train again in another --workdir"
            )
        return sound

    def restore(self, kind: str, like: Any) -> Any:
        """The newest sound state that was saved. like: one of the same structure, or its shapes.

        Raises ValueError where there is none, or one of another structure.
        """
        step = self.step(kind)
        if step is None:
            raise ValueError(f"there is no {kind} checkpoint in {self.folder}")
        shapes = jax.tree.map(_here, like)
        which = f"the {kind} checkpoint in {self.folder}"
        with self._manager(kind) as manager:
            try:
                kept, wanted = _shapes(manager.item_metadata(step)), _shapes(shapes)
                if kept == wanted:
                    return manager.restore(step, args=ocp.args.StandardRestore(shapes))
            except (ValueError, KeyError, TypeError, OSError) as error:
                message = " ".join(str(error).split())[:200]
                raise ValueError(f"{which} is damaged: {message}") from error
        name = min(p for p in kept.keys() | wanted.keys() if kept.get(p) != wanted.get(p))
        raise ValueError(
            f"{which} is of another model: it has {kept.get(name, 'nothing')} as {name}, where "
            f"{wanted.get(name, 'nothing')} is expected"
        )

    def _steps(self, kind):
        """All that lie there, newest first."""
        names = [path.name for path in (self.folder / kind).glob("*") if path.is_dir()]
        return sorted((int(name) for name in names if name.isdecimal()), reverse=True)

    def _is_sound(self, kind, step):
        digest = _digest_of(self.folder / kind / str(step))
        lines = (
            digest.read_text(encoding="utf-8", errors="replace").splitlines()
            if digest.is_file()
            else []
        )
        return bool(lines) and all(_agrees(digest.parent, line) for line in lines)

    def _warn_damaged(self, kind, step, taken):
        if taken is not None and (kind, step) not in self.damaged:
            self.damaged.add((kind, step))
            message = f"the {kind} checkpoint of update {step:,} in {self.folder} is damaged"
            print(f"{message}; that of update {taken:,} is taken", file=sys.stderr, flush=True)

    def _remove(self, kind, step):
        saved = self.folder / kind / str(step)
        _digest_of(saved).unlink(missing_ok=True)
        shutil.rmtree(saved)

    def _tidy(self, kind):
        """Removes what a writer that was killed, or had no room, has left half done."""
        for unfinished in (self.folder / kind).glob("*.orbax-checkpoint-tmp"):
            shutil.rmtree(unfinished, ignore_errors=True)
        for unfinished in (self.folder / kind).glob("*.tmp"):
            unfinished.unlink(missing_ok=True)

    def _have_room(self, needed):
        """Asked beforehand, since tensorstore's threads go on for a while when a disk is full, and say so."""
        existing = next(folder for folder in (self.folder, *self.folder.parents) if folder.exists())
        free = shutil.disk_usage(existing).free
        if any_process(free < needed):  # of several processes all give up, or none
            raise OSError(
                f"No space left on device (it takes {needed / 2**20:,.1f} MiB, {free / 2**20:,.1f} are free)"
            )

    @contextlib.contextmanager
    def _manager(self, kind, create=False):
        # Not asynchronous: the next update may overwrite the state's own memory.
        options = ocp.CheckpointManagerOptions(
            max_to_keep=None, create=False, enable_async_checkpointing=False
        )
        if self.alone:
            me = jax.process_index()
            options.multiprocessing_options = ocp.options.MultiprocessingOptions(me, {me}, "alone")
        handler = ocp.StandardCheckpointHandler()  # which knows what was saved before it is read
        if create:  # orbax itself does so for all processes together only
            (self.folder / kind).mkdir(parents=True, exist_ok=True)
        with (
            _plain(self.folder) as folder,
            ocp.CheckpointManager(folder / kind, options=options, item_handlers=handler) as manager,
        ):
            yield manager


@contextlib.contextmanager
def emptied(folder: Path) -> Iterator[None]:
    """Removes, in the end, what was made within of the folder and those above it, where nothing was left in them."""
    new = [folder for folder in (folder, *folder.parents) if not folder.exists()]
    try:
        yield
    finally:
        for path in new:
            with contextlib.suppress(OSError):  # not made, or not empty
                path.rmdir()


@contextlib.contextmanager
def _plain(folder: Path) -> Iterator[Path]:
    """The folder, by a link to it where its own path is not plain. Raises ValueError where none can be made."""
    if _is_plain(folder):
        yield folder
        return
    if not _is_plain(Path(tempfile.gettempdir())):
        raise ValueError(
            f"{folder} and the folder for temporary files, {tempfile.gettempdir()}, have characters in their paths "
            "that are special to the store of arrays; let TMPDIR name one of letters and digits"
        )
    with tempfile.TemporaryDirectory(prefix="attention_lab_") as path:
        link = Path(path, "checkpoints")
        link.symlink_to(folder, target_is_directory=True)
        yield link


def _is_plain(path: Path) -> bool:
    return bool(_PLAIN.fullmatch("/".join(path.parts[1:])))  # the first is "/", or a drive


def _here(leaf: Any) -> jax.ShapeDtypeStruct:
    """Its shape, on its own devices or, if it has none yet, on the first: what saved it may have had others."""
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


def _agrees(folder: Path, line: str) -> bool:
    digest, _, name = line.partition("  ")
    path = folder / name
    return bool(name) and path.is_file() and _sha256(path) == digest


def _write_digest(saved: Path) -> None:
    """A line for each file, as sha256sum writes it."""
    paths = sorted(path for path in saved.rglob("*") if path.is_file())
    lines = [f"{_sha256(path)}  {path.relative_to(saved.parent)}\n" for path in paths]
    files.replace(_digest_of(saved), "".join(lines))


def _shapes(tree: Any) -> dict[str, tuple[int, ...]]:
    """The shape of each array by its place, "params/bridge"; of a random key that of its numbers."""
    shapes = {}
    for path, leaf in jax.tree_util.tree_flatten_with_path(tree)[0]:
        shape = tuple(leaf.shape)
        if jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key):
            shape = jax.eval_shape(jax.random.key_data, leaf).shape
        shapes[jax.tree_util.keystr(path, simple=True, separator="/")] = shape
    return shapes
