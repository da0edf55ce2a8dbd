"""A language model that has learnt three dialogues by heart, and the folder of its run."""

import functools
import json

import attention_lab
from attention_lab.runs import defaults

DIALOGUES = [
    ["hello there", "Hi! How can I help?", "I am hungry", "Then eat a red apple."],
    ["I am hungry", "Then eat a red apple.", "thank you", "You are welcome."],
    ["thank you", "You are welcome.", "hello there", "Hi! How can I help?"],
]
ANSWERS = {
    line: answer for one in DIALOGUES for line, answer in zip(one[::2], one[1::2], strict=True)
}


def talker(tmp_path_factory):
    """Returns the folder of the trained run, which all tests of a process share."""
    return _trained(tmp_path_factory.getbasetemp() / "talker")


@functools.cache
def _trained(folder):
    corpus(folder)
    attention_lab.train(config(folder), folder / "run")
    return folder / "run"


def corpus(folder):
    """Writes the dialogues as files of the dataset sgd; validation and test are the first one."""
    folder.mkdir()
    for stem, part in {
        "train": DIALOGUES * 4,
        "valid": DIALOGUES[:1],
        "test": DIALOGUES[:1],
    }.items():
        rows = [
            {"id": str(n), "turns": [{"s": "US"[i % 2], "u": u} for i, u in enumerate(one)]}
            for n, one in enumerate(part)
        ]
        text = "".join(json.dumps(row) + "\n" for row in rows)
        (folder / f"sgd_{stem}.jsonl").write_text(text, encoding="utf-8")


def config(folder):
    """Returns the config of a small model of characters, which reads 128 of them."""
    config = defaults.language()
    config["data"].update(name="sgd", options={"path": str(folder)}, max_length=128)
    config["model"]["decoder"].update(
        layers=2, heads=2, features=32, feed_forward=64, positions=128
    )
    config["devices"]["data"] = 1  # of the two that tests have
    config["training"].update(
        tokens=300 * 512, batch_tokens=512, learning_rate=1e-2, warmup=20, validations=1
    )
    config["sampling"] = {"temperature": 0.0, "max_length": 40}
    return config
