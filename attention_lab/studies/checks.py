"""Validation of a study's config and of the config of each arm."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from attention_lab.runs import checks
from attention_lab.runs.checks import BUDGET, EACH_SEED, NATURAL, SEED, Rule
from attention_lab.studies.study import study_of

Config = Mapping[str, Any]
STUDY_RULES: dict[str, Rule] = {
    "seeds": EACH_SEED,
    "base.seed": SEED,
    "tuning.seeds": EACH_SEED,
    "tuning.tokens": BUDGET,
    "tuning.field": (
        "a field other than training.tokens, which each trial sets itself",
        lambda x: x != "training.tokens",
    ),
    "budget.step": NATURAL,
}


def study(config: Config) -> None:
    """Validates the config of a study and of each of its arms. Raises ValueError for the first invalid field."""
    checks.check(config, STUDY_RULES)
    for arm in study_of(config, Path()).arms:
        checks.run(arm.config)
