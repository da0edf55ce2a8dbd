"""Runs from folders: of a trained run, or of a pre-trained model, which then translates, generates, chats and shows attention."""

import contextlib
import json
import pathlib
import sys
from typing import Any

from attention_lab import pretrained
from attention_lab.pretrained import settings, tokenizer_files
from attention_lab.runs import defaults
from attention_lab.runs.folder import load, model_of
from attention_lab.runs.origin import is_pretrained
from attention_lab.runs.run import Run


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
    others = settings.unused(settings.settings_in(pathlib.Path(folder)), "sampling" in run.config)
    if others:
        print(f"not used {', '.join(others)} of {settings.GENERATION}", file=sys.stderr)
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
    `pretrained.load`, `tokenizer_files.codec_of` and `settings.settings_in` do.
    """
    folder = pathlib.Path(folder)
    model = pretrained.load(folder)
    alone = model.words["encoder"]["kind"] == "nothing"
    config = json.loads(json.dumps(defaults.language() if alone else defaults.translation()))
    config |= {"name": folder.name, "model": model.words}
    told = settings.settings_in(folder)
    if alone:
        config["sampling"] = settings.sampling_in(told)
    else:
        longest = settings.longest_in(told, told.get("max_position_embeddings") or 128)
        config["decoding"] |= {**settings.search_in(told), "longest": (longest, 0.0)}
    codec = tokenizer_files.codec_of(folder, model.order)
    return Run(config, model_of(config, codec), model.params, codec)
