"""The URLs and digests of the files of corpora, and their languages."""

import inspect
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from attention_lab.data.fetch import File
from attention_lab.mechanism.registry import unknown

SIDES = ("source", "target")
VARIANTS = ("task", "size", "kind")
MULTI30K = "https://raw.githubusercontent.com/multi30k/dataset/master/data/task1/raw"
SHAKESPEARE = "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare"
SCITLDR = "https://raw.githubusercontent.com/allenai/scitldr/master/SciTLDR-Data/SciTLDR-A"
SCAN = "https://raw.githubusercontent.com/brendenlake/SCAN/master"

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

# 1,115,394 characters.
_SHAKESPEARE = {"input.txt": "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed"}

# 1,992, 619 and 618 abstracts.
_SCITLDR = {
    "train.jsonl": "b222771d387be585cfdf5ae957b36757138415a352e0a3e3b23f73f87c3b1119",
    "dev.jsonl": "3191fa98ccc09521332b7a1cd63b1930be4e8df125a235ccd31e40329709525e",
    "test.jsonl": "fb42dd6cd4f4a1928ae8a01a189456fbfe994a07e938bd49f68653933f6503c9",
}

# The folder, the training file and the test file of each kind of split.
_SCAN = {
    "simple": (
        "simple_split",
        "941bb8a088c5f53ceff12fde902dc008933cf0c4203cc672c47b5f79d73262dd",
        "1fe1c8f5a19d0dc40e41bab94278f45f66f3dc415a978bd29855a23440610fc6",
    ),
    "length": (
        "length_split",
        "b034212dc7cf87ce62f3a067dd6ad49c4d5cd18d51d615d13825516bcb1ebbc2",
        "0760752ed34a75116ae11dcc1ee17526b7500060da1366540730fa24894d7db3",
    ),
    "addprim_jump": (
        "add_prim_split",
        "e3c78485692e028eed4205e1b8b3fd0e785ef2c12d45b5b89204dadf5b239e23",
        "8147ae2651422c701162e174d9d66158daa57858a26b30317ac61797118ac7a5",
    ),
    "addprim_turn_left": (
        "add_prim_split",
        "1b3fed86055dd7689d217f1b90cc8960aeb1cf200f4f209dc47935761b05304c",
        "15a82c2d25ac7c3c1fff7e18051fb085974ef3617de895c520d02144396a10e2",
    ),
    "template_around_right": (
        "template_split",
        "d5d35d174d557645fc61f289424afa0d95fde21422c59a9819e2d0fcfa9d419f",
        "fc78a5d1077dc2c206d6c42ed89fb9022867618c3f331179bafd3ec1ca699474",
    ),
    "template_jump_around_right": (
        "template_split",
        "f63ba9149feeb021fbb44132265d7b15e6a07e6b12c9d3220418d97d97d71735",
        "a3a27e06adece97da26ae506de08c4b6848035970c561691edbf4dcb1e45f9af",
    ),
    "template_opposite_right": (
        "template_split",
        "b4fe224a2dd636952a90b7e5552017620ab07e0c465db0ee2dddfb0f727feeb6",
        "e7fc129633f82decd39248517a8945385b77009f721f9f4f58df213f73a29a47",
    ),
    "template_right": (
        "template_split",
        "a09e125dc95c59843d087fd50852c57bc4e77997e2cd69aa04a9a934eea9089b",
        "506bed814f8a6ec1eef9c226eb9b2055bc984925902a94d020a23a41080993bb",
    ),
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


def shakespeare() -> tuple[File, ...]:
    """Returns the file of Shakespeare's plays (Karpathy 2015)."""
    return _files(SHAKESPEARE, _SHAKESPEARE)


def scitldr() -> tuple[File, ...]:
    """Returns the files of SciTLDR-A (Cachola et al. 2020), of all three splits."""
    return _files(SCITLDR, _SCITLDR)


def scan(kind: str = "simple") -> tuple[File, ...]:
    """Returns the training and the test file of a kind of split of SCAN (Lake & Baroni 2018).

    Raises ValueError if there is no such kind.
    """
    if kind not in _SCAN:
        raise ValueError(unknown("kind of scan", kind, _SCAN))
    folder, train, test = _SCAN[kind]
    digests = {f"tasks_train_{kind}.txt": train, f"tasks_test_{kind}.txt": test}
    return _files(f"{SCAN}/{folder}", digests)


def _files(url, digests):
    return tuple(File(name, f"{url}/{name}", sha256) for name, sha256 in digests.items())


# The datasets of sources.py whose files can be fetched: options -> files.
ORIGINALS: Mapping[str, Callable[..., tuple[File, ...]]] = MappingProxyType(
    {"multi30k": multi30k, "shakespeare": shakespeare, "scitldr": scitldr, "scan": scan}
)


def originals_of(dataset: str, options: Mapping[str, Any]) -> tuple[File, ...]:
    """Returns the files of a dataset in ORIGINALS with these options, of which the function there may need some."""
    needed = inspect.signature(ORIGINALS[dataset]).parameters
    return ORIGINALS[dataset](**{name: options[name] for name in needed if name in options})


def variant(read: Callable[..., Any], options: Mapping[str, Any]) -> tuple[str, ...]:
    """Returns what distinguishes corpora of one dataset: languages other than the default ones, and values of VARIANTS.

    Only options that the dataset has by name count.
    """
    parameters = inspect.signature(read).parameters
    defaults = [p.default for n, p in parameters.items() if n in SIDES]
    chosen = [options.get(side, default) for side, default in zip(SIDES, defaults, strict=False)]
    languages = [] if None in defaults or chosen == defaults else chosen
    others = [options[name] for name in VARIANTS if name in options and name in parameters]
    return tuple(map(str, [*languages, *others]))
