"""Runs from folders: of a trained run, or of a pre-trained model, which then translates, generates, chats and shows attention."""

import contextlib
import json
import pathlib
import sys
from collections.abc import Mapping
from typing import Any

from attention_lab import pretrained
from attention_lab.pretrained import tokenizer_files
from attention_lab.pretrained.checkpoints import CONFIG, read_json
from attention_lab.runs import defaults
from attention_lab.runs.folder import load, model_of
from attention_lab.runs.origin import is_pretrained
from attention_lab.runs.run import Run

GENERATION = "generation_config.json"
UNUSED = (
    "min_length",
    "min_new_tokens",
    "no_repeat_ngram_size",
    "encoder_no_repeat_ngram_size",
    "repetition_penalty",
    "forced_bos_token_id",
    "suppress_tokens",
    "begin_suppress_tokens",
    "num_beam_groups",
)


def opened(folder: Any) -> Run:
    """Returns the run that was trained in a folder, or the pre-trained model in it.

    To stderr are printed its licence, and the settings of its folder that searches here do not have. Raises ValueError if
    it has neither.
    """
    if not is_pretrained(pathlib.Path(folder)):
        return load(folder)
    if licence := licence_of(folder):
        print(f"licence  {licence}", file=sys.stderr)
    run = from_pretrained(folder)
    if others := unused(_generation(pathlib.Path(folder))):
        print(f"not used {', '.join(others)} of {GENERATION}", file=sys.stderr)
    return run


def licence_of(folder: Any) -> str | None:
    """Returns what a folder says of its licence: the field of its README.md, or the first line of a file LICENSE."""
    folder = pathlib.Path(folder)
    for name in ("README.md", *sorted(path.name for path in folder.glob("LICEN[CS]E*"))):
        with contextlib.suppress(OSError, UnicodeDecodeError):
            lines = (folder / name).read_text(encoding="utf-8").splitlines()
            if name == "README.md":  # a header in YAML between two lines of ---
                header = (
                    lines[1 : lines.index("---", 1)]
                    if lines[:1] == ["---"] and "---" in lines[1:]
                    else []
                )
                lines = [line.partition(":")[2] for line in header if line.startswith("license:")]
            first = next((line.strip() for line in lines if line.strip()), None)
            if first:
                return f"{first} ({name})"
    return None


def from_pretrained(folder: Any) -> Run:
    """Returns the pre-trained model in a folder of the library transformers as a run; nothing is downloaded.

    The folder has config.json, parameters as safetensors, and tokenizer.json or Marian's files. Raises ValueError as
    `pretrained.load` and `tokenizer_files.codec_of` do.
    """
    folder = pathlib.Path(folder)
    model = pretrained.load(folder)
    alone = model.words["encoder"]["kind"] == "nothing"
    config = json.loads(json.dumps(defaults.language() if alone else defaults.translation()))
    config |= {"name": folder.name, "model": model.words}
    told = _generation(folder)
    if alone:
        config["sampling"] = {"temperature": 0.8, "max_length": 100, "start": False}
    else:
        longest = told.get("max_length") or told.get("max_position_embeddings") or 128
        config["decoding"] |= {**search_in(told), "longest": (longest, 0.0)}
    codec = tokenizer_files.codec_of(folder, model.order)
    return Run(config, model_of(config, codec), model.params, codec)


def search_in(told: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the fields of a `Search` that finds what transformers finds with these settings."""
    beam = told.get("num_beams") or 1
    penalty = told.get("length_penalty")
    return {
        "beam": beam,
        "length_penalty": 1.0 if penalty is None else penalty,
        "length_offset": 0.0,
        "full": True,
        "early": told.get("early_stopping") is True,
    }


def unused(told: Mapping[str, Any]) -> list[str]:
    """Returns what the settings say of generated texts that searches here do not do, as "min_length=56"."""
    return [f"{name}={told[name]}" for name in UNUSED if told.get(name) not in (None, 0, 1, False)]


def _generation(folder: pathlib.Path) -> dict[str, Any]:
    """Returns the settings of a folder for generated texts; older folders have them in config.json."""
    path = folder / GENERATION
    return {**read_json(folder / CONFIG), **(read_json(path) if path.is_file() else {})}
