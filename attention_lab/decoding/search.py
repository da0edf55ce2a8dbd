"""The parameters of a beam search, and their ranges."""

from numbers import Integral, Real
from typing import NamedTuple


class Search(NamedTuple):
    """The parameters of a search; static under jit.

    beam: N. length_penalty: α of ((k + length) / (k + 1))^α, by which a log-probability is divided, and
    coverage_penalty: β of β Σ_j log min(Σ_i w_ij, 1), which is added (Wu et al. 2016, eq. 14, where k is 5).
    longest: a translation has at most longest[0] + longest[1] · (source states) tokens.
    n_best: how many translations must be final before a search may stop early.
    length_offset: k. full: whether N prefixes are extended although some have ended, as the library transformers does;
    the search ends when N hypotheses are complete and no prefix is better at its present length, or, with early, at once.
    """

    beam: int = 5
    length_penalty: float = 1.0
    coverage_penalty: float = 0.0
    longest: tuple[int, float] = (10, 2.0)
    n_best: int = 1
    length_offset: float = 5.0
    full: bool = False
    early: bool = False


# Bounds of what fits into memory and int32, and of the penalties of long sentences in float32.
MOST, GREATEST = 2**16, 10.0


def checked(search: Search) -> Search:
    """Returns the search. Raises ValueError, with the field and what is expected, if a parameter is out of range."""
    beam, length, coverage, longest, n_best, offset, full, early = search
    if not (_is_number(beam, Integral) and 1 <= beam <= MOST):
        raise ValueError(f"beam is {beam!r}; it must be a whole number from 1 to {MOST:,}")
    if not (_is_number(n_best, Integral) and 1 <= n_best <= beam):
        raise ValueError(
            f"n_best is {n_best!r}; it must be a whole number from 1 to the beam, {beam}"
        )
    numbers = {
        "length_penalty": length,
        "coverage_penalty": coverage,
        "length_offset": offset,
    }
    for name, number in numbers.items():
        if not (_is_number(number, Real) and 0 <= number <= GREATEST):
            raise ValueError(f"{name} is {number!r}; it must be a number from 0 to {GREATEST:g}")
    for name, chosen in (("full", full), ("early", early)):
        if not isinstance(chosen, bool):
            raise ValueError(f"{name} is {chosen!r}; it must be True or False")
    if early and not full:
        raise ValueError("early is for full beams; set full too")
    if not (isinstance(longest, tuple) and len(longest) == 2 and all(map(_is_length, longest))):
        raise ValueError(
            f"longest is {longest!r}; it must be two numbers from 0 to {MOST:,}, such as (10, 2.0)"
        )
    if sum(longest) < 1:
        raise ValueError(
            f"longest={longest!r} allows no token for an empty sentence; the sum must be 1 or more"
        )
    return search


def _is_number(value, kind):
    return isinstance(value, kind) and not isinstance(value, bool)


def _is_length(value):
    return _is_number(value, Real) and 0 <= value <= MOST
