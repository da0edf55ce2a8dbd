"""A tiny config of every task, on embedded data: --config=tests/tasks/tiny.py:language, or `config_of` in a test."""

import copy

import attention_lab
from attention_lab.runs import defaults
from attention_lab.studies.defaults import study
from attention_lab.studies.study import changed
from attention_lab.tasks import TASKS
from configs.defaults import fields

ROSETTA = {"size": 60, "vocabulary": 4, "longest": 6}
STORIES = {"size": 60, "vocabulary": 4, "sentences": [3, 3]}
QUESTIONS = {**STORIES, "sentences": [5, 5]}
OPTIONS = {
    "rosetta": ROSETTA,
    "rosetta_headlines": STORIES,
    "rosetta_answers": QUESTIONS,
    "rosetta_pictures": {"size": 60, "vocabulary": 4},
    "rosetta_speech": ROSETTA,
}
TRAINING = {
    "tokens": 4000,
    "batch_tokens": 200,
    "buckets": 1,
    "learning_rate": 0.02,
    "warmup": 5,
    "dropout": 0.1,
    "validations": 2,
    "validation_sentences": 120,
    "workers": 0,
}
MEMBERS = {
    "summarize": {
        "task": "summarization",
        "data": {"name": "rosetta_headlines", "options": STORIES, "stem": False},
    },
    "answer": {"task": "answering", "data": {"name": "rosetta_answers", "options": QUESTIONS}},
}
BASES = {
    "translation": defaults.translation,
    "language": defaults.language,
    "denoising": defaults.denoising,
    "summarization": defaults.summarization,
    "answering": defaults.answering,
    "captioning": defaults.captioning,
    "speech": defaults.speech,
    "mixture": lambda: {**defaults.answering(), "task": "mixture", "mixture": MEMBERS},
}
SIZES = {"features": 8, "heads": 2, "feed_forward": 16, "layers": 1, "positions": 64}


def config_of(task, **changes):
    """The tiny config of a task; changes: fields, in which "__" stands for a dot.

    The vocabularies of words have one size, and so have the splits, so that tasks share compiled programs.
    """
    config = copy.deepcopy(BASES[task]())
    config["data"].update(options=OPTIONS[config["data"]["name"]], max_length=64)
    config["model"] = defaults.transformer()
    config["tokenizer"].update(kind="word", size=56)
    if task == "language":
        config["data"]["max_length"] = 16
        config["model"] = defaults.gpt()
        config["tokenizer"]["kind"] = "char"
    if task == "captioning":
        config["model"] = defaults.patches()
        config["model"]["encoder"]["stride"] = 16
    if task == "speech":
        config["model"]["encoder"]["reads"] = "frames"
        config["model"]["encoder"]["stride"] = 8
        config["model"]["tie"] = "output"
    for side in config["model"]["encoder"], config["model"]["decoder"]:
        side.update({name: value for name, value in SIZES.items() if name in side})
    config["training"].update(TRAINING)
    if "decoding" in config:
        config["decoding"].update(beam=1, longest=(4, 0.5))
    given = {name.replace("__", "."): value for name, value in changes.items()}
    return changed(config, given, "this test")


_TRAINED = {}


def trained(task, tmp_path_factory):
    """The folder of a run of the tiny config, which is trained once in a process; whoever reads it does not change it."""
    if task not in _TRAINED:
        folder = tmp_path_factory.mktemp("tiny") / task
        attention_lab.train(config_of(task), folder)
        _TRAINED[task] = folder
    return _TRAINED[task]


def study_of(task, **changes):
    """A tiny study of a task: two arms that share a program, with two seeds each."""
    arms = {"plain": {}, "without dropout": {"training.dropout": 0.0}}
    return {**study(), "base": config_of(task, **changes), "arms": arms, "seeds": [0, 1]}


def get_config(which="translation"):
    return fields(config_of(which))


assert BASES.keys() == TASKS.keys()
