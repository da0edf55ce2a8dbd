"""GPT-2, T5, BART and PEGASUS against the library transformers, on shared random weights.

    pip install -r requirements-peers.txt && python -m pytest -m slow tests/models/peers_test.py

The models are the named ones, with small sizes. A table says by what name transformers has each of our parameters.
"""

import re
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from attention_lab.mechanism.registry import choose
from attention_lab.models import make_model
from attention_lab.padded import Padded
from attention_lab.runs import named

# Their libraries warn of what is theirs.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

V, D, H, F, N, P = 37, 16, 4, 24, 2, 64  # P: more positions than T5's buckets tell apart
KEY = 6  # d_k of T5, which is not D / H
BUCKETS = {"encoder": "t5(8, 20, True)", "decoder": "t5(8, 20, False)"}
REASON = "a comparison with transformers needs pip install -r requirements-peers.txt"


@pytest.fixture(scope="module")
def torch():
    # Imported here and not above: it takes seconds, which a session that runs other tests need not pay.
    pytest.importorskip("transformers", reason=REASON)
    return pytest.importorskip("torch", reason=REASON)


# --- What theirs is called ---------------------------------------------------------------------------


# The sublayer around each attention.
AROUND = {
    "attend": "around_attend",
    "attend_past": "around_past",
    "attend_source": "around_source",
}


def attention(ours, theirs, query="q", key="k", value="v", output="o"):
    names = {"Q": query, "K": key, "V": value, "O": output}
    weights = {f"{ours}/heads/W_{x}": f"{theirs}.{name}.weight" for x, name in names.items()}
    biases = {f"{ours}/heads/b_{x}": f"{theirs}.{name}.bias" for x, name in names.items()}
    return weights | biases


def norm(ours, theirs):
    return {f"{ours}/scale": f"{theirs}.weight", f"{ours}/bias": f"{theirs}.bias"}


def dense(ours, theirs):
    return {f"{ours}/kernel": f"{theirs}.weight", f"{ours}/bias": f"{theirs}.bias"}


def gpt2_names():
    block, layer = "transformer.h.{n}", "decoder/layer_{n}"
    return {
        "embeddings/target": "transformer.wte.weight",
        "decoder/positions/table": "transformer.wpe.weight",
        **norm(f"{layer}/around_past/norm", f"{block}.ln_1"),
        **attention(f"{layer}/attend_past", f"{block}.attn"),
        **norm(f"{layer}/around_feed/norm", f"{block}.ln_2"),
        **dense(f"{layer}/feed/W_1", f"{block}.mlp.c_fc"),
        **dense(f"{layer}/feed/W_2", f"{block}.mlp.c_proj"),
        **norm("decoder/norm", "transformer.ln_f"),
    }


def gpt2_linear(state):
    """Their Conv1D has W [in, out], and one for q, k and v: as Linear has them, each by itself."""
    linear = {}
    for name, x in state.items():
        if ".attn.c_attn." in name:
            for letter, part in zip("qkv", np.split(x, 3, axis=-1), strict=True):
                linear[name.replace("c_attn", letter)] = part.T
        elif ".attn.c_proj." in name:
            linear[name.replace("c_proj", "o")] = x.T
        else:
            linear[name] = x.T if ".mlp." in name else x
    return linear


def t5_names():
    feed = {"encoder": 1, "decoder": 2}
    names: dict[str, str] = {
        "embeddings/target": "shared.weight",
        "embeddings/output": "lm_head.weight",
        **attention("decoder/layer_{n}/attend_source", "decoder.block.{n}.layer.1.EncDecAttention"),
        **norm("decoder/layer_{n}/around_source/norm", "decoder.block.{n}.layer.1.layer_norm"),
    }
    for side, own in (("encoder", "attend"), ("decoder", "attend_past")):
        layer, block = f"{side}/layer_{{n}}", f"{side}.block.{{n}}.layer"
        forward = f"{block}.{feed[side]}"
        shared = f"{side}.block.0.layer.0.SelfAttention.relative_attention_bias.weight"
        names |= {
            f"{side}/bias/heads/attention/bias/table": shared,
            **attention(f"{layer}/{own}", f"{block}.0.SelfAttention"),
            **norm(f"{layer}/{AROUND[own]}/norm", f"{block}.0.layer_norm"),
            **norm(f"{layer}/around_feed/norm", f"{forward}.layer_norm"),
            **norm(f"{side}/norm", f"{side}.final_layer_norm"),
            **dense(f"{layer}/feed/W_1", f"{forward}.DenseReluDense.wi"),
            **dense(f"{layer}/feed/W_2", f"{forward}.DenseReluDense.wo"),
        }
    return names


def t5_gated_names():
    names = t5_names()
    for side, number in (("encoder", 1), ("decoder", 2)):
        forward = f"{side}.block.{{n}}.layer.{number}.DenseReluDense"
        for ours, theirs in (("W_1", "wi_0"), ("W_3", "wi_1")):
            names |= dense(f"{side}/layer_{{n}}/feed/{ours}", f"{forward}.{theirs}")
    return names


def bart_names():
    """PEGASUS' names too."""
    names: dict[str, str] = {"embeddings/target": "model.shared.weight"}
    places = {
        "encoder": {"attend": "self_attn"},
        "decoder": {"attend_past": "self_attn", "attend_source": "encoder_attn"},
    }
    projections = [f"{x}_proj" for x in ("q", "k", "v", "out")]
    for side, own in places.items():
        layer, block = f"{side}/layer_{{n}}", f"model.{side}.layers.{{n}}"
        names |= {
            f"{side}/positions/table": f"model.{side}.embed_positions.weight",
            **norm(f"{side}/embedding_norm", f"model.{side}.layernorm_embedding"),
            **norm(f"{layer}/around_feed/norm", f"{block}.final_layer_norm"),
            **dense(f"{layer}/feed/W_1", f"{block}.fc1"),
            **dense(f"{layer}/feed/W_2", f"{block}.fc2"),
            **norm(f"{side}/norm", f"model.{side}.layer_norm"),
        }
        for ours, theirs in own.items():
            names |= attention(f"{layer}/{ours}", f"{block}.{theirs}", *projections)
            names |= norm(f"{layer}/{AROUND[ours]}/norm", f"{block}.{theirs}_layer_norm")
    return names


# --- Theirs and ours ---------------------------------------------------------------------------------


class Peer(NamedTuple):
    """A named model, and theirs: the classes of its config and of the model, and what the config is told.

    unused: what ours lacks: biases of keys, which no logit depends on, and tables of constants.
    """

    names: Any
    config: str
    model: str
    options: dict[str, Any]
    unused: str = r"$."


T5 = {"d_model": D, "d_kv": KEY, "d_ff": F, "num_layers": N, "num_heads": H}
T5 |= {"relative_attention_num_buckets": 8, "relative_attention_max_distance": 20}
BART: dict[str, Any] = {"d_model": D, "max_position_embeddings": P, "num_hidden_layers": N}
for side in ("encoder", "decoder"):
    BART |= {f"{side}_layers": N, f"{side}_attention_heads": H, f"{side}_ffn_dim": F}
PEERS = {
    "gpt2": Peer(
        gpt2_names,
        "GPT2Config",
        "GPT2LMHeadModel",
        {"n_embd": D, "n_head": H, "n_inner": F, "n_layer": N, "n_positions": P},
        r"attn\.k\.bias",
    ),
    "t5_1_0_small": Peer(t5_names, "T5Config", "T5ForConditionalGeneration", T5),
    "t5_1_1_small": Peer(
        t5_gated_names,
        "T5Config",
        "T5ForConditionalGeneration",
        {**T5, "feed_forward_proj": "gated-gelu", "tie_word_embeddings": False},
    ),
    "bart_base": Peer(
        bart_names, "BartConfig", "BartForConditionalGeneration", BART, r"k_proj\.bias"
    ),
    "pegasus_base": Peer(
        bart_names,
        "PegasusConfig",
        "PegasusForConditionalGeneration",
        {**BART, "scale_embedding": True, "activation_function": "relu"},
        r"k_proj\.bias|embed_positions",
    ),
}


def their_model(torch, name):
    """Theirs, with random numbers in place of all parameters, and its parameters by name."""
    import transformers

    peer = PEERS[name]
    config = getattr(transformers, peer.config)(vocab_size=V, **peer.options)
    model = getattr(transformers, peer.model)(config).eval()
    if name == "t5_1_1_small":  # of its own in the checkpoints of version 1.1; a new model ties it
        model.lm_head.weight = torch.nn.Parameter(torch.zeros(V, D))
    generator = torch.Generator().manual_seed(0)
    for path, x in model.named_parameters():
        if x.requires_grad:  # else it is a table of constants: PEGASUS' positions
            torch.nn.init.normal_(x, 0.0, 0.2, generator)
        if x.ndim == 1 and path.endswith("weight"):
            torch.nn.init.normal_(x, 1.0, 0.3, generator)
    state = {path: x.detach().numpy() for path, x in model.named_parameters()}
    return model, gpt2_linear(state) if name == "gpt2" else state


def our_model(name):
    """The named model with small sizes."""
    model = named.model(name)
    small = {"features": D, "heads": H, "feed_forward": F, "layers": N, "positions": P}
    for side in ("encoder", "decoder"):
        if model[side]["kind"] == "transformer":
            model[side] |= small
            if name.startswith("t5"):
                model[side]["key_size"] = KEY
                model[side]["attention"] = {**model[side]["attention"], "bias": BUCKETS[side]}
    return make_model(V, V, **model)


def converted(shapes, names, state):
    """Our parameters from theirs, and the names of those that were used."""
    used = set()

    def leaf(path, x):
        ours = jax.tree_util.keystr(path, simple=True, separator="/")
        number = re.search(r"layer_(\d+)", ours)
        theirs = names[re.sub(r"layer_\d+", "layer_{n}", ours)]
        theirs = theirs.format(n=number and number[1])
        used.add(theirs)
        value = state[theirs]
        if ours.endswith("kernel") or "/bias/heads/" in ours:
            value = value.T  # W x for x W; [buckets, H] for [H, buckets]
        if ours.endswith("positions/table"):
            value = value[-len(x) :]  # BART's first two rows are read by no position
        assert value.size == x.size, f"{ours} {x.shape}, {theirs} {value.shape}"
        return jnp.asarray(value.reshape(x.shape), jnp.float32)

    return jax.tree_util.tree_map_with_path(leaf, shapes), used


SOURCES, TARGETS = (45, 31), (33, 40)


def padded(lengths, seed):
    rng = np.random.default_rng(seed)
    valid = np.arange(max(lengths)) < np.array(lengths)[:, None]
    return Padded(np.where(valid, rng.integers(4, V, valid.shape), 0), valid)


@pytest.mark.parametrize("name", PEERS)
def test_a_named_model_has_the_logits_of_transformers(name, torch):
    peer, source, target = PEERS[name], padded(SOURCES, 1), padded(TARGETS, 2)
    theirs, state = their_model(torch, name)
    model = our_model(name)
    shapes = jax.eval_shape(model.init, jax.random.key(0))
    params, used = converted(shapes, peer.names(), state)
    left = {path for path in set(state) - used if not re.search(peer.unused, path)}
    assert not left, "parameters of theirs that ours lacks"

    inputs = np.roll(target.values, 1, axis=1)  # whatever the decoder reads
    read, seen = torch.tensor(inputs), torch.tensor(target.valid)
    if name == "gpt2":
        asked = {"input_ids": read, "attention_mask": seen}
    else:
        asked = {
            "input_ids": torch.tensor(source.values),
            "attention_mask": torch.tensor(source.valid),
            "decoder_input_ids": read,
        }
    with torch.no_grad():
        expected = theirs(**asked).logits.numpy()

    batch = {"source": source, "target": target, "inputs": inputs}
    batch = jax.tree.map(jnp.asarray, batch)
    found = jax.jit(jax.vmap(lambda example: model.apply(params, example).logits))(batch)
    assert found.dtype == jnp.float32 and np.std(expected) > 0.1
    for row, length in enumerate(TARGETS):
        np.testing.assert_allclose(found[row, :length], expected[row, :length], rtol=0, atol=1e-5)


@pytest.mark.parametrize("bidirectional", [True, False])
def test_relative_biases_are_those_of_transformers_beyond_their_greatest_distance(
    bidirectional, torch
):
    from transformers import T5Config
    from transformers.models.t5.modeling_t5 import T5Attention

    length = 300
    config = T5Config(num_heads=1, is_decoder=not bidirectional)
    theirs = T5Attention(config, has_relative_attention_bias=True, layer_idx=0)
    table = theirs.relative_attention_bias.weight.detach().numpy()[:, 0]
    expected = theirs.compute_bias(length, length)[0, 0].detach().numpy()
    bias = choose("bias", f"t5(32, 128, {bidirectional})")
    positions = jnp.arange(length)
    params = {"table": jnp.asarray(table)}
    pair = jax.vmap(lambda i: jax.vmap(lambda j: bias.pair(params, (), i, j))(positions))
    np.testing.assert_array_equal(jax.jit(pair)(positions), expected)
    assert len(np.unique(expected)) == 32 - bidirectional  # the bucket of distance −0 is unused
