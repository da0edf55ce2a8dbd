"""Claims: statements of the literature, formulated as predicates that a study or a measurement decides.

    rows = studies.results.rows_of(study)
    verdicts = [claims.judge(claim, rows) for claim in claims.chosen(["attention", "saturation"])]

contracts.py     Claim, Verdict, judge
quantities.py    quantities with intervals, computed from the rows of a study
translation.py   claims about translation models
pretraining.py   claims about objectives with which models are pre-trained
perception.py    claims about attention to pictures and to speech
mechanism.py     claims about the mechanism alone, which take seconds to measure
verdicts.py      all claims by name; verdicts as a table and as JSON
"""

from attention_lab.claims.contracts import Claim, Verdict, judge
from attention_lab.claims.verdicts import CLAIMS, as_json, bounds, chosen, legend, table

__all__ = ["CLAIMS", "Claim", "Verdict", "as_json", "bounds", "chosen", "judge", "legend", "table"]
