"""Which vocabularies the two sides of a corpus have: one each, one for both, or one of which the target has a part."""

import dataclasses
import functools
from collections.abc import Sequence
from typing import NamedTuple

from attention_lab.data.tokenizer import SPACE, Tokenizer, written
from attention_lab.data.tokenizer_files import Path, cached


class Codec(NamedTuple):
    """The tokenizers with which a model reads and writes, made once from training texts and saved with the run."""

    source: Tokenizer
    target: Tokenizer


def make_tokenizers(
    source: Sequence[str],
    target: Sequence[str],
    *,
    kind: str,
    size: int,
    joint: bool,
    restrict: bool = False,
    byte_fallback: bool = False,
    cache_dir: Path,
) -> Codec:
    """The tokenizers of both sides of a corpus, whose texts are source and target, from `cached`.

    joint: one vocabulary of both sides together. restrict: of that, the target has only what its own texts
    need, see `restricted`. Raises ValueError where `train` does, and for a restriction of what is not joint.
    """
    if restrict and not joint:
        raise ValueError("only a joint vocabulary can be restricted; each side has its own here")
    make = functools.partial(
        cached, kind, size=size, cache_dir=cache_dir, byte_fallback=byte_fallback
    )
    if not joint:
        return Codec(make(source), make(target))
    both = make([*source, *target])
    return restricted(both, target) if restrict else Codec(both, both)


def restricted(both: Tokenizer, texts: Sequence[str]) -> Codec:
    """A joint tokenizer for the source, and one for the target whose texts are given.

    The target's vocabulary is what occurs in its texts, pieces and characters; a softmax then has no classes
    for words of the other language. It is the first part of the source's, so that an id means the same piece
    on both sides.
    """
    seen = {both.pieces[i] for ids in both.encode_ids(texts) for i in ids.tolist()}
    seen |= {SPACE, *"".join(map(written, texts))}  # so that whatever else comes can be spelled
    fixed, pieces = both.pieces[: both.fixed], both.pieces[both.fixed :]
    first = [piece for piece in pieces if piece in seen]
    rest = [piece for piece in pieces if piece not in seen]
    target = dataclasses.replace(both, pieces=(*fixed, *first))
    return Codec(dataclasses.replace(both, pieces=(*target.pieces, *rest)), target)
