"""Corpora of sentence pairs by name, in files."""

import os

from attention_lab.data.corpus_files import Folder, plain_or_gzipped, spelled
from attention_lab.data.parallel_files import Example, read_parallel


def multi30k(
    split: str, *, path: Folder, source: str = "de", target: str = "en"
) -> tuple[Example, ...]:
    """Captions of images (Elliott et al. 2016): {train, val, test_2016_flickr}.{cs, de, en, fr}.

    path: the folder of the files, gzipped or not.
    """
    if source == target:
        raise ValueError(f"source and target are both {source!r}; name two languages")
    stem = {"train": "train", "validation": "val", "test": "test_2016_flickr"}[split]
    files = [plain_or_gzipped(path, f"{stem}.{language}") for language in (source, target)]
    return read_parallel(*files)


def tatoeba(
    split: str, *, path: Folder, source: str = "en", target: str = "fr"
) -> tuple[Example, ...]:
    """Short sentences of tatoeba.org: {train, valid, test}.tsv, English before French.

    path: the folder of the files, gzipped or not.
    """
    order = _order(("en", "fr"), source, target)
    return read_parallel(plain_or_gzipped(path, f"{_VALID[split]}.tsv"), columns=order)


def greek_nt(
    split: str, *, path: Folder, source: str = "grc", target: str = "en"
) -> tuple[Example, ...]:
    """The Greek New Testament with an English Bible, words linked by hand: {train, valid, test}.jsonl.

    path: the folder of the files, gzipped or not.
    """
    order = _order(("grc", "en"), source, target)
    examples = read_parallel(plain_or_gzipped(path, f"{_VALID[split]}.jsonl"))
    return examples if order == (0, 1) else tuple(map(swapped, examples))


def files(
    split: str,
    *,
    path: Folder | None = None,
    source: Folder | None = None,
    target: Folder | None = None,
    links: Folder | None = None,
    columns: tuple[int, int] | None = None,
) -> tuple[Example, ...]:
    """Reads files of your own: path="corpus.{split}.tsv" for one file per split, source= and target= for two.

    For the split "validation", {split} is whichever of validation, valid, val and dev exists; for any other split it
    is the name of the split. links and columns: see `read_parallel`.
    """
    if (path is None) == (source is None) or (source is None) != (target is None):
        raise ValueError('files needs path="...{split}...", or both source= and target=')
    one = source if path is None else path
    paths = [None if p is None else os.fspath(p) for p in (one, target, links)]
    for pattern in paths:
        if pattern is not None and "{split}" not in pattern:
            raise ValueError(
                f"{pattern} has no {{split}}, so all splits would be the same file; put {{split}} into the name"
            )
    name = spelled(split, str(paths[0]))
    first, *others = [None if p is None else p.replace("{split}", name) for p in paths]
    return read_parallel(str(first), others[0], links_path=others[1], columns=columns)


def swapped(example: Example) -> Example:
    """Returns the example with source and target exchanged."""
    other = {"source": "target", "target": "source"}
    other |= {f"{side}_words": f"{other[side]}_words" for side in ("source", "target")}
    turned = {other.get(name, name): value for name, value in example.items()}
    if "links" in example:
        turned["links"] = [(j, i) for i, j in example["links"]]
    return turned


_VALID = {"train": "train", "validation": "valid", "test": "test"}


def _order(languages, source, target):
    if {source, target} != set(languages):
        raise ValueError(
            f"source and target must be {' and '.join(languages)}, in either order, not {source!r} "
            f"and {target!r}"
        )
    return languages.index(source), languages.index(target)
