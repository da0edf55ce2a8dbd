"""Checkpoints: orbax behind one small face. A run keeps its latest state and its best one."""

import re
import shutil
from pathlib import Path
from typing import Any

import jax
import orbax.checkpoint as ocp

LATEST, BEST = "latest", "best"


class Checkpoints:
    """The checkpoints of one run's folder: LATEST, from which to go on, and BEST, which to use."""

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder).absolute()

    def save(self, kind: str, step: int, state: Any) -> None:
        """Writes the state, whole or not at all, and then removes the one before.

        Raises OSError where it cannot be written, on a full disk say; the one before is then untouched.
        """
        try:
            with self._manager(kind, create=True) as manager:
                if manager.latest_step() != step:
                    manager.save(step, args=ocp.args.StandardSave(state), force=True)
                    manager.wait_until_finished()
        except (ValueError, OSError) as error:
            for unfinished in (self.folder / kind).glob("*.orbax-checkpoint-tmp"):
                shutil.rmtree(unfinished, ignore_errors=True)
            # The system's own reason stands last, behind tensorstore's paths.
            told = re.sub(r" \[.*?\]", "", str(error)).rsplit(": ", 1)[-1]
            raise OSError(
                f"the {kind} checkpoint of update {step:,} could not be written to {self.folder / kind}: "
                f"{told}; what was saved before is intact"
            ) from error

    def step(self, kind: str) -> int | None:
        """The number of updates behind the checkpoint, None where there is none."""
        if not (self.folder / kind).is_dir():
            return None
        with self._manager(kind) as manager:
            return manager.latest_step()

    def restore(self, kind: str, like: Any) -> Any:
        """The state that was saved. like: one of the same structure, or its shapes (`jax.eval_shape`).

        Raises ValueError where there is none, or one of another structure.
        """
        step = self.step(kind)
        if step is None:
            raise ValueError(f"there is no {kind} checkpoint in {self.folder}")
        shapes = jax.tree.map(ocp.utils.to_shape_dtype_struct, like)
        which = f"the {kind} checkpoint in {self.folder}"
        with self._manager(kind) as manager:
            try:
                kept, wanted = _shapes(manager.item_metadata(step)), _shapes(shapes)
                if kept == wanted:
                    return manager.restore(step, args=ocp.args.StandardRestore(shapes))
            except (ValueError, KeyError, TypeError, OSError) as error:
                told = " ".join(str(error).split())[:200]
                raise ValueError(f"{which} is damaged: {told}") from error
        place = min(p for p in kept.keys() | wanted.keys() if kept.get(p) != wanted.get(p))
        raise ValueError(
            f"{which} is of another model: it has {kept.get(place, 'nothing')} as {place}, where "
            f"{wanted.get(place, 'nothing')} is expected"
        )

    def _manager(self, kind, create=False):
        # Not asynchronous: the next update may overwrite the state's own memory.
        options = ocp.CheckpointManagerOptions(
            max_to_keep=1, create=create, enable_async_checkpointing=False
        )
        handler = ocp.StandardCheckpointHandler()  # which knows what was saved before it is read
        return ocp.CheckpointManager(self.folder / kind, options=options, item_handlers=handler)


def _shapes(tree: Any) -> dict[str, tuple[int, ...]]:
    """The shape of each array by its place, "params/bridge"; of a random key that of its numbers."""
    found = {}
    for path, leaf in jax.tree_util.tree_flatten_with_path(tree)[0]:
        shape = tuple(leaf.shape)
        if jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key):
            shape = jax.eval_shape(jax.random.key_data, leaf).shape
        found[jax.tree_util.keystr(path, simple=True, separator="/")] = shape
    return found
