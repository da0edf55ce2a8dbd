"""A pre-trained model as a run: what translates, generates, chats and shows attention for a trained run does it too."""

import json
import pathlib
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
    """Returns the run that was trained in a folder, or the pre-trained model in it. Raises ValueError if it has neither."""
    path = pathlib.Path(folder) / CONFIG
    config = read_json(path) if path.is_file() else {}
    theirs = isinstance(config, dict) and "model_type" in config
    return from_pretrained(folder) if theirs else runs.load(folder)


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
