"""A language of ninety sentences, and the flags that train a small model on it."""

import json

NAMES = ["ann", "bob", "eve", "kim", "lee", "max"]
VERBS = {"sees": "voit", "likes": "aime", "hears": "entend"}


def corpus(folder):
    """Sentences such as "my ann sees my bob" in JSON lines, with links; every seventh is for validation."""
    pairs = [(a, v, b) for a in NAMES for v in VERBS for b in NAMES if a != b]
    for split, part in {
        "train": [p for i, p in enumerate(pairs) if i % 7 > 1],
        "validation": pairs[::7],
        "test": pairs[1::7],
    }.items():
        lines = [
            {"source": f"my {a} {v} my {b}", "target": f"mon {a} {VERBS[v]} mon {b}"}
            | {"links": [[i, i] for i in range(5)]}
            for a, v, b in part
        ]
        text = "".join(json.dumps(line) + "\n" for line in lines)
        (folder / f"{split}.jsonl").write_text(text, encoding="utf-8")


def words(folder, workdir, **more):
    options = {
        "data.name": "files",
        "data.options.path": f"{folder}/{{split}}.jsonl",
        "tokenizer.kind": "word",
        "tokenizer.size": 50,
        "model.encoder.embedding": 16,
        "model.decoder.embedding": 16,
        "model.decoder.hidden": 16,
        "model.encoder.features": 16,
        "training.tokens": 24000,
        "training.batch_tokens": 200,
        "training.buckets": 1,
        "training.learning_rate": 0.02,
        "training.warmup": 10,
        "training.dropout": 0.0,
        "training.validations": 2,
        **more,
    }
    return [
        "--config=tests/experiments/tiny.py",
        f"--workdir={workdir}",
        *(f"--config.{name}={value}" for name, value in options.items()),
    ]
