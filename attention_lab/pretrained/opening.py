"""A pre-trained model as a run: what translates, generates, chats and shows attention for a trained run does it too."""

import contextlib
import json
import pathlib
import sys
from typing import Any

from attention_lab import runs
from attention_lab.pretrained.checkpoints import CONFIG, read_json
from attention_lab.pretrained.conversion import load
from attention_lab.pretrained.text import codec_of
from attention_lab.runs import defaults
from attention_lab.runs.folder import model_of
from attention_lab.runs.run import Run

GENERATION = "generation_config.json"


def opened(folder: Any) -> Run:
    """Returns the run that was trained in a folder, or the pre-trained model in it, whose licence is printed to stderr.

    Raises ValueError if it has neither.
    """
    path = pathlib.Path(folder) / CONFIG
    config = read_json(path) if path.is_file() else {}
    if not isinstance(config, dict) or "model_type" not in config:
        return runs.load(folder)
    if licence := licence_of(folder):
        print(f"licence  {licence}", file=sys.stderr)
    return from_pretrained(folder)


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
    `conversion.load` and `text.codec_of` do.
    """
    folder = pathlib.Path(folder)
    opened = load(folder)
    alone = opened.words["encoder"]["kind"] == "nothing"
    config = json.loads(json.dumps(defaults.language() if alone else defaults.translation()))
    config |= {"name": folder.name, "model": opened.words}
    path = folder / GENERATION
    told = {**opened.config, **(read_json(path) if path.is_file() else {})}
    if alone:
        config["sampling"] = {"temperature": 0.8, "max_length": 100, "start": False}
    else:
        longest = told.get("max_length") or told.get("max_position_embeddings") or 128
        config["decoding"] |= {"beam": told.get("num_beams") or 1, "longest": (longest, 0.0)}
    codec = codec_of(folder, opened.order)
    return Run(config, model_of(config, codec), opened.params, codec)
