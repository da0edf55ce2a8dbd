"""Which model of ours the config.json of a pre-trained model describes."""

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from attention_lab.models import default_models
from attention_lab.models.base import look_up
from attention_lab.pretrained.names import (
    Config,
    Names,
    bart_names,
    gpt2_names,
    joined,
    linear,
    t5_names,
)
from attention_lab.pretrained.vocabulary import Specials

# transformers' names of activations.
ACTIVATIONS = MappingProxyType(
    {
        "relu": "relu",
        "gelu": "gelu_exact",
        "gelu_new": "gelu",
        "gelu_pytorch_tanh": "gelu",
        "silu": "silu",
        "swish": "silu",
    }
)
GATED = MappingProxyType(
    {"relu": "relu", "gated-gelu": "geglu", "gated-silu": "swiglu", "gelu": "gelu_exact"}
)


class Architecture(NamedTuple):
    """model: (config) -> the words of `make_model`. names: (config) -> what each parameter of ours is called.

    specials: (config) -> the ids of special tokens. expected: values of the config that the model needs, where it has them.
    unused: the ends of names of tensors that ours lacks: biases of keys, which no weight depends on, and constants.
    skipped: the rows of tables of positions that no position reads. form: (name, tensor) -> the names and tensors in the
    form of the others; back: its inverse, of all tensors together.
    """

    model: Callable[[Config], dict[str, Any]]
    names: Callable[[Config], Names]
    specials: Callable[[Config], Specials]
    expected: Mapping[str, Any] = MappingProxyType({})
    unused: tuple[str, ...] = ()
    skipped: int = 0
    form: Callable[[str, np.ndarray], list[tuple[str, np.ndarray]]] = lambda name, x: [(name, x)]
    back: Callable[[Mapping[str, np.ndarray]], dict[str, np.ndarray]] = dict


def architecture_of(config: Config) -> Architecture:
    """Returns the architecture of a config. Raises ValueError if it is unknown, or has options that ours lacks."""
    kind = str(config.get("model_type"))
    if kind not in ARCHITECTURES:
        raise ValueError(
            f"the architecture {kind!r} is not known; known are {', '.join(ARCHITECTURES)}"
        )
    found = ARCHITECTURES[kind]
    for field, value in found.expected.items():
        if config.get(field, value) != value:
            raise ValueError(
                f"{kind} with {field}={config[field]!r} is not supported, only {field}={value!r}"
            )
    return found


def _number(config, field):
    """The value of a field that must be there."""
    if type(config.get(field)) is not int:
        raise ValueError(f"there is no whole number {field!r}")
    return config[field]


def _model(config, sides, tie, embeddings, score="scaled_dot", **both):
    model = default_models.transformer(score)
    for side, own in sides.items():
        model[side] |= {**both, **own, "attention_dropout": True}
    scales = {**model["embeddings"], **embeddings}
    return {**model, "tie": tie, "embeddings": scales}


def _gpt2_model(config: Config) -> dict[str, Any]:
    features, layers = _number(config, "n_embd"), _number(config, "n_layer")
    decoder = {
        "features": features,
        "layers": layers,
        "heads": _number(config, "n_head"),
        "feed_forward": config.get("n_inner") or 4 * features,
        "positions": _number(config, "n_positions"),
    }
    model = _model(
        config,
        {"decoder": decoder},
        "output" if config.get("tie_word_embeddings", True) else "nothing",
        {"scaled": False, "init": "gpt2"},
        encoding="learned",
        norm="pre",
        epsilon=config.get("layer_norm_epsilon", 1e-5),
        activation=look_up(
            "activation", ACTIVATIONS, config.get("activation_function", "gelu_new")
        ),
        projection_bias=True,
        init="gpt2",
    )
    return {**model, "encoder": {"kind": "nothing"}}


def _nanogpt_model(config: Config) -> dict[str, Any]:
    told = {**config, "n_positions": _number(config, "block_size"), "activation_function": "gelu"}
    model, bias = _gpt2_model(told), bool(config.get("bias", True))
    fields = ("projection_bias", "feed_forward_bias", "norm_bias")
    model["decoder"] = model["decoder"] | dict.fromkeys(fields, bias)
    return model


def _t5_model(config: Config) -> dict[str, Any]:
    # Version 1.0 scales what its tied table multiplies; the config of 1.1 says so in either of two ways.
    tied = config.get("scale_decoder_outputs", config.get("tie_word_embeddings") is not False)
    buckets = config.get("relative_attention_num_buckets", 32)
    farthest = config.get("relative_attention_max_distance", 128)
    layers = _number(config, "num_layers")
    both = {
        "features": _number(config, "d_model"),
        "heads": _number(config, "num_heads"),
        "key_size": _number(config, "d_kv"),
        "feed_forward": _number(config, "d_ff"),
    }
    sides = {
        "encoder": {**both, "layers": layers},
        "decoder": {**both, "layers": config.get("num_decoder_layers") or layers},
    }
    model = _model(
        config,
        sides,
        "all" if tied else "inputs",
        {"scaled": False, "init": "t5", "divided_logits": tied},
        score="dot",
        encoding="no_encoding",
        norm="pre",
        norm_kind="rms",
        epsilon=config.get("layer_norm_epsilon", 1e-6),
        activation=look_up("feed_forward_proj", GATED, config.get("feed_forward_proj", "relu")),
        feed_forward_bias=False,
        shared_bias=True,
        init="t5",
    )
    for side, both_ways in (("encoder", True), ("decoder", False)):
        bias = f"t5({buckets}, {farthest}, {both_ways})"
        model[side]["attention"] = {**model[side]["attention"], "bias": bias}
    return model


def _bart_model(config: Config, **options: Any) -> dict[str, Any]:
    """options: what differs in PEGASUS and Marian."""
    features, positions = _number(config, "d_model"), _number(config, "max_position_embeddings")
    sides = {
        side: {
            "features": features,
            "positions": positions,
            "layers": _number(config, f"{side}_layers"),
            "heads": _number(config, f"{side}_attention_heads"),
            "feed_forward": _number(config, f"{side}_ffn_dim"),
        }
        for side in ("encoder", "decoder")
    }
    return _model(
        config,
        sides,
        "all" if config.get("tie_word_embeddings", True) else "inputs",
        {
            "scaled": bool(config.get("scale_embedding", False)),
            "init": "normal",
            "logits_bias": True,
        },
        epsilon=1e-5,
        activation=look_up("activation", ACTIVATIONS, config.get("activation_function", "gelu")),
        projection_bias=True,
        init="normal",
        **options,
    )


def _bart(config: Config) -> dict[str, Any]:
    return _bart_model(config, encoding="learned", norm="post", embedding_norm=True)


def _pegasus(config: Config) -> dict[str, Any]:
    return _bart_model(config, encoding="sinusoidal(halves=True)", norm="pre")


def _marian(config: Config) -> dict[str, Any]:
    return _bart_model(config, encoding="sinusoidal(halves=True)", norm="post")


def _first(config, *fields):
    """The first of the fields that has an id."""
    found = (config[field] for field in fields if isinstance(config.get(field), int))
    return next(found, None)


def _of_decoder(config: Config) -> Specials:
    end = _first(config, "eos_token_id")
    return Specials(None, None, end if end is not None else _first(config, "bos_token_id"), end)


def _of_pair(unknown: int | None) -> Callable[[Config], Specials]:
    def specials(config):
        pad = _first(config, "pad_token_id")
        return Specials(
            pad,
            unknown,
            _first(config, "decoder_start_token_id", "bos_token_id", "pad_token_id"),
            _first(config, "eos_token_id"),
        )

    return specials


CONSTANT_POSITIONS = "embed_positions.weight"
ARCHITECTURES: Mapping[str, Architecture] = MappingProxyType(
    {
        "gpt2": Architecture(
            _gpt2_model,
            gpt2_names,
            _of_decoder,
            expected={
                "scale_attn_weights": True,
                "scale_attn_by_inverse_layer_idx": False,
                "add_cross_attention": False,
            },
            unused=("attn.k.bias", "attn.bias", "attn.masked_bias"),
            form=linear,
            back=joined,
        ),
        "nanogpt": Architecture(
            _nanogpt_model,
            gpt2_names,
            lambda config: Specials(None, None, 0, None),
            unused=("attn.k.bias", "attn.bias"),
            form=partial(linear, conv1d=False),
            back=partial(joined, conv1d=False),
        ),
        "t5": Architecture(
            _t5_model,
            t5_names,
            _of_pair(2),
            unused=("encoder.embed_tokens.weight", "decoder.embed_tokens.weight"),
        ),
        "bart": Architecture(
            _bart,
            bart_names,
            _of_pair(3),
            expected={"normalize_before": False, "add_final_layer_norm": False},
            unused=("k_proj.bias", "coder.embed_tokens.weight"),
            skipped=2,
        ),
        "pegasus": Architecture(
            _pegasus,
            bart_names,
            _of_pair(None),
            unused=("k_proj.bias", "coder.embed_tokens.weight", CONSTANT_POSITIONS),
        ),
        "marian": Architecture(
            _marian,
            bart_names,
            _of_pair(None),
            expected={"share_encoder_decoder_embeddings": True, "normalize_embedding": False},
            unused=("k_proj.bias", "coder.embed_tokens.weight", CONSTANT_POSITIONS),
        ),
    }
)
