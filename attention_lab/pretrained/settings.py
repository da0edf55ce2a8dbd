"""How a pre-trained model writes: what its generation_config.json says, in the words of our searches and of sampling."""

import pathlib
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from attention_lab.pretrained.checkpoints import CONFIG, read_json

GENERATION = "generation_config.json"
Settings = Mapping[str, Any]


def _whole(least: int) -> tuple[str, Callable[[Any], bool]]:
    expected = f"a whole number, at least {least}"
    return expected, lambda x: isinstance(x, int) and least <= x <= 2**16


def _number(most: float) -> tuple[str, Callable[[Any], bool]]:
    return f"a number from 0 to {most:g}", lambda x: isinstance(x, int | float) and 0 <= x <= most


# What each setting must be, where it is given.
RULES = MappingProxyType(
    {
        **dict.fromkeys(("num_beams", "max_length", "max_new_tokens"), _whole(1)),
        **dict.fromkeys(("min_new_tokens", "no_repeat_ngram_size", "top_k"), _whole(0)),
        **dict.fromkeys(("length_penalty", "temperature", "repetition_penalty"), _number(10)),
        "top_p": _number(1),
    }
)
# Settings that searches here do not have, and, of these, those that sampling does not have either.
UNKNOWN = (
    "encoder_no_repeat_ngram_size",
    "forced_bos_token_id",
    "suppress_tokens",
    "begin_suppress_tokens",
    "bad_words_ids",
    "num_beam_groups",
    "diversity_penalty",
    "typical_p",
    "min_p",
    "penalty_alpha",
)
SAMPLED = (
    "min_length",
    "min_new_tokens",
    "no_repeat_ngram_size",
    "repetition_penalty",
    "do_sample",
)
NEUTRAL = MappingProxyType({"forced_bos_token_id": (None,), "do_sample": (None, False)})


def settings_in(folder: pathlib.Path) -> Settings:
    """Returns the settings of a folder; older ones have them in config.json. Raises ValueError if one is invalid."""
    path = folder / GENERATION
    own = read_json(path) if path.is_file() else {}
    if not isinstance(own, dict):
        raise ValueError(f"{path} is damaged: it must be a JSON object")
    told = {
        name: value
        for name, value in {**read_json(folder / CONFIG), **own}.items()
        if value is not None
    }
    for name, (expected, satisfied) in RULES.items():
        if name in told and (isinstance(told[name], bool) or not satisfied(told[name])):
            where = path if name in own else folder / CONFIG
            raise ValueError(f"{where}: {name} is {told[name]!r}; it must be {expected}")
    return told


def search_in(told: Settings) -> dict[str, Any]:
    """Returns the fields of a `Search` that finds what transformers finds with these settings, but for the most tokens."""
    return {
        "beam": told.get("num_beams", 1),
        "length_penalty": told.get("length_penalty", 1.0),
        "length_offset": 0.0,
        "full": True,
        "early": told.get("early_stopping") is True,
    }


def longest_in(told: Settings, otherwise: int) -> int:
    """Returns the most tokens of a translation: there, `max_length` counts the first token, and END may be forced."""
    most = told.get("max_new_tokens", told.get("max_length", otherwise + 1) - 1)
    return max(most - ("forced_eos_token_id" in told), 1)


def sampling_in(told: Settings) -> dict[str, Any]:
    """Returns the fields of a `Sampling` for a model without sources; without do_sample, the temperature is 0.8."""
    chosen = {"temperature": 0.8}
    if told.get("do_sample"):
        chosen = {
            "temperature": told.get("temperature", 1.0),
            "top_k": told.get("top_k", 50),
            "top_p": told.get("top_p", 1.0),
        }
    return {
        **chosen,
        "repetition_penalty": told.get("repetition_penalty", 1.0),
        "no_repeat_ngram": told.get("no_repeat_ngram_size", 0),
        "min_length": told.get("min_new_tokens", 0),
        "max_length": told.get("max_new_tokens", 100),
        "start": False,
    }


def unused(told: Settings, sampled: bool) -> list[str]:
    """Returns the settings that have no effect here, as "min_length=56". sampled: whether texts are sampled."""
    names = (*UNKNOWN, "num_beams") if sampled else (*UNKNOWN, *SAMPLED)
    found = [
        name for name in names if told.get(name) not in NEUTRAL.get(name, (None, 0, 1, False, []))
    ]
    if told.get("bad_words_ids") == [[told.get("pad_token_id")]]:  # padding is never written here
        found.remove("bad_words_ids")
    if told.get("early_stopping") not in (None, True, False):
        found.append("early_stopping")
    if isinstance(told.get("eos_token_id"), list):
        found.append("eos_token_id")
    return [f"{name}={told[name]}" for name in found]
