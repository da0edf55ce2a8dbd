"""GPT-2, T5, BART and PEGASUS against the library transformers, on shared random weights.

    pip install -r requirements-peers.txt && python -m pytest -m slow tests/models/peers_test.py

The models are the named ones, with small sizes.
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
from attention_lab.pretrained.architectures import ARCHITECTURES
from attention_lab.pretrained.names import linear
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


# --- Theirs and ours ---------------------------------------------------------------------------------


class Peer(NamedTuple):
    """A named model, and theirs: the architecture, the classes of its config and of the model, and what the config is told."""

    architecture: str
    config: str
    model: str
    options: dict[str, Any]

    @property
    def names(self):
        """What each parameter of ours is called."""
        return ARCHITECTURES[self.architecture].names(self.options)


T5 = {"d_model": D, "d_kv": KEY, "d_ff": F, "num_layers": N, "num_heads": H}
T5 |= {"relative_attention_num_buckets": 8, "relative_attention_max_distance": 20}
BART: dict[str, Any] = {"d_model": D, "max_position_embeddings": P, "num_hidden_layers": N}
for side in ("encoder", "decoder"):
    BART |= {f"{side}_layers": N, f"{side}_attention_heads": H, f"{side}_ffn_dim": F}
PEERS = {
    "gpt2": Peer(
        "gpt2",
        "GPT2Config",
        "GPT2LMHeadModel",
        {"n_embd": D, "n_head": H, "n_inner": F, "n_layer": N, "n_positions": P},
    ),
    "t5_1_0_small": Peer("t5", "T5Config", "T5ForConditionalGeneration", T5),
    "t5_1_1_small": Peer(
        "t5",
        "T5Config",
        "T5ForConditionalGeneration",
        {**T5, "feed_forward_proj": "gated-gelu", "tie_word_embeddings": False},
    ),
    "bart_base": Peer("bart", "BartConfig", "BartForConditionalGeneration", BART),
    "pegasus_base": Peer(
        "pegasus",
        "PegasusConfig",
        "PegasusForConditionalGeneration",
        {**BART, "scale_embedding": True, "activation_function": "relu"},
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
    if name == "gpt2":
        state = dict(pair for path, x in state.items() for pair in linear(path, x))
    return model, state


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
    params, used = converted(shapes, peer.names, state)
    unused = ARCHITECTURES[peer.architecture].unused
    left = {path for path in set(state) - used if not path.endswith(unused)}
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
