"""Corpora by name: load("multi30k", "train", path="data/multi30k"), load("tfds:opus/medical", "train").

A source gives random access to plain dicts: it has len(source) examples, and source[i] is one of them:

* a pair of texts: {"source": str, "target": str}, in the format of parallel_files.py. "targets" are all references, if
  there are several; "sentence_of" has for each source word the index of its sentence (−1: none), and "supporting" the
  indices of the sentences that the target follows from;
* an image with its caption: {"source": Image, "target": str, "targets": [str], ..}; "regions" are the places of what it
  shows, {"label", "box": (top, left, bottom, right)} in pixels, and "links" pairs (region, target word);
* a recording with its transcript, in the same way: {"source": Sound, ..}, the "box" of a region is (start, end) in seconds;
* a text without a second side: {"text": str}, one document.

Splits are named train, validation and test, whatever the names of files.
"""

import contextlib
import functools
import hashlib
import inspect
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

from attention_lab.data.corpus_files import Folder
from attention_lab.data.dialogues import sgd
from attention_lab.data.parallel_files import Example
from attention_lab.data.parallel_sources import files, greek_nt, multi30k, tatoeba
from attention_lab.data.perceived_files import decoded, image_files, sound_files
from attention_lab.data.perceived_sources import an4, emoji_scenes, fsdd_strings
from attention_lab.data.question_sources import babi
from attention_lab.data.text_sources import shakespeare, text_files
from attention_lab.data.text_to_text_sources import scan, scitldr
from attention_lab.data.tfds_sources import PREFIX, tfds
from attention_lab.mechanism.registry import unknown

SPLITS = ("train", "validation", "test")


class Source(Protocol):
    """A sequence of examples."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Example: ...


class Dataset(NamedTuple):
    """A corpus: read(split, **options) opens a split; splits are its names, empty if the files determine them.

    cached(split, options, cache_dir): the same for a generated corpus, which is cached in cache_dir.
    beside(splits, options, cache_dir): a context in which a second process generates what that cache lacks.
    """

    read: Callable[..., Source]
    splits: tuple[str, ...] = SPLITS
    cached: Callable[[str, Mapping[str, Any], Folder], Source] | None = None
    beside: Callable[
        [Sequence[str], Mapping[str, Any], Folder], contextlib.AbstractContextManager[None]
    ] = lambda splits, options, cache_dir: contextlib.nullcontext()


def load(name: str, split: str, /, *, cache_dir: Folder | None = None, **options: Any) -> Source:
    """Opens a split of a dataset in DATASETS, with the options of its function; "tfds:NAME" is one of TFDS.

    cache_dir: the folder in which a generated corpus such as rosetta is cached; None: it is not. Raises
    ValueError for a name, split or option that does not exist, for a missing option, and where `read_parallel` or
    `tfds` does.
    """
    return opened(name, split, options, cache_dir)


def opened(
    name: str, split: str, options: Mapping[str, Any], cache_dir: Folder | None = None
) -> Source:
    """Does what `load` does, with options in a mapping, so that their names are not restricted."""
    read, splits, cached, *_ = dataset(name)
    if splits and split not in splits:
        raise ValueError(unknown(f"split of {name}", split, splits))
    _check_call(name, read, split, options)
    if cached is None or cache_dir is None:
        return read(split, **options)
    return cached(split, options, cache_dir)


def digest_of(examples: Iterable[Example]) -> str:
    """Returns the sha256, in hexadecimal, of the data of training and evaluation: texts, words and gold, in order."""
    digest = hashlib.sha256()
    for example in examples:
        columns = [
            example.get(name) for name in ("source", "target", "source_words", "target_words")
        ]
        if columns[0] is not None and not isinstance(columns[0], str):
            columns[0] = columns[0].digest  # of an image or a recording
        links = sorted(map(list, example["links"])) if "links" in example else None
        # Only examples that have them: the digests of translation examples stay the same.
        others = {name: example[name] for name in _OTHERS if name in example}
        row = [*columns, links, others] if others else [*columns, links]
        digest.update(json.dumps(row).encode() + b"\n")
    return digest.hexdigest()


_OTHERS = ("text", "targets", "sentence_of", "supporting", "regions")


def dataset(name: str) -> Dataset:
    """Returns the dataset of that name. Raises ValueError if there is none."""
    if name.startswith(PREFIX):
        return Dataset(functools.partial(tfds, name.removeprefix(PREFIX)), splits=())
    if name not in DATASETS:
        raise ValueError(unknown("dataset", name, [*DATASETS, f"{PREFIX}NAME"]))
    return DATASETS[name]


def check_options(name: str, read: Callable[..., Source], options: Mapping[str, Any]) -> None:
    """Raises ValueError for an option that the function of a dataset does not have."""
    parameters = inspect.signature(read).parameters.values()
    free = any(p.kind is p.VAR_KEYWORD for p in parameters)
    for option in options:
        if option not in _options(read) and not free:
            raise ValueError(unknown(f"option of {name}", option, _options(read)))


def rosetta(split: str, **options: Any) -> Source:
    """Generates English and French from a grammar, with exact links, without a download. See data/rosetta."""
    return _generated("rosetta", split, options)


def rosetta_headlines(split: str, **options: Any) -> Source:
    """Generates stories and their headlines, with exact links. See data/rosetta/headlines.py."""
    return _generated("rosetta_headlines", split, options)


def rosetta_answers(split: str, **options: Any) -> Source:
    """Generates stories with a question, and its answer with the sentences that know. See data/rosetta/answers.py."""
    return _generated("rosetta_answers", split, options)


def rosetta_pictures(split: str, **options: Any) -> Source:
    """Generates pictures with captions, and where everything is. See data/rosetta/pictures.py."""
    # A local import: a grammar takes long to import.
    from attention_lab.data.rosetta.pictures import rosetta_pictures

    options = _of_split("rosetta_pictures", split, options)
    _check_call("rosetta_pictures", rosetta_pictures, split, options)
    return rosetta_pictures(split, **options)


def rosetta_speech(split: str, **options: Any) -> Source:
    """Generates spoken sentences, and when each word is said. See data/rosetta/speech.py."""
    # A local import: a grammar takes long to import.
    from attention_lab.data.rosetta.speech import rosetta_speech

    options = _of_split("rosetta_speech", split, options)
    _check_call("rosetta_speech", rosetta_speech, split, options)
    return rosetta_speech(split, **options)


def _generated(name, split, options, cache_dir=None):
    from attention_lab.data import generated

    generate = generated.CORPORA[name].generate
    options = _of_split(name, split, options)
    _check_call(name, generate, split, options)
    if cache_dir is None:
        return generate(split, **options)
    return generated.cached(name, split, cache_dir=cache_dir, **options)


def _generator(read):
    """Returns the dataset of a function above that generates."""
    name = read.__name__
    known = functools.partial(_generated, name), functools.partial(_generated_beside, name)
    return Dataset(read, (*SPLITS, "test_long"), *known)


def _of_split(name, split, options):
    """Returns the options of a split: "size" may be a number, or a dict of the sizes of some splits."""
    size = options.get("size")
    if isinstance(size, Mapping):
        for other in size:
            if other not in dataset(name).splits:
                raise ValueError(f"{name} size: {unknown('split', other, dataset(name).splits)}")
        size = size.get(split)
    if size is not None and type(size) is not int:
        raise ValueError(f"{name} size is {size!r}; it must be a whole number, or a dict of those")
    return {**options, "size": size} if "size" in options else options


def _generated_beside(name, splits, options, cache_dir):
    from attention_lab.data.beside import generated_beside

    if isinstance(options.get("size"), Mapping):  # each split has options of its own
        return contextlib.nullcontext()
    return generated_beside(name, splits, options, cache_dir)


def _check_call(name, read, split, options):
    """Raises ValueError if the function of a dataset does not take these options."""
    check_options(name, read, options)
    try:
        inspect.signature(read).bind(split, **options)
    except TypeError as error:
        known = ", ".join(_options(read))
        raise ValueError(f"{name} has options {known}: {error}") from None


def _options(read):
    return [option for option in inspect.signature(read).parameters if option != "split"]


DATASETS: Mapping[str, Dataset] = MappingProxyType(
    {
        "rosetta": _generator(rosetta),
        "rosetta_headlines": _generator(rosetta_headlines),
        "rosetta_answers": _generator(rosetta_answers),
        "rosetta_pictures": Dataset(rosetta_pictures),
        "rosetta_speech": Dataset(rosetta_speech, (*SPLITS, "test_long")),
        "multi30k": Dataset(multi30k),
        "tatoeba": Dataset(tatoeba),
        "greek_nt": Dataset(greek_nt),
        "files": Dataset(files, splits=()),
        "shakespeare": Dataset(shakespeare),
        "text_files": Dataset(text_files, splits=()),
        "sgd": Dataset(sgd),
        "babi": Dataset(babi),
        "scan": Dataset(scan),
        "scitldr": Dataset(scitldr),
        "emoji_scenes": Dataset(emoji_scenes, (*SPLITS, "comp")),
        "fsdd_strings": Dataset(fsdd_strings, (*SPLITS, "test_long")),
        "an4": Dataset(an4),
        "image_files": Dataset(image_files, (), functools.partial(decoded, image_files)),
        "sound_files": Dataset(sound_files, (), functools.partial(decoded, sound_files)),
    }
)
