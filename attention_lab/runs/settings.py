"""The settings of a config that describe how a model writes: of searches and of sampling."""

from collections.abc import Mapping, Sequence
from typing import Any

from attention_lab.decoding import Sampling, Search, checked, checked_sampling
from attention_lab.models.base import look_up

Config = Mapping[str, Any]


def decoding_of(config: Config) -> Config:
    """Returns `config["decoding"]`. Raises ValueError if the model continues texts, and hence has none."""
    if "decoding" not in config:
        raise ValueError(
            f"{config['name']} is a language model, which has no source to translate; generate and chat continue texts"
        )
    return config["decoding"]


def search_of(settings: Config) -> Search:
    """Returns the search that `config["decoding"]` describes. Raises ValueError if a field or its value is invalid."""
    return checked(Search(**_fields("decoding", settings, Search._fields)))


def sampling_of(settings: Config) -> Sampling:
    """Returns the `Sampling` that `config["sampling"]` describes. Raises ValueError as `search_of`."""
    return checked_sampling(Sampling(**_fields("sampling", settings, Sampling._fields)))


def _fields(section: str, settings: Config, known: Sequence[str]) -> dict[str, Any]:
    """Returns the settings, with tuples for lists. Raises ValueError if one is not a known field of the section."""
    for name in settings:
        look_up(f"field of {section}", known, name)
    return {
        name: tuple(value) if isinstance(value, list) else value for name, value in settings.items()
    }
