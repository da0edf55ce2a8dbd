"""Folders of pre-trained models: what is saved is loaded, and what is wrong is reported before anything is read."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from attention_lab import pretrained
from attention_lab.models import make_model
from attention_lab.pretrained import checkpoints, conversion
from attention_lab.pretrained.architectures import ARCHITECTURES
from attention_lab.pretrained.checkpoints import INDEX, WEIGHTS
from attention_lab.pretrained.names import joined, linear
from attention_lab.pretrained.vocabulary import Specials, order_of
from attention_lab.special_tokens import END, PAD, START, UNKNOWN

pytest.importorskip("safetensors", reason="pre-trained models need pip install safetensors")
from safetensors.numpy import load_file, save_file

V = 11
BART = {"vocab_size": V, "d_model": 8, "max_position_embeddings": 9, "pad_token_id": 1}
BART |= {"bos_token_id": 0, "eos_token_id": 2, "decoder_start_token_id": 2}
for side in ("encoder", "decoder"):
    BART |= {f"{side}_layers": 2, f"{side}_attention_heads": 2, f"{side}_ffn_dim": 12}
T5 = {"vocab_size": V, "d_model": 8, "d_kv": 3, "d_ff": 12, "num_layers": 2, "num_heads": 2}
T5 |= {"pad_token_id": 0, "eos_token_id": 1, "decoder_start_token_id": 0}
CONFIGS = {
    "gpt2": {"vocab_size": V, "n_embd": 8, "n_layer": 2, "n_head": 2, "n_positions": 9}
    | {"bos_token_id": V - 1, "eos_token_id": V - 1},
    "nanogpt": {"n_layer": 2, "n_head": 2, "n_embd": 8, "block_size": 9, "vocab_size": V}
    | {"bias": False},
    "t5": {**T5, "num_decoder_layers": 1},
    "t5 gated": {**T5, "feed_forward_proj": "gated-gelu", "tie_word_embeddings": False},
    "bart": BART,
    "pegasus": {**BART, "scale_embedding": True, "activation_function": "relu"},
    "marian": {**BART, "activation_function": "swish", "pad_token_id": V - 1}
    | {"decoder_start_token_id": V - 1, "eos_token_id": 0},
}


def model_of(name):
    """A model of that name with random parameters."""
    config = {"model_type": name.split()[0], **CONFIGS[name]}
    architecture = ARCHITECTURES[config["model_type"]]
    order = order_of(architecture.specials(config), V)
    words = conversion.words_in(config)
    model = make_model(len(order.theirs), len(order.theirs), **words)
    rng = np.random.default_rng(0)
    shapes = jax.eval_shape(model.init, jax.random.key(0))
    params = jax.tree.map(lambda x: jnp.asarray(rng.normal(size=x.shape), jnp.float32), shapes)
    table, own = params["embeddings"], np.arange(len(order.theirs))
    copy = own.copy()
    copy[~order.written] = order.ours[order.theirs[~order.written]]
    table["target"] = table["target"][copy]  # copies of a token are read like it
    if "output" in table:
        table["output"] = table["output"][copy]
    if "bias" in table:
        table["bias"] = table["bias"][copy]
    return pretrained.Pretrained(config, words, model, params, order)


@pytest.fixture
def bart(tmp_path):
    pretrained.save(model_of("bart"), tmp_path / "bart")
    return tmp_path / "bart"


@pytest.mark.parametrize("name", CONFIGS)
def test_what_is_saved_is_loaded(name, tmp_path):
    before = model_of(name)
    pretrained.save(before, tmp_path / "model")
    after = pretrained.load(tmp_path / "model")
    assert after.config == before.config and after.words == before.words
    assert after.model is before.model
    np.testing.assert_array_equal(after.order.theirs, before.order.theirs)
    for (path, ours), found in zip(
        jax.tree_util.tree_leaves_with_path(before.params),
        jax.tree.leaves(after.params),
        strict=True,
    ):
        np.testing.assert_array_equal(found, ours, err_msg=str(path))


def test_every_architecture_is_saved_and_loaded_here():
    assert {name.split()[0] for name in CONFIGS} == set(ARCHITECTURES)


def test_special_tokens_come_first_and_copies_are_never_written():
    order = order_of(Specials(pad=1, unknown=3, start=2, end=2), 6)
    assert order.theirs.tolist() == [1, 3, 2, 2, 0, 4, 5]
    assert order.written.tolist() == [True, True, False, True, True, True, True]
    assert order.ours.tolist() == [4, PAD, END, UNKNOWN, 5, 6]
    order = order_of(
        Specials(pad=0, unknown=None, start=0, end=1), 4
    )  # as T5, without the unknown token
    assert order.theirs.tolist() == [0, 1, 0, 1, 2, 3]
    assert np.flatnonzero(~order.written).tolist() == [UNKNOWN, START]
    order = order_of(Specials(None, None, 3, 3), 4)  # as GPT-2
    assert order.theirs.tolist() == [3, 3, 3, 3, 0, 1, 2]
    assert np.flatnonzero(order.written).tolist() == [END, 4, 5, 6]
    order = order_of(Specials(None, None, 0, None), 3)  # as nanoGPT's characters
    assert order.theirs.tolist() == [0, 0, 0, 0, 0, 1, 2] and order.ours.tolist() == [4, 5, 6]
    with pytest.raises(ValueError, match="the id of end is 4, and the vocabulary has 4 ids"):
        order_of(Specials(None, None, 3, 4), 4)


def test_gpt2_s_form_is_that_of_the_others_and_back():
    rng = np.random.default_rng(0)
    given = {
        "transformer.h.0.attn.c_attn.weight": rng.normal(size=(4, 12)),
        "transformer.h.0.attn.c_attn.bias": rng.normal(size=12),
        "transformer.h.0.attn.c_proj.weight": rng.normal(size=(4, 4)),
        "transformer.h.0.mlp.c_fc.weight": rng.normal(size=(4, 6)),
        "transformer.wte.weight": rng.normal(size=(5, 4)),
    }
    state = dict(pair for name, x in given.items() for pair in linear(name, x))
    np.testing.assert_array_equal(
        state["transformer.h.0.attn.k.weight"],
        given["transformer.h.0.attn.c_attn.weight"][:, 4:8].T,
    )
    back = joined(state)
    assert set(back) == set(given)
    for name, x in given.items():
        np.testing.assert_array_equal(back[name], x)


def test_nanogpt_is_gpt2_with_linear_layers(tmp_path):
    before = model_of("gpt2")
    pretrained.save(before, tmp_path / "gpt2")
    state = load_file(tmp_path / "gpt2" / WEIGHTS)
    layers = ("c_attn.weight", "c_proj.weight", "c_fc.weight")
    state = {
        f"_orig_mod.{name}": np.ascontiguousarray(x.T) if name.endswith(layers) else x
        for name, x in state.items()
    }
    (tmp_path / "nano").mkdir()
    save_file(state, tmp_path / "nano" / WEIGHTS)
    config = {**CONFIGS["nanogpt"], "model_type": "nanogpt", "bias": True}
    (tmp_path / "nano" / "config.json").write_text(json.dumps(config))
    found = pretrained.load(tmp_path / "nano")
    assert found.words["decoder"]["activation"] == "gelu_exact"
    table = "embeddings"
    for name in set(found.params) - {table}:
        for ours, theirs in zip(
            jax.tree.leaves(found.params[name]), jax.tree.leaves(before.params[name]), strict=True
        ):
            np.testing.assert_array_equal(ours, theirs)
    own = [np.asarray(one.params[table]["target"])[one.order.ours] for one in (found, before)]
    np.testing.assert_array_equal(*own)


def message_of(folder):
    with pytest.raises(ValueError) as caught:
        pretrained.load(folder)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def rewritten(folder, **fields):
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))


def test_a_folder_that_is_incomplete_says_what_it_lacks(bart, tmp_path):
    assert message_of(tmp_path / "none") == f"there is no folder {tmp_path / 'none'}"
    state = load_file(bart / WEIGHTS)
    (bart / WEIGHTS).unlink()
    assert f"{bart} has no {WEIGHTS} and no {INDEX}" in message_of(bart)
    (bart / "pytorch_model.bin").touch()
    assert "in pytorch_model.bin alone, a pickle, which can run any code" in message_of(bart)
    names = {name: f"model-{n % 2}.safetensors" for n, name in enumerate(state)}
    (bart / INDEX).write_text(json.dumps({"weight_map": names}))
    save_file(
        {n: x for n, x in state.items() if names[n].startswith("model-0")},
        bart / "model-0.safetensors",
    )
    assert "lacks model-1.safetensors, of 2 files" in message_of(bart)
    rest = {n: x for n, x in state.items() if names[n].startswith("model-1")}
    save_file(rest, bart / "model-1.safetensors")
    pretrained.load(bart)  # complete, in two files
    save_file(dict(list(rest.items())[1:]), bart / "model-1.safetensors")
    assert f"has no tensor {next(iter(rest))}, which {INDEX} names" in message_of(bart)
    (bart / "config.json").unlink()
    assert "has no config.json" in message_of(bart)


def test_another_architecture_or_option_is_named(bart):
    rewritten(bart, activation_function="tanh")
    assert "there is no activation 'tanh'" in message_of(bart)
    rewritten(bart, activation_function="gelu", normalize_before=True)
    assert "bart with normalize_before=True is not supported" in message_of(bart)
    rewritten(bart, model_type="llama")
    assert message_of(bart) == (
        f"{bart / 'config.json'}: the architecture 'llama' is not known; known are gpt2, nanogpt, t5, bart, pegasus, marian"
    )


def test_what_is_damaged_or_does_not_fit_is_reported(bart):
    rewritten(bart, d_model=6)
    assert "the tensor model." in message_of(bart) and "does not fit its config.json" in message_of(
        bart
    )
    rewritten(bart, d_model=8, decoder_layers=3)
    assert "has no tensor model.decoder.layers.2" in message_of(bart)
    rewritten(bart, decoder_layers=1)
    assert "tensors that a bart of ours lacks, such as model.decoder.layers.1" in message_of(bart)
    rewritten(bart, vocab_size=None)
    assert "config.json: there is no whole number 'vocab_size'" in message_of(bart)
    rewritten(bart, vocab_size=V, d_model="8")
    assert "config.json: there is no whole number 'd_model'" in message_of(bart)
    (bart / WEIGHTS).write_bytes((bart / WEIGHTS).read_bytes()[:-8])
    rewritten(bart, d_model=8, decoder_layers=2)
    assert f"{bart / WEIGHTS} is damaged" in message_of(bart)
    (bart / "config.json").write_text("{")
    assert "config.json is damaged" in message_of(bart)
    (bart / "config.json").write_text("[]")
    assert "it must be a JSON object" in message_of(bart)


def test_what_is_too_large_for_the_memory_is_not_begun(bart, monkeypatch):
    monkeypatch.setattr(checkpoints, "free_memory", lambda: 1000)
    assert "and 0.0 GiB of memory are free" in message_of(bart)
    monkeypatch.setattr(checkpoints, "free_memory", lambda: None)
    pretrained.load(bart)
    monkeypatch.undo()
    assert checkpoints.free_memory() > 2**20


def test_what_cannot_be_written_leaves_no_folder(tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError("no space left on device")

    monkeypatch.setattr("safetensors.numpy.save_file", full)
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match=r"cannot be written: .*(Not a directory|File exists)"):
        pretrained.save(model_of("bart"), tmp_path / "file" / "bart")
    mixed = model_of("bart")._replace(params=model_of("t5").params)
    with pytest.raises(ValueError, match="of another model: their names or shapes differ"):
        pretrained.save(mixed, tmp_path / "models" / "bart")
    with pytest.raises(ValueError, match="cannot be written: no space left"):
        pretrained.save(model_of("bart"), tmp_path / "models" / "bart")
    assert list((tmp_path / "models").iterdir()) == []


def test_nothing_is_overwritten(bart):
    with pytest.raises(ValueError, match="exists; choose another folder"):
        pretrained.save(pretrained.load(bart), bart)
