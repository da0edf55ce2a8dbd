"""The flags of commands that generate text, and the settings that they are."""

from typing import Any

from absl import flags

from attention_lab import runs
from attention_lab.models.base import look_up
from experiments import command

DEFAULT = "by default that of the config"
SEED = flags.DEFINE_integer("seed", 0, "The seed: the same one gives the same text.")
NUMBERS = (
    flags.DEFINE_float(
        "temperature", None, f"Divides the logits; 0: the likeliest token; {DEFAULT}."
    ),
    flags.DEFINE_integer(
        "top_k", None, f"Draw from the k likeliest tokens; 0: from all; {DEFAULT}."
    ),
    flags.DEFINE_float(
        "top_p", None, f"Draw from the fewest likeliest tokens with this probability; {DEFAULT}."
    ),
    flags.DEFINE_float(
        "repetition_penalty",
        None,
        f"Divides the logits of tokens that the text contains; {DEFAULT}.",
    ),
    flags.DEFINE_integer(
        "no_repeat_ngram", None, f"No n tokens in a row occur twice; 0: any may; {DEFAULT}."
    ),
    flags.DEFINE_integer("max_length", None, f"The most tokens of a text; {DEFAULT}."),
    flags.DEFINE_integer("min_length", None, f"The least tokens of a text; {DEFAULT}."),
)
STOP = flags.DEFINE_multi_string("stop", [], "A text ends before this string; may be repeated.")
SHOW = flags.DEFINE_bool("show_attention", False, "Print where the model looked.")
LAYER = flags.DEFINE_string("layer", None, "The layer whose attention is shown, as decoder/3.")
HEAD = flags.DEFINE_integer("head", None, "The head whose attention is shown, from 0.")


def settings(run: runs.Run, drawn: bool = False) -> dict[str, Any]:
    """Returns the settings of sampling: those of the run's config, changed by flags.

    drawn: whether attention is shown, even if it is not printed. Raises ValueError if a setting is invalid, and Refusal
    for an empty stop string, or if the model has no such attention.
    """
    given = {flag.name: flag.value for flag in NUMBERS if flag.value is not None}
    chosen = {**run.config.get("sampling", {}), **given}
    runs.sampling_of(chosen)
    if not all(STOP.value):
        raise command.Refusal("--stop: a stop string must have at least one character")
    layers = [name for name in run.attention_layers() if not name.startswith("encoder/")]
    if (SHOW.value or drawn) and not layers:
        raise command.Refusal("the model has no attention to show")
    if LAYER.value is not None:
        look_up("attention of a written text", layers, LAYER.value)
    return chosen


def stop() -> list[str]:
    """Returns the stop strings."""
    return list(map(command.as_text, STOP.value))
