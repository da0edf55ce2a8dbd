"""Small models of every kind, built from the registries."""

import jax
import jax.numpy as jnp
import numpy as np

from attention_lab.marks import END, PAD
from attention_lab.mechanism import PIECES, SCORES, make_attention
from attention_lab.mechanism.registry import sample
from attention_lab.models import make_model

VOCABULARY = 19


def recurrent(**options):
    sizes = {"embedding": 6, "hidden": 8, "positions": 24}
    return make_model("recurrent", VOCABULARY, VOCABULARY, **{**sizes, **options})


def transformer(**options):
    sizes = {"features": 8, "heads": 2, "feed_forward": 12, "layers": 2, "positions": 24}
    return make_model("transformer", VOCABULARY, VOCABULARY, **{**sizes, **options})


def names(field):
    return [name for name, entry in PIECES[field].items() if sample(entry) is not None]


# One of every structure: what differs between them is code, not only numbers.
STRUCTURES = {
    "bahdanau": recurrent,
    "bahdanau, 2 layers of lstm": lambda: recurrent(cell="lstm", layers=2, tie="all"),
    "luong": lambda: recurrent(timing="luong", attention={"score": "general"}),
    "luong, no input feeding": lambda: recurrent(timing="luong", input_feeding=False),
    "no attention": lambda: recurrent(timing="none", layers=2),
    "coverage": lambda: recurrent(attention={"score": "additive", "feedback": "coverage"}),
    "local-p": lambda: recurrent(
        timing="luong", attention={"score": "general", "locality": "local_p(3)"}
    ),
    "transformer": transformer,
    "transformer, pre-norm": lambda: transformer(norm="pre", activation="swiglu", tie="nothing"),
    "transformer, grouped queries": lambda: transformer(key_value_heads=1, encoding="learned"),
    "transformer, relative": lambda: transformer(
        encoder={"score": "rotary(scaled_dot)"},
        decoder={"score": "scaled_dot", "bias": "shaw(3)"},
        encoding="no_encoding",
        activation="gelu",
    ),
    "transformer, all additive": lambda: transformer(
        encoder={"score": "additive"}, decoder={"score": "additive"}, cross={"score": "additive"}
    ),
}

# Variations of the others: they run with -m slow.
SLOW = {"luong, no input feeding", "local-p", "transformer", "transformer, all additive"}

__all__ = ["SCORES", "SLOW", "STRUCTURES", "make_attention"]


def sentences(seed, *lengths):
    """Random sentences of these lengths, END included."""
    rng = np.random.default_rng(seed)
    return [np.append(rng.integers(4, VOCABULARY, n - 1), END).astype(np.int32) for n in lengths]


def padded(ids, length):
    return jnp.asarray(np.append(ids, [PAD] * (length - len(ids))).astype(np.int32))


def example(source, target):
    return {"source": jnp.asarray(source), "target": jnp.asarray(target)}


def params_of(model, seed=0):
    """Parameters large enough for every path to be heard in the logits."""
    params = model.init(jax.random.key(seed))
    return jax.tree.map(lambda x: 2.0 * x, params)
