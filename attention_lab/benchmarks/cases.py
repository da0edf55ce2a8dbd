"""Cases: what a config asks to be measured, and the arithmetic that each cannot avoid.

Shape legend:  H heads  ·  Q queries, K keys, here both the length L  ·  D features of a head  ·
A attention features of additive and concat.
"""

import difflib
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from attention_lab.mechanism import IMPLEMENTATIONS, make_attention
from attention_lab.mechanism.attention import Attention
from attention_lab.mechanism.contracts import inner_product
from attention_lab.mechanism.legality import Request, decide
from attention_lab.mechanism.scores import additive

BASELINES = ("jax", "flax", "torch", "flex", "tokamax")
DIRECTIONS = ("forward", "forward+backward")
# Products of [Q, D] with [D, K], or of that size, by direction.
PRODUCTS = {"forward": 2, "forward+backward": 2 + 5}
# How often the tanh of every pair is evaluated, by direction.
EVALUATIONS = {"forward": 1, "forward+backward": 2}


class Sizes(NamedTuple):
    """What all cases share."""

    heads: int  # H
    features: int  # D
    hidden: int  # A
    seed: int


class Case(NamedTuple):
    """One number to measure."""

    group: str
    score: str
    implementation: str  # one of ours, or a baseline's name
    length: int
    direction: str
    causal: bool

    @property
    def ours(self) -> bool:
        """Whether this package computes it, rather than another library."""
        return self.implementation in IMPLEMENTATIONS

    def label(self) -> str:
        """The case in words."""
        mask = " causal" if self.causal else ""
        return f"{self.score} {self.implementation} {self.length} {self.direction}{mask}"


class Round(NamedTuple):
    """Cases that are measured in turns: one group, length, direction and mask."""

    cases: list[Case]
    repetitions: int


def mechanism(case: Case) -> Attention:
    """The attention of a case. Raises ValueError where it does not exist."""
    return make_attention(score=case.score, mask="causal" if case.causal else "everything")


def rounds(config: Any) -> list[Round]:
    """All that the config asks for. Raises ValueError where that does not exist or is illegal."""
    for field in ("heads", "features", "hidden", "memory_limit_mib"):
        _positive(f"config.{field}", config[field])
    if not isinstance(config.seed, int) or not 0 <= config.seed < 2**32:
        raise ValueError(f"config.seed: {config.seed!r} should be a whole number, 0 to {2**32 - 1}")
    made = []
    for name, group in config.groups.items():
        where = f"config.groups.{name}"
        _check(where, group)
        for cases in _products(name, group):
            for case in cases:
                _check_legal(where, case)
            made.append(Round(cases, group.repetitions))
    if not any(turn.cases for turn in made):
        raise ValueError(
            "config.groups asks for no case; give one group scores and implementations"
        )
    return made


def _products(name: str, group: Any) -> Iterator[list[Case]]:
    for causal in _several(group.causal):
        for direction in _several(group.directions):
            for length in sorted(_several(group.lengths)):
                pairs = [(s, how) for s in group.scores for how in group.implementations]
                pairs += [("dot", how) for how in group.baselines]
                yield [Case(name, s, how, length, direction, causal) for s, how in pairs]


def _several(value: Any) -> tuple:
    return tuple(value) if isinstance(value, tuple | list) else (value,)


def _check(where: str, group: Any) -> None:
    """Raises ValueError where a name or a number of a group is not one that can be measured."""
    known: Mapping[str, Any] = {
        "implementations": IMPLEMENTATIONS,
        "baselines": BASELINES,
        "directions": DIRECTIONS,
        "causal": (False, True),
    }
    for field, names in known.items():
        for name in _several(group[field]):
            if name not in names:
                raise ValueError(f"{where}.{field}: {_unknown(name, names)}")
    for length in _several(group.lengths):
        _positive(f"{where}.lengths", length)
    _positive(f"{where}.repetitions", group.repetitions)


def _unknown(name: Any, names: Any) -> str:
    near = difflib.get_close_matches(str(name), map(str, names), n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return f"there is no {name!r}; {hint}known are {', '.join(map(str, names))}"


def _positive(where: str, number: Any) -> None:
    if not isinstance(number, int) or number < 1:
        raise ValueError(f"{where}: {number!r} should be a whole number, 1 or more")


def _check_legal(where: str, case: Case) -> None:
    """Raises ValueError, with the way out, where the mechanism cannot be asked so."""
    try:
        attention = mechanism(case)
    except ValueError as error:
        raise ValueError(f"{where}.scores: {error}") from None
    if case.ours:
        try:
            decide(attention, Request("self", case.implementation), case.length**2)
        except ValueError as error:
            raise ValueError(f"{where}: {case.score}, {error}") from None


def work(case: Case, sizes: Sizes) -> dict[str, float]:
    """The arithmetic that a case cannot avoid: {"matmul": FLOPs}, {"tanh_*": evaluations}, or {}.

    The dot family. Forward has two products, Q Kᵀ and W V, of 2 H Q K D FLOPs each: 4 H Q K D.
    Backward has four, dV = Wᵀ dO, dW = dO Vᵀ, dQ = dS K and dK = dSᵀ Q, and Q Kᵀ once more because
    no matrix was kept: 10 H Q K D in addition, and so 14 H Q K D for both.

    Additive and concat. H Q K A evaluations of tanh forward; for both directions twice that,
    because a backward pass that keeps no [Q, K, A] array evaluates each again. No product counts.

    The causal mask halves everything. A score of neither kind has no entry. An implementation that
    keeps the matrix avoids the repetition, and its share may so exceed 1.
    """
    pairs = sizes.heads * case.length**2 * (0.5 if case.causal else 1.0)
    pair = mechanism(case).score.pair
    if pair is inner_product:
        return {"matmul": PRODUCTS[case.direction] * 2 * pairs * sizes.features}
    if pair is additive.pair:
        evaluations = EVALUATIONS[case.direction] * pairs * sizes.hidden
        return {"tanh_cache": evaluations, "tanh_stream": evaluations}
    return {}
