"""Claims: sentences of the literature as predicates, which a study or a measurement decides.

    rows = studies.results.rows_of(study)
    verdicts = [claims.judge(claim, rows) for claim in claims.chosen(["attention", "saturation"])]

contracts.py     Claim, Verdict, judge
quantities.py    numbers with intervals, from the rows of a study
translation.py   claims over the arms of a study
mechanism.py     claims about the mechanism alone, measured in seconds
verdicts.py      all of them by name, and what was decided as a table
"""

from attention_lab.claims.contracts import Claim, Verdict, judge
from attention_lab.claims.verdicts import CLAIMS, as_json, bounds, chosen, legend, table

__all__ = ["CLAIMS", "Claim", "Verdict", "as_json", "bounds", "chosen", "judge", "legend", "table"]
