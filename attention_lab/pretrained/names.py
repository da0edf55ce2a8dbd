"""What the parameters of pre-trained models are called: for the path of each of ours, the name of theirs.

The names have {n} for the number of a layer. A matrix of theirs is W of W x, ours that of x W; GPT-2's, whose Conv1D has
x W, and whose projections of queries, keys and values are one, are brought into the form of the others by `linear`.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

Config = Mapping[str, Any]
Names = dict[str, str]
# The sublayer around each attention.
AROUND = MappingProxyType(
    {
        "attend": "around_attend",
        "attend_past": "around_past",
        "attend_source": "around_source",
    }
)


def _attention(ours, theirs, query="q", key="k", value="v", output="o"):
    names = {"Q": query, "K": key, "V": value, "O": output}
    weights = {f"{ours}/heads/W_{x}": f"{theirs}.{name}.weight" for x, name in names.items()}
    return weights | {f"{ours}/heads/b_{x}": f"{theirs}.{name}.bias" for x, name in names.items()}


def _norm(ours, theirs):
    return {f"{ours}/scale": f"{theirs}.weight", f"{ours}/bias": f"{theirs}.bias"}


def _dense(ours, theirs):
    return {f"{ours}/kernel": f"{theirs}.weight", f"{ours}/bias": f"{theirs}.bias"}


def gpt2_names(config: Config) -> Names:
    """Returns the names of GPT-2."""
    del config
    block, layer = "transformer.h.{n}", "decoder/layer_{n}"
    return {
        "embeddings/target": "transformer.wte.weight",
        "embeddings/output": "lm_head.weight",
        "decoder/positions/table": "transformer.wpe.weight",
        **_norm(f"{layer}/around_past/norm", f"{block}.ln_1"),
        **_attention(f"{layer}/attend_past", f"{block}.attn"),
        **_norm(f"{layer}/around_feed/norm", f"{block}.ln_2"),
        **_dense(f"{layer}/feed/W_1", f"{block}.mlp.c_fc"),
        **_dense(f"{layer}/feed/W_2", f"{block}.mlp.c_proj"),
        **_norm("decoder/norm", "transformer.ln_f"),
    }


def linear(name: str, tensor: np.ndarray, conv1d: bool = True) -> list[tuple[str, np.ndarray]]:
    """Returns a tensor of GPT-2 under the names and in the form of the other architectures: W of W x; q, k and v apart.

    conv1d: whether matrices are those of x W, as in transformers; nanoGPT's are not. A name may have the prefix that
    torch.compile gives it.
    """
    name = name.removeprefix("_orig_mod.")
    tensor = tensor.T if conv1d and _of_layer(name) else tensor
    if ".attn.c_attn." in name:
        parts = np.split(tensor, 3)
        return [(name.replace("c_attn", x), part) for x, part in zip("qkv", parts, strict=True)]
    return [(name.replace(".attn.c_proj.", ".attn.o."), tensor)]


def joined(state: Mapping[str, np.ndarray], conv1d: bool = True) -> dict[str, np.ndarray]:
    """Returns tensors in the form of GPT-2: the inverse of `linear`."""
    found = {}
    for own, tensor in state.items():
        name = own
        if (letter := own.rsplit(".", 2)[-2]) in "qkv" and ".attn." in own:
            if letter != "q":
                continue
            name = own.replace(".q.", ".c_attn.")
            tensor = np.concatenate([state[own.replace(".q.", f".{x}.")] for x in "qkv"])
        name = name.replace(".attn.o.", ".attn.c_proj.")
        found[name] = tensor.T if conv1d and _of_layer(name) else tensor
    return found


def _of_layer(name: str) -> bool:
    return ".attn." in name or ".mlp." in name


def t5_names(config: Config) -> Names:
    """Returns the names of T5, whose gated layers have a third matrix."""
    gated = str(config.get("feed_forward_proj", "relu")).startswith("gated")
    feed = {"encoder": 1, "decoder": 2}
    names: Names = {
        "embeddings/target": "shared.weight",
        "embeddings/output": "lm_head.weight",
        **_attention(
            "decoder/layer_{n}/attend_source", "decoder.block.{n}.layer.1.EncDecAttention"
        ),
        **_norm("decoder/layer_{n}/around_source/norm", "decoder.block.{n}.layer.1.layer_norm"),
    }
    for side, own in (("encoder", "attend"), ("decoder", "attend_past")):
        layer, block = f"{side}/layer_{{n}}", f"{side}.block.{{n}}.layer"
        forward = f"{block}.{feed[side]}"
        shared = f"{side}.block.0.layer.0.SelfAttention.relative_attention_bias.weight"
        inner = f"{forward}.DenseReluDense"
        names |= {
            f"{side}/bias/heads/attention/bias/table": shared,
            **_attention(f"{layer}/{own}", f"{block}.0.SelfAttention"),
            **_norm(f"{layer}/{AROUND[own]}/norm", f"{block}.0.layer_norm"),
            **_norm(f"{layer}/around_feed/norm", f"{forward}.layer_norm"),
            **_norm(f"{side}/norm", f"{side}.final_layer_norm"),
            **_dense(f"{layer}/feed/W_1", f"{inner}.{'wi_0' if gated else 'wi'}"),
            **_dense(f"{layer}/feed/W_2", f"{inner}.wo"),
        }
        if gated:
            names |= _dense(f"{layer}/feed/W_3", f"{inner}.wi_1")
    return names


def bart_names(config: Config) -> Names:
    """Returns the names of BART, PEGASUS and Marian."""
    del config
    names: Names = {
        "embeddings/target": "model.shared.weight",
        "embeddings/output": "lm_head.weight",
        "embeddings/bias": "final_logits_bias",
    }
    places = {
        "encoder": {"attend": "self_attn"},
        "decoder": {"attend_past": "self_attn", "attend_source": "encoder_attn"},
    }
    projections = [f"{x}_proj" for x in ("q", "k", "v", "out")]
    for side, own in places.items():
        layer, block = f"{side}/layer_{{n}}", f"model.{side}.layers.{{n}}"
        names |= {
            f"{side}/positions/table": f"model.{side}.embed_positions.weight",
            **_norm(f"{side}/embedding_norm", f"model.{side}.layernorm_embedding"),
            **_norm(f"{layer}/around_feed/norm", f"{block}.final_layer_norm"),
            **_dense(f"{layer}/feed/W_1", f"{block}.fc1"),
            **_dense(f"{layer}/feed/W_2", f"{block}.fc2"),
            **_norm(f"{side}/norm", f"model.{side}.layer_norm"),
        }
        for ours, theirs in own.items():
            names |= _attention(f"{layer}/{ours}", f"{block}.{theirs}", *projections)
            names |= _norm(f"{layer}/{AROUND[ours]}/norm", f"{block}.{theirs}_layer_norm")
    return names
