"""Objectives: what a model reads and what it writes, made from a document.

    objective = make_objective({"kind": "span_corruption", "rate": 0.15, "mean": 3}, reserved)
    source, target = objective.apply(document, np.random.default_rng([seed, epoch, example]))

An objective is a pure function of (document, NumPy Generator). Its source and its target are ids without END, which
`pipeline` appends to both when it makes a batch. `reserved` are the ids that a vocabulary reserves, from its last one
downwards: T5's sentinels in their order; the first one is the mask of BART and of PEGASUS.
"""

import inspect
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from attention_lab.data.documents import Document
from attention_lab.data.gap_sentences import SELECTIONS
from attention_lab.data.noise import (
    NOISES,
    Reserved,
    Rng,
    check_mean,
    check_rate,
    compose,
    count_of,
    mask_of,
    ranges,
)
from attention_lab.mechanism.registry import unknown

Pair = tuple[np.ndarray, np.ndarray]  # source and target, int32 each, without END
EMPTY = np.zeros(0, np.int32)


class Objective(NamedTuple):
    """A function that makes a pair from a document.

    apply: (document, rng) -> source and target. bound: (n) -> the most ids of the source and of the target of a
    document of n tokens; neither decreases with n. reserved: (n) -> the number of reserved ids that such a document
    needs.
    """

    name: str
    apply: Callable[[Document, Rng], Pair]
    bound: Callable[[int], tuple[int, int]]
    reserved: Callable[[int], int] = lambda n: 0


def next_token() -> Objective:
    """Language modeling: the source is empty, and the target is the document."""
    return Objective("next_token", lambda document, rng: (EMPTY, document.ids), lambda n: (0, n))


def prefix(*, fraction: float | None = None) -> Objective:
    """The source is the beginning of the document, and the target is the rest (T5's prefix language modeling).

    fraction: that of the source; None: its length is drawn uniformly from 1 .. n − 1. A document of one token is the
    target of an empty source.
    """
    if fraction is not None:
        check_rate(fraction)

    def split(n: int) -> int:
        return min(count_of(fraction or 0, n), n - 1)

    def apply(document: Document, rng: Rng) -> Pair:
        n = document.ids.size
        place = split(n) if fraction is not None or n < 2 else rng.integers(1, n)
        place = max(int(place), 0)
        return document.ids[:place], document.ids[place:]

    def bound(n: int) -> tuple[int, int]:
        if n < 2:
            return 0, n
        return (n - 1, n - 1) if fraction is None else (split(n), n - split(n))

    return Objective("prefix", apply, bound)


def span_corruption(
    reserved: Reserved, *, rate: float = 0.15, mean: float = 3.0, first_kept: bool = False
) -> Objective:
    """T5's objective (Raffel et al. 2020, §3.1.4): one sentinel replaces each hidden span, and the target is the spans.

    Of n tokens, round(.15 n) are hidden, in max(1, round(hidden / 3)) spans; at least one token is hidden and, if
    there are two, one is kept. Source: the kept tokens, with a sentinel for each span. Target: for each span, its
    sentinel and its tokens. The sentinels are reserved[0], reserved[1], ... The lengths are functions of n: 568
    tokens give 511 and 113, which with END are the published 512 and 114.

    All masks with these numbers, in which a kept token separates any two spans, are equally likely, so that every
    token can be hidden (those at the ends less often). first_kept: only the masks of T5's released code, in which the
    first token is kept and the last one hidden; in a document of fewer than 31 tokens, which has one span, these are
    always the last tokens.

    `apply` raises ValueError if a document has more spans than there are reserved ids.
    """
    check_rate(rate)
    check_mean(mean)
    sentinels = np.array(reserved, np.int32)

    def counts(n: int) -> tuple[int, int]:
        """Returns the number of hidden tokens, and that of spans."""
        hidden = min(count_of(rate, n), max(n - 1, 1))
        places = n - hidden + (0 if first_kept and n > 1 else 1)
        return hidden, min(max(1, round(hidden / mean)), places) if n else 0

    def apply(document: Document, rng: Rng) -> Pair:
        n = document.ids.size
        hidden, spans = counts(n)
        if spans > len(sentinels):
            raise ValueError(
                f"a document of {n} tokens has {spans} hidden spans, but the vocabulary reserves {len(sentinels)} ids "
                "as sentinels; reserve more, or shorten the documents"
            )
        if not spans:
            return EMPTY, EMPTY
        lengths = np.diff(_cuts(rng, hidden, spans))
        # For each span, the number of kept tokens before it.
        kept = n - hidden
        if first_kept and n > 1:
            before = _cuts(rng, kept, spans)[1:]
        else:
            before = np.sort(rng.choice(kept + 1, spans, replace=False, shuffle=False))
        starts = before + np.cumsum(lengths) - lengths
        is_hidden = np.zeros(n, bool)
        is_hidden[ranges(starts, starts + lengths)] = True
        number, used = np.arange(spans), sentinels[:spans]
        source = _inserted(document.ids[~is_hidden], before + number, used)
        target = _inserted(document.ids[is_hidden], np.cumsum(lengths) - lengths + number, used)
        return source, target

    def bound(n: int) -> tuple[int, int]:
        hidden, spans = counts(n)
        return n - hidden + spans, hidden + spans

    return Objective("span_corruption", apply, bound, lambda n: counts(n)[1])


def gap_sentences(
    reserved: Reserved, *, rate: float = 0.3, select: str = "rouge", unique: bool = False
) -> Objective:
    """PEGASUS's objective (Zhang et al. 2020, §3.1): a mask replaces each picked sentence, and the target is these.

    Of the sentences, max(1, round(.3 n)) are picked but, if there are two, one is kept; the target has them in the
    order of the document. select: "rouge" picks the sentences of greatest `importance`, of equal ones the first,
    which is the paper's Ind-Orig (unique: Ind-Uniq); "random" draws them uniformly; "lead" takes the first ones.
    """
    mask = mask_of(reserved, "gap_sentences")
    check_rate(rate)
    if select not in SELECTIONS:
        raise ValueError(unknown("selection of sentences", select, SELECTIONS))

    def apply(document: Document, rng: Rng) -> Pair:
        ids, starts = document.ids, document.sentence_starts()
        number = len(starts)
        if not number:
            return EMPTY, EMPTY
        order = SELECTIONS[select](document, rng, unique)
        picks = np.sort(order[: max(1, min(count_of(rate, number), number - 1))])
        first, end = starts[picks], np.append(starts[1:], ids.size)[picks]
        source = ids.copy()
        source[first] = mask
        return np.delete(source, ranges(first + 1, end)), ids[ranges(first, end)]

    return Objective("gap_sentences", apply, lambda n: (n, n), lambda n: 1)


def denoising(reserved: Reserved, *, noise: Sequence[str | Mapping[str, Any]]) -> Objective:
    """BART's objective: the source is the document after each noise in turn, and the target is the document.

    noise: names of NOISES, or mappings with their options: ["permutation", {"kind": "infilling", "rate": 0.3}].
    """
    if isinstance(noise, str):
        raise ValueError(f"noise must be a list of names or mappings, but {noise!r} was given")
    composed = compose(*(_made("noise", NOISES, one, reserved) for one in noise))
    return Objective(
        composed.name,
        lambda document, rng: (composed.apply(document, rng).ids, document.ids),
        lambda n: (composed.bound(n), n),
        lambda n: composed.reserved,
    )


def longest(objective: Objective, source: int, target: int) -> int:
    """Returns the most tokens of a document whose source and target fit, END included: 568 for T5's 512 and 114.

    Raises ValueError if not even one token fits, or if the objective has no source and target is unlimited.
    """
    n = 0
    for n in range(source + target + 1):
        longer = objective.bound(n + 1)
        if longer[0] + 1 > source or longer[1] + 1 > target:
            break
    if not n:
        raise ValueError(
            f"{objective.name} makes no pair of at most {source} and {target} ids, END included; allow more"
        )
    return n


OBJECTIVES: Mapping[str, Callable[..., Objective]] = MappingProxyType(
    {
        "next_token": next_token,
        "prefix": prefix,
        "span_corruption": span_corruption,
        "gap_sentences": gap_sentences,
        "denoising": denoising,
    }
)


def make_objective(options: str | Mapping[str, Any], reserved: Reserved) -> Objective:
    """Returns the objective of a config: a name of OBJECTIVES, or a mapping of "kind" and its options.

    A name of NOISES means `denoising` with this noise alone. reserved: the reserved ids of the vocabulary, from its
    last one downwards. Raises ValueError if a name or an option does not exist, and suggests the nearest that does.
    """
    kind = options if isinstance(options, str) else options.get("kind")
    if kind in NOISES:
        return denoising(reserved, noise=[options])
    return _made("objective", OBJECTIVES, options, reserved, also=NOISES)


def _made(what, registry, options, reserved, also=()):
    """Returns the entry of a registry that `options` names, made with its options."""
    options = {"kind": options} if isinstance(options, str) else dict(options)
    kind = options.pop("kind", None)
    if kind not in registry:
        raise ValueError(unknown(what, str(kind), [*registry, *also]))
    known = set(inspect.signature(registry[kind]).parameters)
    for name in options:
        if name not in known - {"reserved"}:
            raise ValueError(unknown(f"option of {kind}", name, sorted(known - {"reserved"})))
    given = {"reserved": reserved} if "reserved" in known else {}
    return registry[kind](**given, **options)


def _cuts(rng, n, parts):
    """Returns 0 < .. < n, the ends of n items that are divided into nonempty parts, [parts + 1]; all are equally likely."""
    inner = rng.choice(n - 1, parts - 1, replace=False, shuffle=False) if parts > 1 else EMPTY
    return np.concatenate([[0], np.sort(inner) + 1, [n]])


def _inserted(ids, places, values):
    """Returns the ids with values inserted, which are at `places` of the result."""
    result = np.empty(len(ids) + len(places), np.int32)
    others = np.ones(len(result), bool)
    others[places] = False
    result[places], result[others] = values, ids
    return result
