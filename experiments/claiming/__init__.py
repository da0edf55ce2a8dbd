"""Claims: sentences of the literature as predicates, which a study or a measurement decides.

contracts.py     Claim, Verdict, judge
translation.py   claims over the arms of a study
mechanism.py     claims about the mechanism alone, measured in seconds
"""
