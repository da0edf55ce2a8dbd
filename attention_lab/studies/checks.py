"""What a study's config must be, and that of each of its arms."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from attention_lab.runs import checks
from attention_lab.runs.checks import BUDGET, EACH_SEED, NATURAL, Rule
from attention_lab.studies.study import study_of

Config = Mapping[str, Any]
STUDY_RULES: dict[str, Rule] = {
    "seeds": EACH_SEED,
    "tuning.seeds": EACH_SEED,
    "tuning.tokens": BUDGET,
    "tuning.field": (
        "another field than training.tokens, of which a trial has its own share",
        lambda x: x != "training.tokens",
    ),
    "budget.step": NATURAL,
}


def study(config: Config) -> None:
    """Checks the config of a study, and that of each of its arms. Raises ValueError as `run` does."""
    checks.check(config, STUDY_RULES)
    for arm in study_of(config, Path()).arms:
        checks.run(arm.config)
