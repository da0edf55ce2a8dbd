"""Whole models against loops in NumPy, dropout and all, and their pieces by hand."""

import math
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from attention_lab.mechanism.contracts import affine
from attention_lab.models import encoder_decoder, make_model
from attention_lab.models.base import (
    Dropout,
    Limits,
    at_precision,
    least,
    look_up,
    matrices,
    precise_in,
    shift_right,
    widened,
)
from attention_lab.models.cells import CELLS
from attention_lab.models.encoders.nothing import nothing
from attention_lab.models.encoders.transformer import mean
from attention_lab.padded import Padded
from tests import reference
from tests.models import oracles
from tests.models.small import drawn, padded, pair

V = 11
SOURCE, TARGET = np.array([5, 9, 4, 3]), np.array([7, 4, 10, 6, 3])
LOCAL = {"locality": reference.local_m(1)}
PRE = {"norm": "pre", "activation": "swiglu", "encoding": "learned", "layers": 1}
POST = {"layers": 2}
PLAIN = {"activation": "gelu", "encoding": "no_encoding", "layers": 1}
WINDOW = reference.causal(), reference.window(1)
SMALL = {"features": 8, "heads": 2, "feed_forward": 12, "positions": 9}

# What the oracle is told of encoder and decoder; how the model is told the same beside it; and what is tied.
CASES = {
    "bahdanau, gru": (
        {"kind": "recurrent", "cell": "gru", "layers": 2},
        {"kind": "bahdanau", "cell": "gru", "layers": 2, "coverage": True, "options": LOCAL},
        {"attention": {"score": "additive", "feedback": "coverage", "locality": "local_m(1)"}},
        "nothing",
    ),
    "luong, lstm": (
        {"kind": "recurrent", "cell": "lstm"},
        {"kind": "luong", "cell": "lstm", "layers": 2, "score": "general", "options": LOCAL},
        {"attention": {"score": "general", "locality": "local_m(1)"}},
        "output",
    ),
    "luong, no input feeding": (
        {"kind": "recurrent", "cell": "gru"},
        {"kind": "luong", "cell": "gru", "score": "general", "feeding": False},
        {"attention": {"score": "general"}, "input_feeding": False},
        "all",
    ),
    "show, attend and tell": (
        {"kind": "recurrent", "cell": "gru"},
        {
            **{"kind": "bahdanau", "cell": "lstm", "layers": 2},
            **{"gate": True, "readout": "linear", "initial_memory": True},
        },
        {},
        "nothing",
    ),
    "transformer to fixed": (
        {"kind": "transformer", **PLAIN},
        {"kind": "fixed", "cell": "lstm", "layers": 3, "readout": "maxout"},
        {},
        "nothing",
    ),
    "transformer, pre": (
        {"kind": "transformer", **PRE},
        {"kind": "transformer", **PRE},
        {"key_value_heads": 1, "key_size": 6, "value_size": 3},
        "nothing",
    ),
    "transformer, post": (
        {"kind": "transformer", **POST},
        {"kind": "transformer", **POST},
        {},
        "all",
    ),
    "language model": (
        {"kind": "nothing"},
        {"kind": "transformer", **PLAIN, "mask": reference.both(*WINDOW)},
        {"attention": {"mask": "window(1)"}},
        "nothing",
    ),
}


def made(name):
    """The model of a case."""
    encoder, decoder, words, tie = CASES[name]
    encoder = dict(encoder)
    if encoder["kind"] == "recurrent":
        encoder |= {"embedding": 6, "features": 10}
    elif encoder["kind"] == "transformer":
        encoder |= SMALL
    ours = ("coverage", "score", "options", "feeding", "mask")  # of the oracle alone
    decoder = {name: value for name, value in decoder.items() if name not in ours} | words
    decoder |= SMALL if decoder["kind"] == "transformer" else {"embedding": 6, "hidden": 7}
    return make_model(V, V, encoder=encoder, decoder=decoder, tie=tie)


class Counted(Dropout):
    """In place of dropout a factor, another one at each place, so that none may be left out or be exchanged."""

    def __init__(self, rng=None, hyper=None):
        super().__init__(rng, hyper)
        self.calls = 0

    def __call__(self, x):
        self.calls += 1
        return x * (1 + self.calls / 4)


@pytest.mark.parametrize("name", CASES)
def test_a_model_is_its_equations_with_dropout_at_its_places(name, monkeypatch):
    encoder, decoder, _, tie = CASES[name]
    model = made(name)
    params = drawn(model)
    one = {"source": padded(SOURCE, 6), "target": padded(TARGET, len(TARGET))}
    monkeypatch.setattr(encoder_decoder, "Dropout", Counted)
    found = jax.jit(partial(model.apply, weights=True))(params, one)
    given = {"encoder": encoder, "decoder": decoder, "tie": tie}
    logits, weights = oracles.model(params, SOURCE, TARGET, Counted(), **given)
    np.testing.assert_allclose(found.logits, logits, rtol=1e-8, atol=1e-8)
    assert set(found.weights) == set(weights)
    for place, rows in weights.items():
        shown = np.asarray(found.weights[place])
        kept = shown[:, : rows.shape[1], : rows.shape[2]]
        np.testing.assert_allclose(kept, rows, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("name", CELLS)
def test_a_cell_s_step_is_its_equations(name):
    cell, rng = CELLS[name], np.random.default_rng(0)
    params = jax.tree.map(lambda x: rng.normal(size=x.shape), cell.init(jax.random.key(0), 3, 4))
    x, state = rng.normal(size=3), tuple(rng.normal(size=4) for _ in range(1 + (name == "lstm")))
    projected = x @ params["W"] + params["b"]
    found = cell.step(
        jax.tree.map(jnp.asarray, params),
        jnp.asarray(projected),
        state if name == "lstm" else state[0],
    )
    for ours, theirs in zip(
        jax.tree.leaves(found), oracles.CELLS[name](params, x, state), strict=True
    ):
        np.testing.assert_allclose(ours, theirs, rtol=1e-10)
    np.testing.assert_array_equal(cell.output(found), jax.tree.leaves(found)[0])


@pytest.mark.parametrize(("name", "gates"), [("gru", 3), ("lstm", 4)])
def test_a_cell_begins_with_each_gate_of_its_own_and_an_open_forget_gate(name, gates):
    inputs, hidden = 30, 40
    params = CELLS[name].init(jax.random.key(0), inputs, hidden)
    b = np.zeros(gates * hidden)
    if name == "lstm":
        b[hidden : 2 * hidden] = 1.0
    np.testing.assert_array_equal(params["b"], b)
    # Glorot & Bengio 2010: uniform within ±√(6 / (inputs + outputs)); each gate of U is a matrix of its own.
    for matrix, outputs in (
        (params["W"], gates * hidden),
        *[(u, hidden) for u in np.split(params["U"], gates, 1)],
    ):
        bound = math.sqrt(6 / (len(matrix) + outputs))
        assert 0.97 * bound < np.abs(matrix).max() <= bound
        assert np.std(matrix) == pytest.approx(bound / math.sqrt(3), rel=0.05)
    assert len({u.tobytes() for u in map(np.asarray, jnp.split(params["U"], gates, 1))}) == gates
    state = CELLS[name].start(jnp.arange(3.0))
    expected = [[0, 1, 2]] + [[0, 0, 0]] * (name == "lstm")
    assert [x.tolist() for x in jax.tree.leaves(state)] == expected


def test_directions_and_layers_begin_unlike_each_other():
    model = made("bahdanau, gru")
    params = model.init(jax.random.key(0))
    encoder = params["encoder"]
    one, two = (np.asarray(encoder["layer_1"][d]["W"]) for d in ("forward", "backward"))
    assert one.shape == (10, 15) and not np.allclose(one, two)
    assert np.any(params["decoder"]["bridge"])


def shapes_of(model):
    """The shape of each parameter by its path, of a model or of a case."""
    model = made(model) if isinstance(model, str) else model
    leaves = jax.tree_util.tree_leaves_with_path(jax.eval_shape(model.init, jax.random.key(0)))
    return {jax.tree_util.keystr(path, simple=True, separator="/"): x.shape for path, x in leaves}


def test_parameters_are_as_large_as_the_options_say():
    recurrent, attention = shapes_of("bahdanau, gru"), "decoder/attention/score/"
    expected = {
        **{"encoder/layer_0/forward/W": (6, 15), "encoder/layer_1/backward/W": (10, 15)},
        **{"encoder/layer_0/forward/U": (5, 15), "decoder/bridge": (10, 14)},
        **{"decoder/cell_0/W": (6 + 10, 21), "decoder/cell_1/W": (7, 21)},
        **{attention + "W_q": (7, 7), attention + "W_k": (7, 10), attention + "v": (7,)},
        "decoder/readout/W": (7 + 10 + 6, 6),
    }
    assert expected.items() <= recurrent.items()
    assert shapes_of("luong, lstm")["decoder/readout/W_c"] == (10 + 7, 6)
    assert shapes_of("luong, lstm")["decoder/cell_0/W"] == (6 + 6, 28)
    assert shapes_of("luong, no input feeding")["decoder/cell_0/W"] == (6, 21)
    layers = shapes_of("transformer, pre")
    grouped = {"W_Q": (2, 6, 8), "W_K": (1, 6, 8), "W_V": (1, 3, 8), "W_O": (8, 2, 3)}
    plain = {"W_Q": (2, 4, 8), "W_K": (2, 4, 8), "W_V": (2, 4, 8), "W_O": (8, 2, 4)}
    for place, expected in (
        ("decoder/layer_0/attend_source", grouped),
        ("encoder/layer_0/attend", plain),
    ):
        assert {name: layers[f"{place}/heads/{name}"] for name in expected} == expected
    unlike = shapes_of(
        pair("recurrent", "transformer")
    )  # 10 features of the source, 12 of the target
    assert unlike["decoder/layer_0/attend_source/heads/W_Q"] == (2, 6, 12)
    assert unlike["decoder/layer_0/attend_source/heads/W_K"] == (2, 6, 10)
    assert layers["encoder/layer_0/feed/W_3/kernel"] == (8, 12)
    assert layers["decoder/positions/table"] == (9, 8)
    assert "encoder/norm/scale" in layers and "encoder/norm/scale" not in shapes_of(
        "transformer, post"
    )


def test_embeddings_begin_with_vectors_of_length_one_and_are_read_with_unit_variance():
    model = make_model(
        400,
        300,
        encoder={"kind": "recurrent", "embedding": 100},
        decoder={"kind": "fixed", "embedding": 64},
    )
    tables = model.init(jax.random.key(0))["embeddings"]
    assert {name: t.shape for name, t in tables.items()} == {
        "source": (400, 100),
        "target": (300, 64),
        "output": (300, 64),
    }
    for table in tables.values():
        assert np.std(table) == pytest.approx(1 / math.sqrt(table.shape[1]), rel=0.03)
        assert np.mean(table) == pytest.approx(0, abs=0.003)
    assert not np.allclose(tables["target"], tables["output"])


def test_a_tied_source_reads_the_target_s_table_and_an_unknown_id_is_no_number():
    model = make_model(
        9,
        7,
        tie="all",
        encoder={"kind": "recurrent", "embedding": 6, "features": 4},
        decoder={"kind": "fixed", "embedding": 6, "hidden": 4},
    )
    params = drawn(model)
    assert {name: t.shape for name, t in params["embeddings"].items()} == {"target": (9, 6)}
    one = {"source": padded([8, 3], 2), "target": padded([5, 3], 2)}
    assert jax.eval_shape(model.apply, params, one).logits.shape == (2, 7)
    beyond = one | {"source": Padded(jnp.asarray([9, 3]), jnp.asarray([True, True]))}
    assert np.isnan(jax.jit(model.apply)(drawn(model), beyond).logits).all()


def test_the_limits_of_a_model_are_those_of_its_tables():
    assert (
        made("luong, lstm").limits(jax.eval_shape(made("luong, lstm").init, jax.random.key(0)))
        == Limits()
    )
    for name, words, limits in (
        ("transformer, pre", {}, (9, 9)),
        ("transformer, post", {}, (None, None)),
        ("transformer, post", {"attention": {"score": "location"}}, (None, 9)),
        ("transformer, post", {"cross": {"score": "location"}}, (9, None)),
    ):
        encoder, decoder, _, tie = CASES[name]
        model = make_model(
            V, V, encoder={**encoder, **SMALL}, decoder={**decoder, **SMALL, **words}, tie=tie
        )
        assert model.limits(jax.eval_shape(model.init, jax.random.key(0))) == Limits(*limits)
    words = {"kind": "transformer", **SMALL, "layers": 1}
    by_place = make_model(
        V, V, encoder={**words, "attention": {"score": "location"}}, decoder={"kind": "bahdanau", "positions": 5, "attention": {"score": "location"}}
    )  # fmt: skip
    params = jax.eval_shape(by_place.init, jax.random.key(0))
    assert by_place.limits(params) == Limits(5, None)
    assert Limits(5, 3).refusal([1] * 5, [1] * 3) is None and Limits().refusal([1] * 99) is None
    assert Limits(5, 3).refusal([1] * 6) == "6 source tokens, and the model reads at most 5"
    assert Limits(5, 3).refusal([1], [1] * 4) == "4 target tokens, and the model reads at most 3"
    assert (least(None, 4, 2), least(None), least()) == (2, None, None)


def test_positions_beyond_a_learned_table_are_refused():
    model = made("transformer, pre")
    params = jax.eval_shape(model.init, jax.random.key(0))
    for length, fits in ((9, True), (10, False)):
        one = {"source": padded([3], length), "target": padded([3], 2)}
        if fits:
            jax.eval_shape(model.apply, params, one)
            continue
        with pytest.raises(
            ValueError, match="learned supports 9 positions, but there are 10 tokens"
        ):
            jax.eval_shape(model.apply, params, one)


def test_dropout_drops_anew_at_each_call_and_keeps_the_expectation():
    x = jnp.full((40, 50), 3.0)
    drop = Dropout(jax.random.key(0), {"dropout": 0.25})
    one, two = np.asarray(drop(x)), np.asarray(drop(x))
    for found in (one, two):
        assert set(np.unique(np.round(found, 5))) == {0.0, 4.0}
        assert np.mean(found > 0) == pytest.approx(0.75, abs=0.04)
    assert not np.array_equal(one, two)
    np.testing.assert_array_equal(Dropout(jax.random.key(0), {"dropout": 0.25})(x), one)
    keys = [jax.random.key_data(drop.next_rng()).tolist() for _ in range(3)]
    assert len({str(key) for key in [*keys, jax.random.key_data(drop.rng)]}) == 4
    again = drop.continued(jax.random.key(0))
    assert again.rate == 0.25
    np.testing.assert_array_equal(again(x), one)


@pytest.mark.parametrize(
    ("rng", "hyper"), [(None, {"dropout": 0.5}), (0, None), (0, {}), (0, {"dropout": 0.0})]
)
def test_without_a_random_number_or_a_rate_nothing_is_dropped(rng, hyper):
    drop = Dropout(None if rng is None else jax.random.key(rng), hyper)
    x = jnp.arange(40.0)
    np.testing.assert_array_equal(drop(x), x)
    assert (drop.next_rng() is None) == (rng is None)


def test_weights_are_dropped_only_where_that_is_asked_for():
    one = {"source": padded(SOURCE, 4), "target": padded(TARGET, 5)}
    sums = {}
    for asked in (False, True):
        words = {"kind": "transformer", **SMALL, "layers": 1, "attention_dropout": asked}
        model = make_model(V, V, encoder={"kind": "nothing"}, decoder=words)
        look = jax.jit(
            partial(model.apply, weights=True, rng=jax.random.key(1), hyper={"dropout": 0.5})
        )
        sums[asked] = np.sum(look(drawn(model), one).weights["decoder/0"], -1)
    np.testing.assert_allclose(sums[False], 1.0, rtol=1e-6)
    assert np.sum(np.abs(sums[True] - 1) > 0.1) > 5


def test_weights_are_given_only_where_they_are_asked_for():
    model = made("transformer, pre")
    one = {"source": padded(SOURCE, 4), "target": padded(TARGET, 5)}
    assert jax.eval_shape(model.apply, drawn(model), one).weights is None


def test_what_a_decoder_is_fed_begins_with_the_start_mark():
    assert shift_right(jnp.asarray([7, 5, 3])).tolist() == [2, 7, 5]
    assert shift_right(jnp.asarray([3])).tolist() == [2]


@pytest.mark.parametrize(
    ("decoder", "options", "size"),
    [
        ("fixed", {}, 0),
        ("bahdanau", {}, 0),
        ("luong", {"input_feeding": False}, 0),
        ("luong", {"input_feeding": True}, 6),
    ],
)
def test_a_state_has_room_for_the_last_readout_only_with_input_feeding(decoder, options, size):
    model = pair("recurrent", decoder, **options)
    params = jax.eval_shape(model.init, jax.random.key(0))
    start = partial(model.start, length=9)
    _, state = jax.eval_shape(start, params, padded(SOURCE, 4))
    assert state.fed.shape == (size,)


def test_matrices_are_reported_by_their_axes_and_heads_are_none():
    shapes = {
        "vector": (3,),
        "matrix": (2, 3),
        "heads": {"vector": (4, 3), "matrix": (4, 2, 3)},
        "one": (),
    }
    params = jax.tree.map(jnp.zeros, shapes, is_leaf=lambda x: isinstance(x, tuple))
    expected = {
        "vector": False,
        "matrix": True,
        "heads": {"vector": False, "matrix": True},
        "one": False,
    }
    assert matrices(params) == expected


def test_sums_are_wide_and_what_is_no_number_is_left():
    x, W, b = jnp.ones((2, 3), jnp.bfloat16), jnp.ones((3, 4)), jnp.arange(4.0, dtype=jnp.float32)
    found = affine(x, W, b)
    assert found.dtype == jnp.float32 and found.tolist() == [[3, 4, 5, 6]] * 2
    assert affine(x[0], W).tolist() == [3] * 4
    wide = widened(
        {
            "a": x,
            "b": jnp.ones(2, jnp.float64),
            "c": jnp.arange(2, dtype=jnp.int32),
            "d": jnp.ones(1, bool),
        }
    )
    kinds = {name: str(leaf.dtype) for name, leaf in wide.items()}
    assert kinds == {"a": "float32", "b": "float64", "c": "int32", "d": "bool"}


def test_a_precision_holds_within_and_not_around():
    def seen(*words, **more):
        return jax.config.jax_default_matmul_precision, words, more

    assert at_precision(seen, "bfloat16")(1, a=2) == ("bfloat16", (1,), {"a": 2})
    model = made("language model")._replace(init=seen, apply=seen, start=seen, step=seen)
    other = precise_in(model, "float32")
    found = [getattr(other, name)(name) for name in ("init", "apply", "start", "step")]
    assert found == [("float32", (name,), {}) for name in ("init", "apply", "start", "step")]
    assert precise_in(model, "float32") is other and seen()[0] == "highest"


def test_a_summary_is_the_mean_of_what_exists_summed_in_more_digits_than_it_has():
    states = jnp.asarray([256, 1, 1, 1, 0, 0, 0, 99], jnp.bfloat16)[:, None]
    found = mean(states, jnp.arange(8) < 7)
    assert (
        found.tolist() == [37] and found.dtype == jnp.bfloat16
    )  # 259 / 7; 259 has a digit too many
    assert mean(states, jnp.zeros(8, bool)).tolist() == [0]


def test_no_source_has_no_state():
    encoded = nothing()(padded(SOURCE, 4), Dropout(None, None))
    assert [x.shape for x in encoded[:3]] == [(0, 0), (0,), (0,)] and encoded.weights == {}


def test_names_are_looked_up_and_an_unknown_one_is_reported_the_nearest():
    assert look_up("cell", {"gru": 1}, "gru") == 1 and look_up("option", ["gru"], "gru") == "gru"
    with pytest.raises(ValueError, match=r"no cell 'grue'.*gru"):
        look_up("cell", {"gru": 1}, "grue")


def test_a_model_says_what_it_is_made_of():
    plain = make_model(V, V, encoder={"kind": "recurrent"}, decoder={"kind": "bahdanau"})
    assert plain.name == "recurrent(gru), bahdanau(additive)"
    assert made("bahdanau, gru").name == "recurrent(gru), bahdanau(additive)"
    assert made("transformer to fixed").name == "transformer(scaled_dot), fixed"
    assert (
        made("transformer, post").name
        == "transformer(scaled_dot), transformer(scaled_dot, scaled_dot)"
    )
    assert made("language model").name == "nothing, transformer(scaled_dot)"
