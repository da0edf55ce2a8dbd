"""T5 (Raffel et al. 2020), BART (Lewis et al. 2020) and PEGASUS (Zhang et al. 2020), at a size for two cores.

    python -m experiments.train --config=configs/text_to_text.py:t5_1_1,pretraining
    python -m experiments.train --config=configs/text_to_text.py:t5_1_1,headlines --config.initialize_from=runs/t5_1_1_pretraining
    python -m experiments.train --config=configs/text_to_text.py:t5_1_0,mixture

Models: t5_1_0, t5_1_1, bart and pegasus. Stages: pretraining, with the model's own objective on the embedded stories;
headlines, of which there are few; mixture, which writes headlines and answers questions, told apart by a prefix.
Details are those of the papers (attention_lab/runs/named.py), with three layers of 64 features and four heads. T5 and
PEGASUS are trained with Adafactor, and T5 with a z-loss, as by their authors.
"""

from ml_collections import ConfigDict

from attention_lab.runs import named
from configs import defaults

MODELS = {
    "t5_1_0": named.t5_1_0_small,
    "t5_1_1": named.t5_1_1_small,
    "bart": named.bart_base,
    "pegasus": named.pegasus_base,
}
SPANS = {"kind": "span_corruption", "rate": 0.15, "mean": 3}
OBJECTIVES = {
    "t5_1_0": SPANS,
    "t5_1_1": SPANS,
    "bart": {"kind": "denoising", "noise": ["permutation", "infilling"]},
    "pegasus": {"kind": "gap_sentences", "select": "rouge"},
}
STAGES = ("pretraining", "headlines", "mixture")
EXAMPLES = 1000  # headlines from which a model learns after pre-training


def get_config(which: str = "t5_1_1,mixture"):
    name, _, stage = which.partition(",")
    if name not in MODELS or stage not in STAGES:
        raise ValueError(
            f"{which!r} is not MODEL,STAGE; models: {', '.join(MODELS)}; stages: {', '.join(STAGES)}"
        )
    config = defaults.denoising() if stage == "pretraining" else defaults.summarization()
    config.name = f"{name}_{stage}"
    config.tokenizer.extra = 40
    config.data.max_length = 160
    config.model = defaults.fields(MODELS[name]())
    defaults.both_stacks(
        config.model, features=64, heads=4, key_size=16, feed_forward=256, layers=3
    )
    _set_optimizer(config.training, name)
    config.training.update(tokens=1_000_000, batch_tokens=1000, buckets=3)
    config.decoding.beam = 1
    if stage == "pretraining":
        config.objective = ConfigDict(OBJECTIVES[name])
    if stage == "headlines":
        config.data.options.size = ConfigDict({"train": EXAMPLES})
        config.training.tokens = 200_000
    if stage == "mixture":
        config.task = "mixture"
        config.mixture = _mixture()
        config.training.tokens = 3_000_000
    return config


def _mixture():
    stories = {"vocabulary": 4, "sentences": (3, 5)}
    questions = {
        "vocabulary": 6,
        "sentences": (2, 4),
        "questions": ("where_person", "who_has", "color"),
    }
    return ConfigDict(
        {
            "summarize": {
                "task": "summarization",
                "data": {"name": "rosetta_headlines", "options": stories, "stem": False},
            },
            "answer": {
                "task": "answering",
                "data": {"name": "rosetta_answers", "options": questions},
            },
        }
    )


def _set_optimizer(training, name):
    training.update(dropout=0.0, label_smoothing=0.0)
    if name == "bart":
        training.update(learning_rate=1e-3, warmup=200)
        return
    # Adafactor's steps are relative to the size of a parameter. The rate is constant for 10,000 updates.
    training.update(
        optimizer="adafactor", learning_rate=1e-2, schedule="level_inverse_sqrt", warmup=10_000
    )
    if name != "pegasus":
        training.z_loss = 1e-4
