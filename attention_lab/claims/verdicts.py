"""All claims by name, and their verdicts as tables and as JSON."""

from collections.abc import Sequence
from math import isinf

from attention_lab.claims import mechanism, perception, pretraining, translation
from attention_lab.claims.contracts import Claim, Verdict
from attention_lab.studies import reporting, summary, tables
from attention_lab.studies.rows import Row

CLAIMS = (
    *mechanism.CLAIMS,
    *translation.CLAIMS,
    *pretraining.CLAIMS,
    *perception.CLAIMS,
)


def chosen(names: Sequence[str]) -> list[Claim]:
    """Returns the claims with these names, or all claims for []. Raises ValueError if a name is unknown."""
    known = {claim.name: claim for claim in CLAIMS}
    for name in names:
        if name not in known:
            raise ValueError(f"there is no claim {name!r}; there are {', '.join(known)}")
    return [known[name] for name in names] if names else list(CLAIMS)


def bounds(claim: Claim) -> str:
    """Returns the bounds of a claim as text."""
    low, high = claim.bounds
    if isinf(high):
        return f"more than {low:g}"
    if isinf(low):
        return f"less than {high:g}"
    return f"between {low:g} and {high:g}"


def table(verdicts: Sequence[Verdict]) -> tuple[list[str], list[list[str]]]:
    """Returns the verdicts as a table: its header and its rows."""
    lines = []
    for one in verdicts:
        interval = one.interval
        number = f"{interval.estimate:.3g} [{interval.low:.3g}, {interval.high:.3g}]"
        claim, verdict = one.claim, tables.marked(one.verdict, one.early)
        lines.append([claim.sentence, claim.source, claim.number, number, bounds(claim), verdict])
    return ["claim", "source", "quantity", "estimate [95 %]", "claimed", "verdict"], lines


def legend(verdicts: Sequence[Verdict], rows: Sequence[Row]) -> str:
    """Returns the notes of a table: the meaning of EARLY, skipped updates, and sentences that were refused."""
    notes = [reporting.EARLY_NOTE] if any(one.early for one in verdicts) else []
    return "\n\n".join([*notes, *filter(None, [summary.skipped(rows), summary.refused(rows)])])


def as_json(one: Verdict) -> dict[str, object]:
    """Returns a verdict as JSON data."""
    interval = one.interval
    numbers = {name: float(getattr(interval, name)) for name in ("estimate", "low", "high")}
    about = {field: getattr(one.claim, field) for field in ("name", "sentence", "source", "number")}
    return {
        **about,
        "claimed": bounds(one.claim),
        **numbers,
        "verdict": one.verdict,
        "early": one.early,
    }
