"""Which features of a dataset of TFDS are the source and the target of an example, or its text.

Most datasets say it themselves: they have two languages, one text, or name their input and output ("supervised_keys").
ROLES has the others. Features are named by their paths: "answers/text" is the feature text within answers. The source
may also be an image or a recording, and the target of one may be the name of a class.
"""

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from attention_lab.data.parallel_files import Example
from attention_lab.mechanism.registry import unknown

PREFIX = "tfds:"


class Roles(NamedTuple):
    """Features: those that the source consists of, joined by spaces, and the target; or the text without a second side.

    The texts of a list in the source are joined likewise; a list as the target has all references, the first of which is
    the target of the example.
    """

    source: tuple[str, ...] = ()
    target: str = ""
    text: str = ""


_QUESTION = Roles(("context", "question"), "answers/text")
_TEXT = Roles(text="text")
ROLES: Mapping[str, Roles] = MappingProxyType(
    {
        "squad": _QUESTION,
        "xquad": _QUESTION,
        "tydi_qa": _QUESTION,
        "drop": Roles(("passage", "question"), "answer"),
        "media_sum": Roles(("utt",), "summary"),
        "opinosis": Roles(("review_sents",), "summaries"),
        "c4": _TEXT,
        "wiki40b": _TEXT,
        "wikipedia": _TEXT,
        "coco_captions": Roles(("image",), "captions/text"),
        "librispeech": Roles(("speech",), "text"),
        "speech_commands": Roles(("audio",), "label"),
    }
)
# The kinds of features that are sources and no texts.
PERCEIVED = ("Image", "Audio")


def roles_of(
    name: str,
    info: Any,
    source: str | Sequence[str] | None = None,
    target: str | None = None,
    text: str | None = None,
) -> Roles:
    """Returns the roles of a dataset's features, as chosen, or else as ROLES and the dataset itself have them.

    info: the DatasetInfo. Of two languages, the one that the config names first is the source. Raises ValueError if
    there is no such feature, or the roles are ambiguous.
    """
    texts = texts_of(info.features)
    known = [*texts, *perceived_of(info.features)]
    given = [source] if isinstance(source, str) else list(source or ())
    for feature in (*given, target, text):
        if feature is not None and feature not in known:
            raise ValueError(unknown(f"text in {PREFIX}{name}", feature, texts))
    if text is not None:
        if given or target is not None:
            raise ValueError(
                f"{PREFIX}{name} has the options text={text!r} and source or target; a text without a second side has "
                "neither"
            )
        return Roles(text=text)
    if given and target is not None:
        if target in given:
            raise ValueError(
                f"source and target are both {target!r}; name two of {', '.join(texts)}"
            )
        return Roles(tuple(given), target)
    roles = _usual(name, info, texts, known)
    if roles is None or (roles.text and (given or target)):
        if not texts:
            raise ValueError(f"{PREFIX}{name} has no features that are texts")
        raise ValueError(
            f"{PREFIX}{name} has the texts {', '.join(texts)}; choose two with the options source and target, or one with "
            "the option text"
        )
    if len(roles.source) == 1 and (given == [roles.target] or target == roles.source[0]):
        return Roles((roles.target,), roles.source[0])
    return Roles(tuple(given) or roles.source, target or roles.target, roles.text)


def texts_of(features: Mapping[str, Any]) -> list[str]:
    """Returns the paths of the features that are texts, or lists of texts, in alphabetical order."""
    return sorted(_paths(features))


def perceived_of(features: Mapping[str, Any]) -> list[str]:
    """Returns the names of the features that are images or recordings, and of classes."""
    return sorted(
        key for key in features if type(features[key]).__name__ in (*PERCEIVED, "ClassLabel")
    )


def example_of(row: Mapping[str, Any], roles: Roles, source: Any = None) -> Example:
    """Returns the example of a row: {"text"}, or {"source", "target"} with the gold that the row has.

    source: the source, if it is no text.
    """
    if roles.text:
        return {"text": _text(_at(row, roles.text))}
    target = _at(row, roles.target)
    if source is None:
        parts = [_text(part) for feature in roles.source for part in _several(_at(row, feature))]
        source = " ".join(parts)
    example: Example = {"source": source}
    if isinstance(target, str | bytes):
        example["target"] = _text(target)
    else:
        targets = list(dict.fromkeys(map(_text, target)))
        example |= {"target": targets[0] if targets else "", "targets": targets}
    if "links" in row:
        example["links"] = [(int(i), int(j)) for i, j in row["links"]]
    for words in ("source_words", "target_words", "targets"):
        if words in row and len(row[words]):
            example[words] = [_text(word) for word in row[words]]
    for indices in ("sentence_of", "supporting"):
        if indices in row:
            example[indices] = [int(index) for index in row[indices]]
    if isinstance(row.get("kind"), str | bytes):
        example["kind"] = _text(row["kind"])
    return example


def _usual(name, info, texts, known):
    dataset, _, config = name.partition("/")
    single = [path for path in texts if _single(info.features, path)]
    if dataset in ROLES and {*_named(ROLES[dataset])} <= {*known}:
        return ROLES[dataset]
    if {"source", "target"} <= {*single}:
        return Roles(("source",), "target")
    supervised = _supervised(info, single)
    if supervised and not all(feature in config for feature in supervised):
        return Roles(supervised[:1], supervised[1])
    if len(single) == 2:
        first, second = sorted(single, key=config.find)
        return Roles((first,), second)
    return Roles(text=single[0]) if len(single) == 1 else None


def _supervised(info, single):
    """Returns the two texts that the dataset calls its input and output, or nothing."""
    keys = tuple(info.supervised_keys or ())
    texts = len(keys) == 2 and all(isinstance(key, str) and key in single for key in keys)
    return keys if texts and keys[0] != keys[1] else ()


def _named(roles):
    return [feature for feature in (*roles.source, roles.target, roles.text) if feature]


def _single(features, path):
    """Returns whether a text is one in each row, and not a list."""
    return path in features and type(features[path]).__name__ == "Text"


def _paths(features: Mapping[str, Any]) -> Iterable[str]:
    for key in features:
        kind = features[key]
        inner = getattr(kind, "feature", kind)  # of a list
        if type(inner).__name__ == "Text":
            yield key
        elif hasattr(inner, "keys"):
            yield from (f"{key}/{path}" for path in _paths(inner))


def _at(row, path):
    for key in path.split("/"):
        row = row[key]
    return row


def _several(value):
    return [value] if isinstance(value, str | bytes) else list(value)


def _text(value: Any) -> str:
    """Returns the value of a Text feature as a str."""
    return value.decode() if isinstance(value, bytes) else str(value)
