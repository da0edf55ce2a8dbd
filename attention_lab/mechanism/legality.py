"""Legality: which combinations of pieces each kind of attention and each implementation supports.

There is one table of rules. A combination that it forbids raises ValueError, with an alternative, before anything is
computed; `table` prints it. Rules test what a piece can do, never its name, so that a new piece needs no rule.
"""

from collections.abc import Callable
from typing import NamedTuple

from attention_lab.mechanism.attention import Attention
from attention_lab.mechanism.contracts import inner_product
from attention_lab.mechanism.feedback import no_feedback
from attention_lab.mechanism.locality import no_gain
from attention_lab.mechanism.normalizers import softmax
from attention_lab.mechanism.registry import PIECES, sample

# Up to this many pairs the whole matrix is cheaper than a loop over its tiles.
SMALL = 128 * 128


class Request(NamedTuple):
    """The use of a mechanism: "step" (one query at a time), "self" or "cross", and how it is computed."""

    kind: str
    implementation: str | None = "dense"
    weights: bool = False
    dropout: bool = False
    double: bool = False  # in float64
    ring: bool = False  # distributed over the devices of a mesh


class Rule(NamedTuple):
    """forbids(attention, request) -> bool; reason(attention) -> the reason, and an alternative."""

    forbids: Callable[[Attention, Request], bool]
    reason: Callable[[Attention], str]


KINDS = ("step", "self", "cross")

RULES = (
    Rule(
        lambda a, r: r.kind not in KINDS,
        lambda a: "there is no such kind of attention; use self or cross",
    ),
    Rule(
        lambda a, r: r.implementation not in (None, "dense", "blockwise", "fused"),
        lambda a: "there is no such implementation; choose dense, blockwise, fused or None",
    ),
    Rule(
        lambda a, r: r.ring and r.implementation != "blockwise",
        lambda a: "only blockwise supports a ring of devices; use blockwise, or no ring",
    ),
    Rule(
        lambda a, r: r.kind == "cross" and a.score.relative,
        lambda a: (
            f"score {a.score.name} depends on j − i, which is defined only within one "
            "sequence; use the plain score in cross-attention"
        ),
    ),
    Rule(
        lambda a, r: r.kind == "cross" and a.bias.relative,
        lambda a: (
            f"bias {a.bias.name} depends on j − i, which is defined only within one "
            "sequence; use no_bias in cross-attention"
        ),
    ),
    Rule(
        lambda a, r: r.kind != "step" and a.feedback != no_feedback,
        lambda a: (
            f"feedback {a.feedback.name} needs the weights of the previous step, but self- and cross-attention "
            "process all queries at once; call attend step by step, or use no_feedback"
        ),
    ),
    Rule(
        lambda a, r: r.implementation == "blockwise" and a.normalize.stream is None,
        lambda a: (
            f"normalizer {a.normalize.name} needs the whole row of scores, but blockwise "
            "processes one tile at a time; use dense, or softmax, sigmoid or smoothing"
        ),
    ),
    Rule(
        lambda a, r: r.implementation == "fused" and a.score.pair is not inner_product,
        lambda a: (
            f"score {a.score.name} is not the inner product of a projected query and a projected key, the only "
            "score that fused supports; use dense or blockwise"
        ),
    ),
    Rule(
        lambda a, r: r.implementation == "fused" and a.normalize != softmax,
        lambda a: (
            f"normalizer {a.normalize.name} is not softmax, the only normalizer that fused supports; "
            "use dense or, if it streams, blockwise"
        ),
    ),
    Rule(
        lambda a, r: r.implementation == "fused" and a.locality.gain is not no_gain,
        lambda a: (
            f"locality {a.locality.name} multiplies the weights after the softmax, which fused "
            "does not support; use dense or blockwise"
        ),
    ),
    Rule(
        lambda a, r: r.implementation == "fused" and r.double,
        lambda a: (
            "fused computes the softmax in float32 even for float64 inputs; use dense or blockwise"
        ),
    ),
    Rule(
        lambda a, r: r.implementation in ("blockwise", "fused") and r.weights,
        lambda a: (
            "only dense computes the matrix that weights=True returns; use dense or weights=False"
        ),
    ),
    Rule(
        lambda a, r: r.implementation in ("blockwise", "fused") and r.dropout,
        lambda a: "only dense supports dropout of weights; use dense, or pass no rng",
    ),
)


def why_not(attention: Attention, request: Request) -> str | None:
    """Returns the first reason why the attention does not support the request, or None if it does."""
    for rule in RULES:
        if rule.forbids(attention, request):
            return rule.reason(attention)
    return None


def decide(attention: Attention, request: Request, size: int) -> str:
    """Returns the implementation of a request for `size` pairs of a query and a key.

    Raises ValueError if it is illegal, with the combination, the reason and an alternative.
    """
    reason = why_not(attention, request)
    if reason is not None:
        how = f"{request.kind} attention, implementation={request.implementation!r}"
        raise ValueError(f"{how}: {reason}")
    if request.implementation is not None:
        return request.implementation
    tiled = request._replace(implementation="blockwise")
    return "blockwise" if size > SMALL and why_not(attention, tiled) is None else "dense"


class Row(NamedTuple):
    """One line of the table: which uses a piece supports in an otherwise plain attention."""

    kind: str
    name: str
    cells: dict[str, bool]
    reasons: list[str]


COLUMNS = (*KINDS, "dense", "blockwise", "fused")


def table() -> list[Row]:
    """Returns a row for every registered piece, with a column for every kind of attention and implementation.

    A kind of attention is legal if dense supports it, an implementation if any kind supports it; a "step" has one query and
    so is always dense.
    """
    rows = []
    for kind, pieces in PIECES.items():
        for name, entry in pieces.items():
            piece = sample(entry)
            attention = Attention()._replace(**{kind: piece})
            refusals = {}
            for column in COLUMNS:
                if column in KINDS:
                    tries = [Request(column)]
                else:
                    kinds = KINDS if column == "dense" else KINDS[1:]
                    tries = [Request(kind, column) for kind in kinds]
                reasons = [why_not(attention, request) for request in tries]
                refusals[column] = None if None in reasons else reasons[0]
            notes = list(dict.fromkeys(reason for reason in refusals.values() if reason))
            rows.append(Row(kind, name, {c: refusals[c] is None for c in COLUMNS}, notes))
    return rows


def markdown() -> str:
    """Returns the table as Markdown, with the reason for each refusal below it."""
    lines = ["| piece | name | " + " | ".join(COLUMNS) + " |"]
    lines += ["| --- | --- |" + " :-: |" * len(COLUMNS)]
    notes: list[str] = []
    for row in table():
        cells = ["yes" if legal else "–" for legal in row.cells.values()]
        lines.append(f"| {row.kind} | `{row.name}` | " + " | ".join(cells) + " |")
        notes += [reason for reason in row.reasons if reason not in notes]
    return "\n".join([*lines, "", *(f"- {note}." for note in notes)])
