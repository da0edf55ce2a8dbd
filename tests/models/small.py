"""Small models of every kind, built from the registries."""

import math

import jax
import jax.numpy as jnp
import numpy as np

from attention_lab.mechanism import PIECES, SCORES, make_attention
from attention_lab.mechanism.registry import sample
from attention_lab.models import make_model
from attention_lab.padded import Padded, pad, size
from attention_lab.special_tokens import END, PAD

VOCABULARY = 19


def recurrent(
    decoder="bahdanau", *, cell="gru", layers=1, tie="nothing", embedding=6, features=8, **words
):
    """words: options of the decoder."""
    both = {"cell": cell, "layers": layers, "embedding": embedding}
    return make_model(
        VOCABULARY,
        VOCABULARY,
        encoder={"kind": "recurrent", "features": features, **both},
        decoder={"kind": decoder, "hidden": 8, "positions": 24, **both, **words},
        tie=tie,
    )


def transformer(*, encoder={}, decoder={}, cross={}, tie="all", embeddings={}, **words):
    """encoder, decoder, cross: the three attentions, encoder None: no source; words: options of both stacks."""
    sizes = {"features": 8, "heads": 2, "feed_forward": 12, "layers": 2, "positions": 24}
    both = {"kind": "transformer", **sizes, **words}
    return make_model(
        VOCABULARY,
        VOCABULARY,
        encoder={"kind": "nothing"} if encoder is None else {**both, "attention": encoder},
        decoder={**both, "attention": decoder, "cross": cross},
        tie=tie,
        embeddings=embeddings,
    )


# A side of each kind, of unlike widths.
SIDES = {
    "encoder": {
        "recurrent": {"embedding": 6, "features": 10},
        "transformer": {"features": 8, "heads": 2, "feed_forward": 12, "layers": 2},
        "nothing": {},
        "convolutional": {"features": 10, "stride": 4},
        "patches": {"features": 8, "heads": 2, "feed_forward": 12, "layers": 1, "stride": 2},
        "pyramidal": {"features": 10, "joins": 2},
    },
    "decoder": {
        **{name: {"embedding": 6, "hidden": 8} for name in ("fixed", "bahdanau", "luong")},
        "transformer": {"features": 12, "heads": 2, "feed_forward": 12, "layers": 2},
    },
}


def pair(encoder, decoder, source={}, **words):
    """The model of an encoder and a decoder of these kinds; source: options of the encoder, words: of the decoder."""
    return make_model(
        VOCABULARY,
        VOCABULARY,
        encoder={"kind": encoder, **SIDES["encoder"][encoder], **source},
        decoder={"kind": decoder, **SIDES["decoder"][decoder], **words},
    )


def names(field):
    return [name for name, entry in PIECES[field].items() if sample(entry) is not None]


# One of every structure: what differs between them is code, not only numbers.
STRUCTURES = {
    "bahdanau": recurrent,
    "bahdanau, 2 layers of lstm": lambda: recurrent(cell="lstm", layers=2, tie="all"),
    "luong": lambda: recurrent("luong", attention={"score": "general"}),
    "luong, no input feeding": lambda: recurrent("luong", input_feeding=False),
    "no attention": lambda: recurrent("fixed", layers=2),
    "coverage": lambda: recurrent(attention={"score": "additive", "feedback": "coverage"}),
    "hard": lambda: recurrent("luong", attention={"score": "general"}, hard=True),
    "local-p": lambda: recurrent("luong", attention={"score": "general", "locality": "local_p(3)"}),
    "transformer to bahdanau": lambda: pair("transformer", "bahdanau"),
    "transformer to luong": lambda: pair("transformer", "luong", attention={"score": "general"}),
    "transformer to fixed": lambda: pair("transformer", "fixed", readout="maxout"),
    "recurrent to transformer": lambda: pair("recurrent", "transformer"),
    "nothing to transformer": lambda: pair("nothing", "transformer"),
    "convolutional to bahdanau": lambda: pair(
        "convolutional",
        "bahdanau",
        {"encoding": "sinusoidal"},
        cell="lstm",
        gate=True,
        readout="linear",
        initial_memory=True,
        doubly_stochastic=0.5,
    ),
    "patches to transformer": lambda: pair("patches", "transformer", {"encoding": "learned"}),
    "pyramidal to luong": lambda: pair("pyramidal", "luong", layers=2),
    "frames, recurrent to bahdanau": lambda: pair(
        "recurrent",
        "bahdanau",
        {"reads": "frames", "stride": 2},
        attention={"score": "additive", "feedback": "location_aware"},
    ),
    "frames, transformer": lambda: pair("transformer", "transformer", {"reads": "frames"}),
    "transformer": transformer,
    "transformer, pre-norm": lambda: transformer(norm="pre", activation="swiglu", tie="nothing"),
    "transformer, grouped queries": lambda: transformer(key_value_heads=1, encoding="learned"),
    "transformer, relative": lambda: transformer(
        encoder={"score": "rotary(scaled_dot)"},
        decoder={"score": "scaled_dot", "bias": "shaw(3)"},
        encoding="no_encoding",
        activation="gelu",
    ),
    # Details of T5, BART and GPT: all options that the others leave at their defaults.
    "transformer, as t5": lambda: transformer(
        encoder={"score": "dot", "bias": "t5(8, 12)"},
        decoder={"score": "dot", "bias": "t5(8, 12, False)"},
        cross={"score": "dot"},
        tie="inputs",
        embeddings={"scaled": False, "divided_logits": True},
        encoding="no_encoding",
        shared_bias=True,
        key_size=6,
        norm="pre",
        norm_kind="rms",
        activation="geglu",
        feed_forward_bias=False,
        init="t5",
    ),
    "transformer, as bart": lambda: transformer(
        encoding="learned",
        projection_bias=True,
        embedding_norm=True,
        epsilon=1e-5,
        activation="gelu_exact",
        layers=1,
    ),
    "transformer, as gpt": lambda: transformer(
        encoder=None,
        decoder={"score": "rotary(qk_norm(scaled_dot))"},
        encoding="no_encoding",
        projection_bias=True,
        norm="pre",
        norm_bias=False,
        activation="relu2",
        feed_forward_bias=False,
        embeddings={"init": "t5"},
        layers=1,
    ),
    "transformer, all additive": lambda: transformer(
        encoder={"score": "additive"}, decoder={"score": "additive"}, cross={"score": "additive"}
    ),
}

# Variations of the others: they run with -m slow.
SLOW = {
    "luong, no input feeding",
    "local-p",
    "transformer",
    "transformer, all additive",
    "transformer to luong",
    "transformer to fixed",
}

__all__ = ["SCORES", "SLOW", "STRUCTURES", "make_attention"]


def sentences(seed, *lengths):
    """Random sentences of these lengths, END included."""
    rng = np.random.default_rng(seed)
    return [np.append(rng.integers(4, VOCABULARY, n - 1), END).astype(np.int32) for n in lengths]


def source_of(model, seed, length):
    """A random source for a model: a sentence, frames [length, F], or an image [length, length − 2, C]."""
    rng = np.random.default_rng(seed)
    if model.reads in ("tokens", "nothing"):
        return sentences(seed, length)[0]
    shape = (length,) if model.reads == "frames" else (length, length - 2)
    return rng.normal(size=(*shape, VOCABULARY)).astype(np.float32)


def padded(ids, length):
    """One sentence, or other source, padded."""
    return jax.tree.map(lambda rows: jnp.asarray(rows[0]), pad([ids], length))


def batch_of(sentences, length):
    """Sentences, padded to one length."""
    return jax.tree.map(jnp.asarray, pad(sentences, length))


def tokens(ids):
    """Ids [.., L] of which those that are PAD are padding."""
    return Padded(jnp.asarray(ids), jnp.asarray(ids) != PAD)


def existing(model, place, width, source, target):
    """Which of the `width` keys of an attention layer exist, for a source that is padded: bool[width]."""
    kept = np.zeros(width, bool)
    if place.startswith("decoder/"):
        kept[: len(target)] = True
    elif model.reads == "image":
        side = math.isqrt(width)
        for y, x in np.ndindex(*source.shape[:2]):
            kept[y // model.stride * side + x // model.stride] = True
    else:
        kept[: math.ceil(len(source) / model.stride)] = True
    return kept


def row(batch, number):
    """One sentence of a batch."""
    return jax.tree.map(lambda x: x[number], batch)


def unpadded(source):
    """A source without padding."""
    ids = np.issubdtype(source.dtype, np.integer)
    return tokens(source) if ids else padded(source, size(source))


def example(source, target):
    """A pair without padding."""
    return {"source": unpadded(np.asarray(source)), "target": tokens(target)}


def drawn(model, seed=0):
    """Parameters in float64, none of which is zero or one: nothing is compiled for them, as it is for `model.init`."""
    rng, shapes = np.random.default_rng(seed), jax.eval_shape(model.init, jax.random.key(0))
    return jax.tree.map(lambda x: 0.5 * rng.normal(size=x.shape), shapes)


def params_of(model, seed=0):
    """Those of `drawn` in the types of the model, so large that every path is heard in the logits."""
    shapes = jax.eval_shape(model.init, jax.random.key(0))
    return jax.tree.map(lambda x, shape: jnp.asarray(x, shape.dtype), drawn(model, seed), shapes)


def named(tree):
    """The leaves of a tree by their paths."""
    return {
        jax.tree_util.keystr(path, simple=True, separator="/"): leaf
        for path, leaf in jax.tree_util.tree_leaves_with_path(tree)
    }


def gradients_of(model, params=None):
    """The gradient of each parameter by its path: dropout on, in a batch of two examples of unlike lengths."""
    sources = [source_of(model, seed, length) for seed, length in ((6, 6), (5, 3))]
    batch = {"source": batch_of(sources, 6), "target": batch_of(sentences(7, 2, 7), 7)}

    def loss(params):
        def one(example, rng):
            output = model.apply(params, example, rng=rng, hyper={"dropout": 0.3})
            return jnp.sum(output.logits**2) + sum((output.losses or {}).values())

        return jnp.sum(jax.vmap(one)(batch, jax.random.split(jax.random.key(1), 2)))

    return named(jax.jit(jax.grad(loss))(params_of(model) if params is None else params))
