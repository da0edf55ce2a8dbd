"""Trained models: their folders, and what one can do with them.

run = attention_lab.load("runs/quickstart")
run.translate(["The cat sat on the mat"])[0].text
"""

from attention_lab.runs.folder import differences, load, model_of, sit, write
from attention_lab.runs.origin import (
    begin,
    compare,
    origin_of,
    read_json,
    tokenizers_of,
    write_json,
)
from attention_lab.runs.run import Run, Translation, search_of, with_end
from attention_lab.runs.together import Runs, decode_together, for_all

__all__ = [
    "Run",
    "Runs",
    "Translation",
    "begin",
    "compare",
    "decode_together",
    "differences",
    "for_all",
    "load",
    "model_of",
    "origin_of",
    "read_json",
    "search_of",
    "sit",
    "tokenizers_of",
    "with_end",
    "write",
    "write_json",
]
