"""What is held equal between the arms of a study, where it is not the target tokens that each sees.

    config.budget = {"equal": "updates"}      # each arm sees as many tokens as the first arm's updates need,
    config.budget = {"equal": "flops"}        # or as the first arm's work allows
    config.budget = {"equal": "parameters", "fields": ("model.encoder.features", "model.decoder.hidden"), "step": 16}

Each is a change of the arms' fields, made before anything runs and written into study.json.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from attention_lab.models.base import look_up
from attention_lab.studies import sizes
from attention_lab.studies.study import changed, study_of

Config = Mapping[str, Any]
EQUAL = ("tokens", "updates", "flops", "parameters")
WIDEST = 4096  # that a width is set to
# What grows with the tokens that an arm sees.
BY_TOKENS: Mapping[str, Callable[[Config], int]] = MappingProxyType(
    {"updates": sizes.updates_of, "flops": sizes.flops_of}
)


def balanced(config: Config) -> Config:
    """The study's config with arms that have equal budgets.

    Raises ValueError where the budget is none that is known, or no width is small enough.
    """
    budget = config["budget"]
    look_up("budget.equal", EQUAL, budget["equal"])
    if budget["equal"] == "tokens":
        return config
    arms = study_of(config, Path()).arms
    first = arms[0].config
    changes = {}
    for arm in arms:
        if budget["equal"] in BY_TOKENS:
            measure = BY_TOKENS[budget["equal"]]
            part = measure(first) / measure(arm.config)
            equal: dict[str, Any] = {
                "training.tokens": round(part * arm.config["training"]["tokens"])
            }
        else:
            width = _width(arm.config, budget, sizes.parameters_of(first))
            equal = dict.fromkeys(budget["fields"], width)
        changes[arm.name] = {**arm.changes, **equal}
    return {**config, "arms": changes, "axes": {}}


def _width(config, budget, wanted):
    """The multiple of `step` with which an arm has the most parameters that are not more than wanted."""
    fields, step = budget["fields"], budget["step"]

    def fits(multiple):
        widths = dict.fromkeys(fields, multiple * step)
        return sizes.parameters_of(changed(config, widths, "budget")) <= wanted

    low, high = 1, WIDEST // step
    if not fits(low):
        raise ValueError(
            f"budget: even with {', '.join(fields)} = {step}, an arm has more than {wanted:,} parameters"
        )
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low * step
