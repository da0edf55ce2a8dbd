"""The details of T5, BART and GPT against loops in NumPy; what they begin with; and what is refused."""

import math
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from attention_lab.mechanism import Dims, init_multi_head, make_attention
from attention_lab.models import embeddings, encoder_decoder, make_model
from attention_lab.models.shape import ACTIVATIONS, INITS, make_norm, make_shape
from tests import reference
from tests.models import oracles
from tests.models.formulas_test import Counted
from tests.models.small import STRUCTURES, drawn, padded

V = 11
SOURCE, TARGET = np.array([5, 9, 4, 8, 6, 7, 10, 3]), np.array([7, 4, 10, 6, 8, 9, 5, 3])
SMALL = {"features": 8, "heads": 2, "feed_forward": 12, "positions": 9}
# A wide epsilon, so that its place and size are seen.
RMS = {"norm_kind": "rms", "epsilon": 0.1}
LAYER = {"norm_kind": "layer", "epsilon": 0.1}
T5 = {
    "shared_bias": True,
    "encoding": "no_encoding",
    "norm": "pre",
    "activation": "geglu",
    "feed_forward_bias": False,
    "key_size": 6,
    "layers": 2,
    **RMS,
}
BUCKETS = {
    side: {"buckets": 8, "max_distance": 6, "bidirectional": side == "encoder"}
    for side in ("encoder", "decoder")
}
BART = {
    "encoding": "learned",
    "embedding_norm": True,
    "projection_bias": True,
    "activation": "gelu_exact",
    "layers": 1,
    **LAYER,
}
GPT = {
    "encoding": "no_encoding",
    "norm": "pre",
    "norm_bias": False,
    "projection_bias": True,
    "feed_forward_bias": False,
    "activation": "relu2",
    "layers": 1,
    **LAYER,
}


def told(options):
    """What the oracle reads of options; it finds the rest in the parameters."""
    normal = options["norm_kind"], options["epsilon"]
    read = ("layers", "norm", "activation", "encoding", "embedding_norm")
    return {"normal": normal, **{name: options[name] for name in read if name in options}}


def side(options, **attentions):
    return {"kind": "transformer", **SMALL, **options, **attentions}


def t5_bias(which):
    return "t5({buckets}, {max_distance}, {bidirectional})".format(**BUCKETS[which])


# The model; what the oracle is told of encoder and decoder, and beside them.
CASES = {
    "as t5": (
        {
            "encoder": side(T5, attention={"score": "dot", "bias": t5_bias("encoder")}),
            "decoder": side(
                T5, attention={"score": "dot", "bias": t5_bias("decoder")}, cross={"score": "dot"}
            ),
            "tie": "inputs",
            "embeddings": {"scaled": False, "divided_logits": True},
        },
        {"kind": "transformer", **told(T5), "score": "dot", "bias": BUCKETS["encoder"]},
        {"score": "dot", "cross": "dot", **told(T5), "bias": BUCKETS["decoder"]},
        {"scaled": False, "divided": True},
    ),
    "as bart": (
        {
            "encoder": side(BART),
            "decoder": side(BART),
            "tie": "all",
            "embeddings": {"scaled": False},
        },
        {"kind": "transformer", **told(BART)},
        told(BART),
        {"scaled": False},
    ),
    "as gpt": (
        {
            "encoder": {"kind": "nothing"},
            "decoder": side(GPT, attention={"score": "rotary(qk_norm(scaled_dot))"}),
            "tie": "output",
        },
        {"kind": "nothing"},
        {**told(GPT), "score": "qk_norm(scaled_dot)", "turn": reference.rotary_turn(10000.0)},
        {},
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_details_are_their_equations(name, monkeypatch):
    words, encoder, decoder, also = CASES[name]
    model = make_model(V, V, **words)
    params = drawn(model)
    one = {"source": padded(SOURCE, 9), "target": padded(TARGET, len(TARGET))}
    monkeypatch.setattr(encoder_decoder, "Dropout", Counted)
    found = jax.jit(partial(model.apply, weights=True))(params, one)
    given = {"encoder": encoder, "decoder": {"kind": "transformer", **decoder}}
    logits, weights = oracles.model(
        params, SOURCE, TARGET, Counted(), **given, tie=words["tie"], **also
    )
    np.testing.assert_allclose(found.logits, logits, rtol=1e-8, atol=1e-8)
    assert set(found.weights) == set(weights)
    for place, rows in weights.items():
        shown = np.asarray(found.weights[place])[:, : rows.shape[1], : rows.shape[2]]
        np.testing.assert_allclose(shown, rows, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_an_activation_is_its_formula(name):
    x = np.linspace(-3, 3, 25)[None]
    activation = ACTIVATIONS[name]
    plain = oracles.GATED.get(name, name)
    assert activation.gated == (name in oracles.GATED)
    np.testing.assert_allclose(activation.function(x), oracles.ACTIVATIONS[plain](x), atol=1e-12)


def test_layers_share_one_bias_which_belongs_to_their_stack():
    shapes = named(jax.eval_shape(STRUCTURES["transformer, as t5"]().init, jax.random.key(0)))
    tables = {path: x.shape for path, x in shapes.items() if "bias/" in path}
    assert tables == {
        "encoder/bias/heads/attention/bias/table": (2, 8),
        "decoder/bias/heads/attention/bias/table": (2, 8),
    }


def named(tree):
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    return {jax.tree_util.keystr(path, simple=True, separator="/"): x for path, x in leaves}


WIDE = {"features": 64, "heads": 4, "key_size": 32, "feed_forward": 96, "layers": 1}
WIDE |= {"positions": 80, "encoding": "learned", "activation": "reglu", "projection_bias": True}
ENDS = ("W_Q", "W_K", "W_V", "W_O", "W_1/kernel", "W_3/kernel", "W_2/kernel", "positions/table")
LECUN = dict(zip(ENDS, (64, 64, 64, 4 * 32, 64, 64, 96, 64), strict=True))  # fan-in
LECUN = {name: fan_in**-0.5 for name, fan_in in LECUN.items()}
FIXED = dict.fromkeys(ENDS, 0.02)
# Of an encoder with one layer of two sublayers, and a decoder with one of three.
SCALES = {
    "lecun": (LECUN, LECUN),
    "normal": (FIXED, FIXED),
    "gpt2": tuple(
        FIXED | dict.fromkeys(("W_O", "W_2/kernel"), 0.02 / math.sqrt(n)) for n in (2, 3)
    ),
    "t5": (LECUN | {"W_Q": (64 * 32) ** -0.5},) * 2,
}
TABLES = {"lecun": 1 / 8, "normal": 0.02, "gpt2": 0.02, "t5": 1.0}


@pytest.mark.parametrize("init", INITS)
def test_parameters_begin_with_the_scales_of_their_name(init):
    stack = {"kind": "transformer", **WIDE, "init": init}
    words = {"encoder": stack, "decoder": stack, "embeddings": {"init": init}}
    model = make_model(300, 300, tie="inputs", **words)
    params = model.init(jax.random.key(0, impl="rbg"))  # compiles in a part of the time
    for which, scales in zip(("encoder", "decoder"), SCALES[init], strict=True):
        found = named(params[which])
        for end, deviation in scales.items():
            leaves = [x for path, x in found.items() if path.endswith(end)]
            assert leaves
            for x in leaves:
                assert np.std(x) == pytest.approx(deviation, rel=0.06), (which, end)
                assert abs(np.mean(x)) < 0.06 * deviation
        biases = [x for path, x in found.items() if path.endswith(("bias", "b_Q", "b_V", "b_O"))]
        assert biases and not any(map(np.any, biases))
    tables = params["embeddings"]
    assert np.std(tables["target"]) == pytest.approx(TABLES[init], rel=0.03)
    # Logits of unit variance, whatever the scale of what is read.
    assert np.std(tables["output"]) == pytest.approx(1 / 8, rel=0.03)
    assert set(embeddings.INITS) == set(INITS)


def test_projections_have_biases_where_that_is_asked_for_and_keys_none():
    dims, sizes = Dims(12, 10), {"heads": 4, "key_value_heads": 2, "value_features": 5}
    shapes = {}
    for bias in (False, True):
        params = init_multi_head(
            make_attention(), jax.random.key(0), dims, features=6, bias=bias, **sizes
        )
        shapes[bias] = {name: x.shape for name, x in params.items() if name != "attention"}
    added = {"b_Q": (4, 6), "b_V": (2, 5), "b_O": (12,)}
    assert shapes[True] == shapes[False] | added


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"norm_kind": "rsm"}, "did you mean 'rms'"),
        ({"activation": "gegelu"}, "did you mean 'geglu'"),
        ({"init": "gpt3"}, "did you mean 'gpt2'"),
        ({"norm": "sandwich"}, "not one of pre, post"),
        ({"epsilon": 0.0}, "epsilon=0.0 must be a number greater than 0"),
        ({"epsilon": "small"}, "epsilon='small' must be a number"),
        ({"shared_bias": "yes"}, "shared_bias='yes' must be True or False"),
        ({"projection_bias": None}, "projection_bias=None must be True or False"),
    ],
)
def test_a_detail_that_does_not_exist_is_refused_in_one_line(fields, message):
    with pytest.raises(ValueError, match=message) as error:
        make_shape(**fields)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"scale": True}, "no option of embeddings 'scale'; did you mean 'scaled'"),
        ({"init": "t55"}, "no init of embeddings 't55'; did you mean 't5'"),
        ({"scaled": 1}, "scaled=1 must be True or False"),
        ({"divided_logits": "no"}, "divided_logits='no' must be True or False"),
    ],
)
def test_embeddings_that_do_not_exist_are_refused_in_one_line(fields, message):
    sides = {"encoder": {"kind": "recurrent"}, "decoder": {"kind": "fixed"}}
    with pytest.raises(ValueError, match=message) as error:
        make_model(7, 7, embeddings=fields, **sides)
    assert "\n" not in str(error.value)


def test_inputs_share_a_table_only_if_they_fit():
    stack = {"kind": "transformer", **SMALL, "layers": 1}
    wider = {**stack, "features": 12}
    with pytest.raises(ValueError, match=r"tie='inputs' shares one table.* 12 features and .* 8"):
        make_model(7, 7, encoder=wider, decoder=stack, tie="inputs")
    with pytest.raises(ValueError, match="tie='inputs' needs one joint vocabulary"):
        make_model(7, 8, encoder=stack, decoder=stack, tie="inputs").init(jax.random.key(0))


def test_an_rms_norm_ignores_the_scale_of_its_input_and_a_layer_norm_its_mean_too():
    x = jnp.asarray(np.random.default_rng(0).normal(size=(3, 8)))
    for kind, moved_is_same in (("rms", False), ("layer", True)):
        norm = make_norm(make_shape(norm_kind=kind, epsilon=1e-12))
        params = norm.init(jax.random.key(0), x)
        found = norm.apply(params, x)
        np.testing.assert_allclose(norm.apply(params, 3 * x), found, rtol=1e-6)
        assert np.allclose(norm.apply(params, x + 1), found, rtol=1e-6) == moved_is_same
