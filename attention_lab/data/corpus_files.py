"""Files of corpora: how they are found, rows of JSON, and a validation split for a corpus that has none."""

import glob
import json
import os
import pathlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from attention_lab.data.parallel_files import located, read_lines

Folder = str | os.PathLike[str]
Item = TypeVar("Item")

# Names of the split "validation" in the files of corpora.
VALIDATION = ("validation", "valid", "val", "dev")
# A corpus without a validation split holds one of so many of its training items out.
HELD_OUT = 10

_KINDS = {str: "a text", list: "a list", int: "a whole number", dict: "an object"}


def plain_or_gzipped(folder: Folder, name: str) -> pathlib.Path:
    """Returns the path of the file in the folder, or of NAME.gz, if it is gzipped or there is neither.

    Raises ValueError if there is no such folder.
    """
    if not pathlib.Path(folder).is_dir():
        raise ValueError(
            f"there is no folder {folder} with {name} in it; set the option path of the data to that folder"
        )
    zipped = pathlib.Path(folder) / f"{name}.gz"
    plain = zipped.with_suffix("")
    return plain if plain.exists() and not zipped.exists() else zipped


def first_of(folder: Folder, *names: str) -> pathlib.Path:
    """Returns the path of the first of the files that the folder has, gzipped or not; names may have * in them.

    Raises ValueError if it has none of them.
    """
    plain_or_gzipped(folder, " or ".join(names))  # reports a missing folder
    for name in names:
        found = matching(pathlib.Path(folder, name)) or matching(pathlib.Path(folder, f"{name}.gz"))
        if found:
            return found[0]
    raise ValueError(
        f"{folder} has no {' or '.join(names)}, gzipped or not; set the option path of the data to the folder of "
        "these files"
    )


def matching(pattern: Folder) -> list[pathlib.Path]:
    """Returns the files that match a pattern, in the order of their names; * and ? stand for characters, ** for folders."""
    names = glob.glob(os.fspath(pattern).replace("[", "[[]"), recursive=True)
    return [path for path in map(pathlib.Path, sorted(names)) if path.is_file()]


def spelled(split: str, pattern: str) -> str:
    """Returns the name of a split in the names of files: for "validation", that of `VALIDATION` for which one exists.

    Raises ValueError if files exist for several.
    """
    if split != "validation":
        return split
    existing = [name for name in VALIDATION if matching(pattern.replace("{split}", name))]
    if len(existing) > 1:
        raise ValueError(
            f"{pattern} exists for {' and '.join(existing)}, but only one of them can be validation; remove the others"
        )
    return existing[0] if existing else split


def rows_of(path: Folder, read: Callable[[dict[str, Any]], Item]) -> Iterator[Item]:
    """Yields read(row) for each row of a file of JSON lines; blank lines are skipped.

    Raises ValueError with file and line where a line is no object in JSON, or `read` raises it.
    """
    for number, line in enumerate(read_lines(path), 1):
        if line.strip():
            yield located(path, number, lambda line: read(checked(parsed(line), dict, "it")), line)


def parsed(text: str) -> Any:
    """Returns the value of a text in JSON. Raises ValueError if it is invalid."""
    try:
        return json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        raise ValueError(f"invalid JSON: {error}") from None


def field(row: dict[str, Any], kind: type[Item], *names: str) -> Item:
    """Returns the value of the first of the names that the row has.

    Raises ValueError if it has none of them, or the value is not of the kind.
    """
    for name in names:
        if name in row:
            return checked(row[name], kind, repr(name))
    raise ValueError(f"there is no {' or '.join(map(repr, names))}")


def checked(value: Any, kind: type[Item], name: str) -> Item:
    """Returns the value. Raises ValueError if it is not of the kind."""
    if not isinstance(value, kind) or isinstance(value, bool):
        raise ValueError(f"{name} must be {_KINDS[kind]}, not {value!r:.60}")
    return value


def held_out(count: int) -> list[int]:
    """Returns the indices of the items of a training split that are held out for validation: every tenth.

    They are spread over the whole split, since a corpus may be sorted.
    """
    return list(range(HELD_OUT - 1, count, HELD_OUT))


def part_of(items: Sequence[Item], split: str) -> list[Item]:
    """Returns the items of a training split that remain for training, or are held out for validation."""
    held = set(held_out(len(items)))
    return [item for i, item in enumerate(items) if (i in held) == (split == "validation")]
