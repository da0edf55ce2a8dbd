"""What is held equal between the arms of a study, where it is not the target tokens that each sees.

    config.budget = {"equal": "updates"}      # each arm sees as many tokens as the first arm's updates need,
    config.budget = {"equal": "flops"}        # or as the first arm's work allows
    config.budget = {"equal": "parameters", "fields": ("model.encoder.features", "model.decoder.hidden"), "step": 16}

Each is a change of the arms' fields, made before anything runs and written into study.json. Tokens are those of the
first arm: an arm with another tokenizer, or other training data, sees as many target words, in as many of its own
tokens as that takes. Its own would be another part of the corpus, so that coarse pieces would see more of it.
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
    arms = study_of(config, Path()).arms
    first = arms[0].config
    changes = {arm.name: {**arm.changes, **_equal(arm.config, first, budget)} for arm in arms}
    if all(changes[arm.name] == arm.changes for arm in arms):
        return config
    return {**config, "arms": changes, "axes": {}}


def tokens_of(study: Study) -> list[int]:
    """The budgets of the arms, in target tokens, each once."""
    return sorted({arm.config["training"]["tokens"] for arm in study.arms})


def in_words(study: Study) -> str:
    """What each arm sees, such as "12,000 target tokens each"."""
    tokens = tokens_of(study)
    equal = study.config["budget"]["equal"]
    if len(tokens) == 1:
        return f"{tokens[0]:,} target tokens each"
    if equal in BY_TOKENS:
        why = {"updates": "equally many updates", "flops": "equal work in matrix products"}[equal]
    else:
        read = [_text_of(arm.config) for arm in study.arms]
        alike = all(one == read[0] for one in read)
        why = (
            "" if alike else "of each tokenizer or corpus as many as make equally many target words"
        )
    return f"{tokens[0]:,} to {tokens[-1]:,} target tokens each{f' ({why})' * bool(why)}"


def _equal(config, first, budget):
    """The fields that give an arm what the first arm has."""
    tokens = config["training"]["tokens"]
    if budget["equal"] in BY_TOKENS:
        measure = BY_TOKENS[budget["equal"]]
        return {"training.tokens": round(measure(first) / measure(config) * tokens)}
    fields = {}
    if budget["equal"] == "parameters":
        width = _width(config, budget, sizes.parameters_of(first))
        fields = dict.fromkeys(budget["fields"], width)
    if _text_of(config) != _text_of(first):
        part = sizes.tokens_per_word(config) / sizes.tokens_per_word(first)
        fields["training.tokens"] = max(1, round(part * tokens))
    return fields


def _text_of(config):
    """What decides how many tokens a word takes."""
    return config["tokenizer"], [config["data"][name] for name in ("name", "options", "max_length")]


def _width(config, budget, wanted):
    """The multiple of `step` with which an arm has the most parameters that are not more than wanted."""
    fields, step = budget["fields"], budget["step"]

    def fits(multiple):
        widths = dict.fromkeys(fields, multiple * step)
        return sizes.parameters_of(changed(config, widths, "budget")) <= wanted

    low, high = 1, WIDEST // step + 1
    if not fits(low):
        raise ValueError(
            f"budget: even with {', '.join(fields)} = {step}, an arm has more than {wanted:,} parameters"
        )
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low * step
