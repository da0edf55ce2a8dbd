"""The vocabularies of the two sides of a corpus: separate, joint, or joint with a part of it for the target."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from attention_lab.data.tokenizer import SPACE, Tokenizer, normalized, written
from attention_lab.data.tokenizer_files import Path, cached


class Codec(NamedTuple):
    """The reader of sources, a tokenizer for texts, and the tokenizer of targets, made once and saved with the run.

    A tokenizer is a `Tokenizer`, or has its methods, as those of pre-trained models.
    """

    source: Any
    target: Any


def make_tokenizers(
    source: Sequence[str],
    target: Sequence[str],
    *,
    kind: str,
    size: int,
    joint: bool,
    restrict: bool = False,
    byte_fallback: bool = False,
    keep_whitespace: bool = False,
    extra: int = 0,
    cache_dir: Path,
) -> Codec:
    """Returns the tokenizers of the two sides of a corpus with these texts, from `cached`.

    joint: whether both sides have one vocabulary. restrict: whether the target has only the part of it that its own
    texts need, see `restricted`. The other options are those of `tokenizer.train`. Raises ValueError if it does, and
    where restrict is set without joint, or with reserved tokens.
    """
    if restrict and extra:
        raise ValueError("a restricted vocabulary has no reserved tokens; set tokenizer.extra to 0")
    if restrict and not joint:
        raise ValueError(
            "only a joint vocabulary can be restricted, but here each side has its own"
        )
    options: dict[str, Any] = {
        "byte_fallback": byte_fallback,
        "keep_whitespace": keep_whitespace,
        "extra": extra,
    }

    def make(texts):
        return cached(kind, texts, size, cache_dir, **options)

    if not joint:
        return Codec(make(source), make(target))
    both = make([*source, *target])
    return restricted(both, target) if restrict else Codec(both, both)


def target_tokenizer(
    texts: Sequence[str], options: Mapping[str, Any], cache_dir: Path
) -> Tokenizer:
    """Returns the tokenizer of targets alone, of tasks whose sources are not texts.

    options: those of `make_tokenizers`, of which `joint` and `restrict` have no meaning here.
    """
    own = {name: value for name, value in options.items() if name not in ("joint", "restrict")}
    return cached(sentences=texts, cache_dir=cache_dir, **own)


def restricted(both: Tokenizer, texts: Sequence[str]) -> Codec:
    """Returns the joint tokenizer for the source, and one that is restricted to the texts of the target.

    The target's vocabulary contains the pieces and characters of its texts, so that the softmax has no classes for
    words of the other language. It is the first part of the source's, so that an id is the same piece on both
    sides.
    """
    seen = {both.pieces[i] for ids in both.encode_ids(texts) for i in ids.tolist()}
    seen |= {
        SPACE,
        *"".join(map(written, normalized(texts, both.keep_whitespace))),
    }  # so that other texts can be spelled
    fixed, pieces = both.pieces[: both.fixed], both.pieces[both.fixed :]
    first = [piece for piece in pieces if piece in seen]
    rest = [piece for piece in pieces if piece not in seen]
    target = dataclasses.replace(both, pieces=(*fixed, *first))
    return Codec(dataclasses.replace(both, pieces=(*target.pieces, *rest)), target)
