"""The models of the default configs as dicts, with the meaning of each field."""

from typing import Any


def patches(score: str = "scaled_dot") -> dict[str, Any]:
    """Returns the config of a small Transformer over patches of an image."""
    model = transformer(score)
    encoder = {**model["encoder"], "kind": "patches", "stride": 8}  # pixels of a patch's side
    return {**model, "encoder": encoder, "tie": "output"}


def convolutional() -> dict[str, Any]:
    """Returns the config of a small convolutional encoder of images."""
    return {
        "kind": "convolutional",
        "features": 128,  # of a cell
        "stride": 8,  # pixels of a cell's side, a power of two
        "kernel": 4,  # positions that a convolution reads along each axis
        "encoding": "learned",  # of rows and columns
        "positions": 64,  # the most rows and columns of a table of positions
    }


def over_frames() -> dict[str, Any]:
    """Returns the config of a small recurrent encoder of frames, which convolutions shorten first."""
    return {
        "kind": "recurrent",
        "cell": "lstm",
        "reads": "frames",
        "stride": 8,  # frames that one state replaces, a power of two
        "embedding": 128,  # features of the convolutions
        "features": 256,  # of a state, both directions together
        "layers": 1,
    }


def pyramidal() -> dict[str, Any]:
    """Returns the config of a small pyramidal encoder of frames."""
    return {
        "kind": "pyramidal",
        "cell": "lstm",
        "features": 256,  # of a state, both directions together
        "joins": 3,  # layers that halve the number of states
    }


def gpt(score: str = "scaled_dot") -> dict[str, Any]:
    """Returns the config of a small decoder alone, with the details of GPT-2 (Radford et al. 2019)."""
    return {
        "encoder": {"kind": "nothing"},
        "decoder": {
            **transformer_stack(score),
            "encoding": "learned",
            "features": 128,
            "feed_forward": 512,
            "layers": 4,
            "activation": "gelu_exact",
            "epsilon": 1e-5,
            "init": "gpt2",
            "positions": 64,
        },
        "tie": "output",
        "embeddings": {**embeddings(), "scaled": False, "init": "gpt2"},
    }


def recurrent(decoder: str = "bahdanau", score: str = "additive") -> dict[str, Any]:
    """Returns the config of a recurrent encoder with one of the decoders fixed, bahdanau and luong."""
    return {
        "encoder": {
            "kind": "recurrent",
            "cell": "gru",
            "embedding": 256,
            "features": 512,  # the size of a state, both directions together
            "layers": 1,
        },
        "decoder": {
            "kind": decoder,
            "cell": "gru",
            "attention": attention(score),
            "input_feeding": True,  # a field of luong
            "gate": False,  # a field of bahdanau: whether the state scales the context
            "readout": "tanh",  # a field of bahdanau and fixed: tanh, maxout or linear
            "initial_memory": False,  # a field of an LSTM: whether c_0 is made from the source, or 0
            "doubly_stochastic": 0.0,  # the weight of a penalty on states that are not attended to once
            "hard": False,  # whether each step reads one place, which is drawn in training
            "hard_expected": 1.0,  # the weights of the terms of its objective: expected contexts,
            "hard_reinforce": 1.0,  # the estimated gradient of where to look,
            "hard_entropy": 0.01,  # and a bonus for the entropy of the weights
            "embedding": 256,
            "hidden": 256,
            "layers": 1,
            "positions": 512,
            "recompute": False,  # rematerialize a step's activations in the backward pass, to save memory
        },
        "tie": "all",
        "embeddings": embeddings(),
    }


def transformer(score: str = "scaled_dot") -> dict[str, Any]:
    """Returns the config of a small Transformer."""
    return {
        "encoder": transformer_stack(score),
        "decoder": {**transformer_stack(score), "cross": attention(score)},
        "tie": "all",
        "embeddings": embeddings(),
    }


def embeddings() -> dict[str, Any]:
    """Returns the scales of embeddings and logits, the fields of attention_lab.models.embeddings.Scales."""
    return {
        "scaled": True,  # embeddings are multiplied by sqrt(D)
        "init": "lecun",  # their initial scale: lecun 1 / sqrt(D), normal and gpt2 .02, t5 1
        "divided_logits": False,  # logits are divided by sqrt(D)
        "logits_bias": False,  # a bias is added to logits
        "copies": [],  # pairs of ids, of which the first is read as the second, and never written
    }


def transformer_stack(score: str) -> dict[str, Any]:
    """Returns the config of a small Transformer's encoder, or of its decoder without cross-attention.

    attention_lab.models.shape.Shape documents the fields.
    """
    return {
        "kind": "transformer",
        "attention": attention(score),
        "encoding": "sinusoidal",
        "features": 256,
        "heads": 4,
        "key_value_heads": None,
        "key_size": None,
        "value_size": None,
        "projection_bias": False,
        "feed_forward": 1024,
        "layers": 3,
        "activation": "relu",
        "feed_forward_bias": True,
        "norm": "pre",
        "norm_kind": "layer",
        "norm_bias": True,
        "epsilon": 1e-6,
        "embedding_norm": False,
        "shared_bias": False,
        "init": "lecun",
        "attention_dropout": False,
        "positions": 512,
        "recompute": False,  # rematerialize a layer's activations in the backward pass, to save memory
    }


def attention(score: str) -> dict[str, Any]:
    """Returns the names of a mechanism's pieces; see attention_lab.mechanism.registry."""
    return {
        "score": score,
        "normalize": "softmax",
        "mask": "everything",
        "bias": "no_bias",
        "locality": "global_",
        "feedback": "no_feedback",
    }
