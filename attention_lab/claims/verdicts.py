"""Claims by name, and what was decided of them in words, tables and JSON."""

from collections.abc import Sequence
from math import isinf

from attention_lab.claims import mechanism, translation
from attention_lab.claims.contracts import Claim, Verdict
from attention_lab.studies import reporting, tables
from attention_lab.studies.rows import Row

CLAIMS = (*mechanism.CLAIMS, *translation.CLAIMS)


def chosen(names: Sequence[str]) -> list[Claim]:
    """The claims of these names, or all. Raises ValueError where there is no such claim."""
    known = {claim.name: claim for claim in CLAIMS}
    for name in names:
        if name not in known:
            raise ValueError(f"there is no claim {name!r}; there are {', '.join(known)}")
    return [known[name] for name in names] if names else list(CLAIMS)


def bounds(claim: Claim) -> str:
    """The bounds in words."""
    low, high = claim.bounds
    if isinf(high):
        return f"more than {low:g}"
    if isinf(low):
        return f"less than {high:g}"
    return f"between {low:g} and {high:g}"


def table(verdicts: Sequence[Verdict]) -> tuple[list[str], list[list[str]]]:
    """What was decided, as it is read."""
    lines = []
    for one in verdicts:
        found = one.interval
        number = f"{found.estimate:.3g} [{found.low:.3g}, {found.high:.3g}]"
        claim, verdict = one.claim, tables.unless_early(one.verdict, one.early)
        lines.append([claim.sentence, claim.source, claim.number, number, bounds(claim), verdict])
    return ["claim", "source", "number", "found [95 %]", "claimed", "verdict"], lines


def legend(verdicts: Sequence[Verdict], rows: Sequence[Row]) -> str:
    """What EARLY means where it was said, and which replicas skipped updates or could not read some sentences."""
    said = [reporting.EARLY_NOTE] if any(one.early for one in verdicts) else []
    return "\n\n".join([*said, *filter(None, [reporting.skipped(rows), reporting.refused(rows)])])


def as_json(one: Verdict) -> dict[str, object]:
    """A verdict as plain JSON."""
    found = one.interval
    numbers = {name: float(getattr(found, name)) for name in ("estimate", "low", "high")}
    told = {field: getattr(one.claim, field) for field in ("name", "sentence", "source", "number")}
    return {
        **told,
        "claimed": bounds(one.claim),
        **numbers,
        "verdict": one.verdict,
        "early": one.early,
    }
