"""How to search: the numbers of a beam search, and which of them can be."""

import math
from typing import NamedTuple


class Search(NamedTuple):
    """How to search; static under jit.

    beam: N. length_penalty: α of ((5 + length) / 6)^α, by which a log-probability is divided, and
    coverage_penalty: β of β Σ_j log min(Σ_i w_ij, 1), which is added (Wu et al. 2016, eq. 14).
    longest: a translation has at most longest[0] + longest[1] · (source tokens) tokens.
    n_best: how many translations must be settled before a search may stop early.
    """

    beam: int = 5
    length_penalty: float = 1.0
    coverage_penalty: float = 0.0
    longest: tuple[int, float] = (10, 2.0)
    n_best: int = 1


def checked(search: Search) -> Search:
    """The search itself. Raises ValueError, with the field and what is expected, where nothing can be searched so."""
    beam, length, coverage, longest, n_best = search

    def whole(number, least):
        return isinstance(number, int) and not isinstance(number, bool) and number >= least

    if not whole(beam, 1):
        raise ValueError(f"beam is {beam!r}; it must be a whole number, at least 1")
    if not whole(n_best, 1) or n_best > beam:
        raise ValueError(
            f"n_best is {n_best!r}; it must be a whole number from 1 to the beam, {beam}"
        )
    for name, penalty in (("length_penalty", length), ("coverage_penalty", coverage)):
        if not (math.isfinite(penalty) and penalty >= 0):
            raise ValueError(f"{name} is {penalty!r}; it must be a number, at least 0")
    if not (len(longest) == 2 and all(math.isfinite(n) and n >= 0 for n in longest)):
        raise ValueError(f"longest is {longest!r}; it must be two numbers, as (10, 2.0)")
    if sum(longest) < 1:
        raise ValueError(
            f"longest={longest!r} leaves no room for a token of an empty sentence; let the sum be 1 or more"
        )
    return search
