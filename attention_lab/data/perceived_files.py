"""Images and recordings of your own, in folders: a file of JSON lines for each split says what belongs to each of them.

    {"image": "cats/1.jpg", "captions": ["a black cat on a chair", "a cat sits"]}
    {"audio": "cats/1.wav", "text": "the cat sits on a chair"}

Paths are relative to the folder of that file. If it is known what is where, or when, lines also have "regions", [{"label",
"box": [top, left, bottom, right] in pixels, or [start, end] in seconds}], and "links", [[region, word of the first text]].
"""

import concurrent.futures
import contextlib
import hashlib
import os
import pathlib
from collections.abc import Callable, Mapping
from typing import Any

from attention_lab import files
from attention_lab.data.corpus_files import Folder, checked, field, rows_of, spelled
from attention_lab.data.images import ImageFile
from attention_lab.data.sounds import SoundFile


def image_files(split: str, *, path: Folder) -> list[dict[str, Any]]:
    """Reads images with captions of your own: path="photos/{split}.jsonl".

    {split} is as for `sources.files`. Raises ValueError if there is no such file or image, or a line is not as above.
    """
    return _read(split, path, "image", ("captions", "caption"), 4, ImageFile)


def sound_files(split: str, *, path: Folder) -> list[dict[str, Any]]:
    """Reads recordings with transcripts of your own: path="talks/{split}.jsonl".

    {split} is as for `sources.files`. Raises ValueError if there is no such file or recording, or a line is not as above.
    """
    return _read(split, path, "audio", ("text",), 2, SoundFile)


def decoded(
    read: Callable[..., list[dict[str, Any]]],
    split: str,
    options: Mapping[str, Any],
    cache_dir: Folder,
) -> list[dict[str, Any]]:
    """Returns read(split, **options) after it decoded every file, unless it did so before.

    Otherwise a damaged file would end a training when its batch comes. cache_dir: where it is noted that files of these
    paths, sizes and times were decoded. Raises ValueError, with the first file, if one cannot be read.
    """
    examples = read(split, **options)
    sources = list(dict.fromkeys(example["source"] for example in examples))
    known = hashlib.sha256()
    for source in sources:
        status = os.stat(source.path)
        known.update(f"{source.path}\n{status.st_size} {status.st_mtime_ns}\n".encode(*_ANY))
    note = pathlib.Path(cache_dir) / f"decoded-{known.hexdigest()[:32]}"
    if note.exists():
        return examples
    with concurrent.futures.ThreadPoolExecutor() as pool:
        damaged = [error for error in pool.map(_error_of, sources) if error is not None]
    if damaged:
        others = f" (one of {len(damaged):,} such files)" if len(damaged) > 1 else ""
        raise ValueError(f"{damaged[0]}{others}")
    with contextlib.suppress(OSError):  # it is only slower without
        files.replace(note, "")
    return examples


def _error_of(source):
    try:
        source.check()
    except ValueError as error:
        return error
    return None


_ANY = "utf-8", "surrogateescape"  # a path may have any bytes


def _read(split, path, source, texts, numbers, make: Callable[[str], Any]):
    """texts: the names of the field that has them. numbers: those of a box."""
    pattern = os.fspath(path)
    if "{split}" not in pattern:
        raise ValueError(
            f"{pattern} has no {{split}}, so all splits would be the same file; put {{split}} into the name"
        )
    file = pathlib.Path(pattern.replace("{split}", spelled(split, pattern)))

    def example(row: dict[str, Any]) -> dict[str, Any]:
        given = file.parent / field(row, str, source)
        if not given.is_file():
            raise ValueError(f"there is no file {given}")
        found = next((row[name] for name in texts if name in row), None)
        if found is None:
            raise ValueError(f"there is no {' or '.join(map(repr, texts))}")
        targets = [found] if isinstance(found, str) else checked(found, list, repr(texts[0]))
        if not targets or not all(isinstance(text, str) for text in targets):
            raise ValueError(f"{texts[0]!r} must be one or more texts, not {found!r:.60}")
        words = targets[0].split()
        one: dict[str, Any] = {
            "source": make(str(given)),
            "target": targets[0],
            "target_words": words,
        }
        if len(targets) > 1:
            one["targets"] = targets
        return {**one, **_gold(row, numbers, len(words))}

    return list(rows_of(file, example))


def _gold(row, numbers, words):
    """The fields "regions" and "links" of a line that has them."""
    if "regions" not in row:
        return {}
    regions = []
    for region in field(row, list, "regions"):
        box = field(checked(region, dict, "a region"), list, "box")
        if len(box) != numbers or not all(type(x) in (int, float) for x in box):
            raise ValueError(f"the box of a region must be {numbers} numbers, not {box!r:.60}")
        regions.append({"label": field(region, str, "label"), "box": tuple(box)})
    links = field(row, list, "links")
    for link in links:
        known = isinstance(link, list) and len(link) == 2 and all(type(n) is int for n in link)
        if not known or not (0 <= link[0] < len(regions) and 0 <= link[1] < words):
            raise ValueError(
                f"a link must be [region, word], of {len(regions)} regions and {words} words, not {link!r:.60}"
            )
    return {"regions": regions, "links": sorted(map(tuple, links))}
