"""The losses of 50 updates in double precision, of two models whose parameters are written down by a formula.

    python -m tests.models.baseline           # prints them, as they are in baseline.json

What moves in the code must not move them. Parameters are made from their names, so that a table of names is
all that lies between two versions.
"""

import hashlib
import json
import tempfile
import zlib
from pathlib import Path

import jax
import numpy as np

from attention_lab.data.pipeline import Batches
from attention_lab.data.rosetta import rosetta
from attention_lab.data.rows import encode
from attention_lab.data.vocabularies import make_tokenizers
from attention_lab.models import make_model
from attention_lab.training.optimizer import adam, cosine
from attention_lab.training.step import init_state, make_train_step

PATH = Path(__file__).with_suffix(".json")
UPDATES = 50
HYPER = {"learning_rate": 3e-3, "weight_decay": 0.01, "dropout": 0.0, "label_smoothing": 0.1}
SHAPE = {"features": 64, "heads": 4, "feed_forward": 128, "layers": 2, "norm": "pre"}
MODELS = {
    "quickstart": {
        "encoder": {"kind": "recurrent", "embedding": 128, "features": 128},
        "decoder": {"kind": "bahdanau", "embedding": 128, "hidden": 128},
        "tie": "output",
    },
    "transformer": {
        "encoder": {"kind": "transformer", **SHAPE},
        "decoder": {"kind": "transformer", **SHAPE},
        "tie": "output",
    },
}
# By what name a parameter is drawn, of what it is called now: the one that it had when the losses were written down.
NAMES = (
    ("encoder/layer_", "encoder_"),
    ("encoder/norm", "encoder_norm"),
    ("decoder/layer_", "decoder_"),
    ("decoder/norm", "decoder_norm"),
    ("decoder/cell_", "decoder_"),
    ("decoder/bridge", "bridge"),
    ("decoder/readout", "timing"),
    ("decoder/attention", "attention"),
)


def corpus(cache):
    """The batches, and the sizes of both vocabularies."""
    examples = rosetta("train", 2000)[:]
    texts = [[example[side] for example in examples] for side in ("source", "target")]
    tokenizers = make_tokenizers(*texts, kind="bpe", size=2000, joint=False, cache_dir=cache)
    batches = Batches(encode(examples, *tokenizers), tokens=1200, buckets=4)
    return [batches[t] for t in range(UPDATES)], [len(t) for t in tokenizers]


def written_down(params):
    """The tree with each leaf drawn from a normal distribution by its name: matrices scaled, norms around 1."""

    def draw(path, x):
        name = jax.tree_util.keystr(path, simple=True, separator="/")
        for now, before in NAMES:
            if name.startswith(now):
                name = before + name.removeprefix(now)
                break
        rng = np.random.default_rng(zlib.crc32(name.encode()))
        fan = np.prod(x.shape[:-1]) if x.ndim > 1 else 1e4
        return rng.normal(size=x.shape) / np.sqrt(fan) + name.endswith("scale")

    return jax.tree_util.tree_map_with_path(draw, params)


def losses(name, batches, sizes):
    """The loss of each update."""
    model = make_model(*sizes, **MODELS[name])
    optimizer = adam(1.0)
    state = init_state(model, optimizer, jax.random.key(0), HYPER)
    params = written_down(state.params)
    state = state._replace(params=params, opt_state=optimizer.init(params))
    step = jax.jit(make_train_step(model, optimizer, cosine(10, UPDATES)))
    found = []
    for batch in batches:
        state, metrics = step(state, batch)
        found.append(float(metrics["loss"]))
    return found


def measured(cache):
    """What is in baseline.json."""
    batches, sizes = corpus(cache)
    digest = hashlib.sha256()
    for batch in batches:
        for side in ("source", "target"):
            values = batch[side].values
            digest.update(repr(values.shape).encode() + values.astype("<i4").tobytes())
    return {
        "batches": digest.hexdigest(),
        **{name: losses(name, batches, sizes) for name in MODELS},
    }


if __name__ == "__main__":
    jax.config.update("jax_enable_x64", True)
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(measured(Path(folder)), indent=1))
