"""A number that a study cannot have, or one of its arms, is told before anything is read or written."""

import json

import pytest

from attention_lab.studies import checks as study_checks
from configs import defaults

CONFIG = json.loads(defaults.translation().to_json())
STUDY = {**json.loads(defaults.study().to_json()), "arms": {"a": {}}}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("seeds", [0, -1]),
        ("seeds", [2**32]),
        ("seeds", [0.5]),
        ("seeds", 3),
        ("tuning", {**STUDY["tuning"], "seeds": [-5]}),
        ("tuning", {**STUDY["tuning"], "tokens": 0}),
        ("budget", {**STUDY["budget"], "step": 0}),
        ("base", {**CONFIG, "seed": -1}),
    ],
)
def test_a_study_has_its_own_numbers_checked_and_those_of_its_arms(field, value):
    study_checks.study(STUDY)
    with pytest.raises(ValueError, match="must be") as raised:
        study_checks.study({**STUDY, field: value})
    assert "\n" not in str(raised.value)
