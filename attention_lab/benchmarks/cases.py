"""Cases: the measurements that a config specifies, and the least arithmetic that each requires.

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
# The number of products of [Q, D] with [D, K], or of that size, by direction.
PRODUCTS = {"forward": 2, "forward+backward": 2 + 5}
# The number of evaluations of tanh for every pair, by direction.
EVALUATIONS = {"forward": 1, "forward+backward": 2}


class Sizes(NamedTuple):
    """The sizes and the seed that all cases share."""

    heads: int  # H
    features: int  # D
    hidden: int  # A
    seed: int


class Case(NamedTuple):
    """One measurement: a score, an implementation, a length, a direction and a mask."""

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
        """Returns a one-line description of the case."""
        mask = " causal" if self.causal else ""
        return f"{self.score} {self.implementation} {self.length} {self.direction}{mask}"


class Round(NamedTuple):
    """Cases that are measured in alternation: those of one group, length, direction and mask."""

    cases: list[Case]
    repetitions: int


def mechanism(case: Case) -> Attention:
    """Returns the attention mechanism of a case. Raises ValueError if its score does not exist."""
    return make_attention(score=case.score, mask="causal" if case.causal else "everything")


def rounds(config: Any) -> list[Round]:
    """Returns the rounds that the config specifies. Raises ValueError if a case does not exist or is illegal."""
    for field in ("heads", "features", "hidden", "memory_limit_mib"):
        _positive(f"config.{field}", config[field])
    if not isinstance(config.seed, int) or not 0 <= config.seed < 2**32:
        raise ValueError(f"config.seed: {config.seed!r} should be a whole number, 0 to {2**32 - 1}")
    built = []
    for name, group in config.groups.items():
        where = f"config.groups.{name}"
        _check(where, group)
        for cases in _products(name, group):
            for case in cases:
                _check_legal(where, case)
            built.append(Round(cases, group.repetitions))
    if not any(round_.cases for round_ in built):
        raise ValueError(
            "config.groups contains no case; at least one group needs scores and implementations"
        )
    return built


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
    """Raises ValueError if a group has an unknown name or an invalid number."""
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
    """Raises ValueError, with a remedy, if the implementation does not support the mechanism."""
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
    """Returns the least arithmetic that a case requires: {"matmul": FLOPs}, {"tanh_*": evaluations}, or {}.

    The dot family. The forward pass has two products, Q Kᵀ and W V, of 2 H Q K D FLOPs each: 4 H Q K D.
    The backward pass has four, dV = Wᵀ dO, dW = dO Vᵀ, dQ = dS K and dK = dSᵀ Q, and recomputes Q Kᵀ because
    no matrix is stored: 10 H Q K D more, which makes 14 H Q K D for both.

    Additive and concat. The forward pass evaluates tanh H Q K A times. Both passes together evaluate it twice as
    often, because a backward pass that stores no [Q, K, A] array recomputes it. Matrix products are not counted.

    The causal mask halves all counts. A score of neither family has no entry. An implementation that stores the
    matrix needs no recomputation, so its fraction of the machine's rate may exceed 1.
    """
    pairs = sizes.heads * case.length**2 * (0.5 if case.causal else 1.0)
    pair = mechanism(case).score.pair
    if pair is inner_product:
        return {"matmul": PRODUCTS[case.direction] * 2 * pairs * sizes.features}
    if pair is additive.pair:
        evaluations = EVALUATIONS[case.direction] * pairs * sizes.hidden
        return {"tanh_cache": evaluations, "tanh_stream": evaluations}
    return {}
