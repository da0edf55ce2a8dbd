"""The order of ids. Ours begin with the special tokens; those of a pre-trained model lie anywhere, and one may be several.

T5 reads its padding as the first token of a target, BART the end of a text, and GPT-2 has one token for both ends. So
some special tokens of ours are copies: they are read as theirs, but never written (`written`).
"""

from typing import NamedTuple

import numpy as np

from attention_lab.special_tokens import END, PAD, START, UNKNOWN


class Specials(NamedTuple):
    """The ids of a pre-trained model's special tokens; None where it has none. start: what a decoder reads first."""

    pad: int | None
    unknown: int | None
    start: int
    end: int | None


class Order(NamedTuple):
    """theirs: [V'] the id of a pre-trained model for each of ours. written: bool[V'], False for copies of another token."""

    theirs: np.ndarray
    written: np.ndarray

    @property
    def ours(self) -> np.ndarray:
        """[V] our id for each of theirs."""
        ids = np.zeros(self.theirs.max() + 1, int)
        ids[self.theirs[self.written]] = np.flatnonzero(self.written)
        return ids


def order_of(specials: Specials, size: int) -> Order:
    """Returns the order of `size` ids: the four special tokens, then all that are none of them, in their own order.

    Raises ValueError if a special token is not among the ids.
    """
    for name, number in specials._asdict().items():
        if number is not None and not 0 <= number < size:
            raise ValueError(f"the id of {name} is {number}, and the vocabulary has {size:,} ids")
    given = {PAD: specials.pad, UNKNOWN: specials.unknown, START: specials.start, END: specials.end}
    # A token that is several specials at once is written as the first of these. START never is: where another token is
    # read first, a text may have that token too.
    written, seen = np.zeros(len(given), bool), set()
    for number in (END, PAD, UNKNOWN):
        if given[number] is not None and given[number] not in seen:
            written[number] = True
            seen.add(given[number])
    # What a model does not have is a copy of another token.
    other = specials.start if specials.end is None else specials.end
    first = [other if number is None else number for _, number in sorted(given.items())]
    rest = [number for number in range(size) if number not in seen]
    return Order(np.array([*first, *rest]), np.concatenate([written, np.ones(len(rest), bool)]))
