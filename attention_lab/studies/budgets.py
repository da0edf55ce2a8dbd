"""The budgets of a study's arms: what is equal between them, if it is not the number of target tokens.

    config.budget = {"equal": "updates"}      # each arm performs as many updates as the first arm
    config.budget = {"equal": "flops"}        # or as many floating-point operations
    config.budget = {"equal": "parameters", "fields": ("model.encoder.features", "model.decoder.hidden"), "step": 16}

Each changes fields of the arms before anything runs, and the result is written to study.json. A budget in tokens
applies to the first arm: an arm with another tokenizer, or other training data, is trained on the same number of
target words, and its number of tokens follows from that. With equal numbers of tokens, an arm with longer pieces would
be trained on more of the corpus.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from attention_lab.models.base import look_up
from attention_lab.studies import sizes
from attention_lab.studies.study import Study, changed, study_of

Config = Mapping[str, Any]
EQUAL = ("tokens", "updates", "flops", "parameters")
WIDEST = 4096  # the greatest width that is tried
# Quantities that are proportional to the number of target tokens.
BY_TOKENS: Mapping[str, Callable[[Config], int]] = MappingProxyType(
    {"updates": sizes.updates_of, "flops": sizes.flops_of}
)


def balanced(config: Config) -> Config:
    """Returns the study's config with arms that have equal budgets.

    Raises ValueError if the kind of budget is unknown, or if no width is small enough.
    """
    budget = config["budget"]
    look_up("budget.equal", EQUAL, budget["equal"])
    arms = study_of(config, Path()).arms
    first = arms[0].config
    changes = {arm.name: {**arm.changes, **_equal(arm.config, first, budget)} for arm in arms}
    if all(changes[arm.name] == arm.changes for arm in arms):
        return config
    return {**config, "arms": changes, "axes": {}}


def tokens_of(study: Study) -> list[int]:
    """Returns the distinct budgets of the arms in target tokens, in ascending order."""
    return sorted({arm.config["training"]["tokens"] for arm in study.arms})


def describe(study: Study) -> str:
    """Returns a description of the arms' budgets, such as "12,000 target tokens each"."""
    tokens = tokens_of(study)
    equal = study.config["budget"]["equal"]
    if len(tokens) == 1:
        return f"{tokens[0]:,} target tokens each"
    if equal in BY_TOKENS:
        reason = {
            "updates": "the same number of updates",
            "flops": "the same number of FLOPs in matrix products",
        }[equal]
    else:
        texts = [_text_of(arm.config) for arm in study.arms]
        equal_texts = all(text == texts[0] for text in texts)
        reason = (
            "" if equal_texts else "the same number of target words for every tokenizer and corpus"
        )
    return f"{tokens[0]:,} to {tokens[-1]:,} target tokens each{f' ({reason})' * bool(reason)}"


def _equal(config, first, budget):
    """Returns the fields with which an arm has the same budget as the first arm."""
    tokens = config["training"]["tokens"]
    if budget["equal"] in BY_TOKENS:
        measure = BY_TOKENS[budget["equal"]]
        return {"training.tokens": round(measure(first) / measure(config) * tokens)}
    fields = {}
    if budget["equal"] == "parameters":
        width = _width(config, budget, sizes.parameters_of(first))
        fields = dict.fromkeys(budget["fields"], width)
    if _text_of(config) != _text_of(first):
        ratio = sizes.tokens_per_word(config) / sizes.tokens_per_word(first)
        fields["training.tokens"] = max(1, round(ratio * tokens))
    return fields


def _text_of(config):
    """Returns the fields on which the number of tokens per word depends."""
    return config["tokenizer"], [config["data"][name] for name in ("name", "options", "max_length")]


def _width(config, budget, limit):
    """Returns the greatest multiple of `step` with which an arm has at most `limit` parameters."""
    fields, step = budget["fields"], budget["step"]

    def fits(multiple):
        widths = dict.fromkeys(fields, multiple * step)
        return sizes.parameters_of(changed(config, widths, "budget")) <= limit

    low, high = 1, WIDEST // step + 1
    if not fits(low):
        raise ValueError(
            f"budget: even with {', '.join(fields)} = {step}, an arm has more than {limit:,} parameters"
        )
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low * step
