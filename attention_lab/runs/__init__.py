"""Trained models: their folders, and functions that train, load, evaluate and apply them.

run = attention_lab.load("runs/quickstart")
run.translate(["The cat sat on the mat"])[0].text
"""

from attention_lab.runs.folder import differences, load, model_of, record_session, write
from attention_lab.runs.generation import Generation, Stream, generate, stream
from attention_lab.runs.opening import from_pretrained, opened
from attention_lab.runs.origin import (
    begin,
    codec_of,
    compare,
    origin_of,
    read_json,
    write_json,
)
from attention_lab.runs.outputs import Translation
from attention_lab.runs.run import Run, Runs, TeacherForced
from attention_lab.runs.settings import decoding_of, sampling_of, search_of

__all__ = [
    "Generation",
    "Run",
    "Runs",
    "Stream",
    "TeacherForced",
    "Translation",
    "begin",
    "codec_of",
    "compare",
    "decoding_of",
    "differences",
    "from_pretrained",
    "generate",
    "load",
    "model_of",
    "opened",
    "origin_of",
    "read_json",
    "record_session",
    "sampling_of",
    "search_of",
    "stream",
    "write",
    "write_json",
]
