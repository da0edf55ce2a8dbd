"""The URLs and digests of the files of corpora, and their languages."""

import inspect
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from attention_lab.data.fetch import File
from attention_lab.mechanism.registry import unknown

SIDES = ("source", "target")
MULTI30K = "https://raw.githubusercontent.com/multi30k/dataset/master/data/task1/raw"

# 29,000, 1,014 and 1,000 lines per language.
_MULTI30K = {
    "train.cs": "2be68b38c8d586ff4f54eb13cc6e1baaaa053695b3f070d3038303a47f2268da",
    "train.de": "2c2b73fd2b548fbcde3a875e0a78d6ee94d498bfdee6bd3eae3945779e9ddf72",
    "train.en": "460a15fbd157e34a7a9957ee388c1ca247fe47af3ef25fb50442af6c274e0fc6",
    "train.fr": "5925a3c18f1587b6b54b87743106e6e8ab93618edb6f65d19eac0621f853a10d",
    "val.cs": "d53827e469b0a1ca8d57e9e26b2b64c4bc4b33f5479c7b03ae87ae5c882c3e33",
    "val.de": "660e09eb7e1da2f856ea13ee5ad3cf6d36b3d5b0b733c857e94c5747a3dfc660",
    "val.en": "1f2a23d992769b5b3d209b0a10dd0b77c08cceb1f20dfb97ed0aafa49d107227",
    "val.fr": "5304e444d842e962b2dda4d816b70b22a1765b15401642b7ca37a67477e708dc",
    "test_2016_flickr.cs": "45adb85f688de8407fddcbe1b36dca15d12aab868149b337e2576f2d6d2ff8d8",
    "test_2016_flickr.de": "4be6b5b3236b79c25475c6bb829800a7ce559e9ba7a1f6c2394fe4d40be46d16",
    "test_2016_flickr.en": "399a4382932c1aadd3ceb9bef1008d388a64c76d4ae4e9d4728c6f4301cac182",
    "test_2016_flickr.fr": "cb3160d69b002bb638e66cc7612fcd56cb0af82eadc9c142dedc438afb885ef6",
}


def multi30k(source: str = "de", target: str = "en") -> tuple[File, ...]:
    """Returns the files of Multi30k (Elliott et al. 2016) in two languages, of all three splits.

    Raises ValueError for a language in which it does not exist.
    """
    languages = sorted({name.rpartition(".")[2] for name in _MULTI30K})
    for language in (source, target):
        if language not in languages:
            raise ValueError(unknown("language of multi30k", language, languages))
    return tuple(
        File(f"{name}.gz", f"{MULTI30K}/{name}.gz", sha256)
        for name, sha256 in _MULTI30K.items()
        if name.endswith((f".{source}", f".{target}"))
    )


# The datasets of sources.py whose files can be fetched: (source, target) -> files.
ORIGINALS: Mapping[str, Callable[..., tuple[File, ...]]] = MappingProxyType({"multi30k": multi30k})


def unusual_languages(read: Callable[..., Any], options: dict[str, Any]) -> tuple[str, ...]:
    """Returns the source and target languages if the dataset has defaults for them and the options differ."""
    defaults = [p.default for n, p in inspect.signature(read).parameters.items() if n in SIDES]
    chosen = [options.get(side, default) for side, default in zip(SIDES, defaults, strict=False)]
    return () if None in defaults or chosen == defaults else tuple(map(str, chosen))
