"""Encoders of frames and images against loops in NumPy, written from the papers' equations."""

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from attention_lab.models import ENCODERS, make_model
from attention_lab.models.base import Limits, blank, shortened
from attention_lab.models.convolutions import halvings, windows
from attention_lab.models.places import encode_cells, init_cells
from attention_lab.padded import Padded, pad, positions, size
from tests import reference
from tests.models import oracles
from tests.models.formulas_test import Counted
from tests.models.small import drawn, pair

RNG = np.random.default_rng(0)
FRAMES, IMAGE = RNG.normal(size=(7, 3)), RNG.normal(size=(5, 6, 2))


def padded(source, length):
    values, valid = pad([source], length)
    return Padded(values[0], valid[0])


def window(x, place, kernel, stride):
    """The positions place · s − p .. + k − 1 along each axis, side by side; 0 outside: one row of an im2col."""
    low, parts = (kernel - stride) // 2, []
    for offset in itertools.product(range(kernel), repeat=len(place)):
        at = tuple(stride * p - low + o for p, o in zip(place, offset, strict=True))
        inside = all(0 <= a < n for a, n in zip(at, x.shape, strict=False))
        parts.append(x[at] if inside else np.zeros(x.shape[-1]))
    return np.concatenate(parts)


def convolved(params, x, kernel, stride, activation):
    """a(W window + b) at ceil(n / s) places along each axis."""
    sizes = [math.ceil(n / stride) for n in x.shape[:-1]]
    out = np.zeros((*sizes, params["W"].shape[1]))
    for place in np.ndindex(*sizes):
        out[place] = activation(window(x, place, kernel, stride) @ params["W"] + params["b"])
    return out


def relu(x):
    return np.maximum(x, 0)


@pytest.mark.parametrize("kernel, stride", [(4, 2), (2, 2), (3, 3), (5, 3)])
@pytest.mark.parametrize("source", [FRAMES, IMAGE], ids=["frames", "image"])
def test_windows_are_centred_on_what_they_replace_and_see_no_padding(source, kernel, stride):
    for length in (size(source), 9):
        found = windows(padded(source, length), kernel, stride)
        sizes = tuple(math.ceil(n / stride) for n in positions(source.shape))
        own = tuple(map(slice, sizes))
        for place in np.ndindex(*sizes):
            expected = window(source, place, kernel, stride)
            np.testing.assert_allclose(found.values[place], expected)
        assert found.valid[own].all() and found.valid.sum() == math.prod(sizes)


def encoder_of(model, source, length):
    """What the encoder of a model returns for a source, with parameters that are not zero, and these."""
    params = drawn(model)
    module = ENCODERS[model.kind](**model.options)
    encoded = module.apply({"params": params["encoder"]}, padded(source, length), Counted())
    return params["encoder"], jax.tree.map(np.asarray, encoded)


class Made:
    """A model of an encoder, with what made it."""

    def __init__(self, kind, channels, **options):
        self.kind, self.options = kind, options
        model = make_model(
            channels, 7, encoder={"kind": kind, **options}, decoder={"kind": "fixed"}
        )
        self.init = model.init


def test_a_convolutional_encoder_is_its_equations():
    made = Made("convolutional", 2, features=8, stride=4, encoding="learned", positions=3)
    for length in (6, 8):
        params, found = encoder_of(made, IMAGE, length)
        drop, x = Counted(), IMAGE
        for number in range(2):
            x = drop(convolved(params["convolutions"][f"layer_{number}"], x, 4, 2, relu))
        assert x.shape == (2, 2, 8)
        for y, column in np.ndindex(2, 2):
            place = (
                params["positions"]["rows"]["table"][y],
                params["positions"]["columns"]["table"][column],
            )
            x[y, column] += np.concatenate(place)
        kept = found.states[found.valid]
        np.testing.assert_allclose(kept, x.reshape(4, 8), rtol=1e-6, atol=1e-8)
        np.testing.assert_allclose(found.summary, x.reshape(4, 8).mean(0), rtol=1e-6)
    assert params["convolutions"]["layer_0"]["W"].shape == (4 * 4 * 2, 4)


@pytest.mark.parametrize("joins", [0, 1, 3])
def test_a_pyramidal_encoder_is_its_equations(joins):
    made = Made("pyramidal", 3, cell="lstm", features=6, joins=joins)
    for length in (7, 12):
        params, found = encoder_of(made, FRAMES, length)
        x, drop = FRAMES, Counted()
        for number in range(joins + 1):
            if number:
                odd = np.zeros((len(x) % 2, x.shape[1]))
                x = np.concatenate([x, odd]).reshape(-1, 2 * x.shape[1])
            own = {"layer_0": params[f"layer_{number}"]}
            x, summary = oracles.recurrent_encoder(own, x, drop, cell="lstm")
        assert len(x) == math.ceil(7 / 2**joins)
        np.testing.assert_allclose(found.states[found.valid], x, rtol=1e-6, atol=1e-9)
        np.testing.assert_allclose(found.summary, summary, rtol=1e-6, atol=1e-9)


def test_patches_are_projected_placed_and_read_by_a_transformer():
    sizes = {"features": 8, "heads": 2, "feed_forward": 12, "layers": 1}
    made = Made("patches", 2, stride=3, encoding="sinusoidal", **sizes)
    params, found = encoder_of(made, IMAGE, 6)
    grid = convolved(params["entry"]["project"], IMAGE, 3, 3, lambda x: x)
    for y, column in np.ndindex(2, 2):
        halves = np.split(grid[y, column], 2)
        encode = reference.ENCODINGS["sinusoidal"]
        grid[y, column] = np.concatenate(
            [encode({}, h, i) for h, i in zip(halves, (y, column), strict=True)]
        )
    options = {"layers": 1, "encoding": "no_encoding"}
    states, summary, weights = oracles.transformer_encoder(
        params | {"positions": {}}, grid.reshape(4, 8), Counted(), **options
    )
    np.testing.assert_allclose(found.states, states, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(found.summary, summary, rtol=1e-5, atol=1e-7)
    assert found.weights == {} and weights["encoder/0"].shape == (2, 4, 4)


@pytest.mark.parametrize("kind", ["recurrent", "transformer"])
def test_frames_are_shortened_by_convolutions_before_the_layers(kind):
    sizes = {
        "recurrent": {"embedding": 5, "features": 6, "cell": "gru"},
        "transformer": {"features": 6, "heads": 2, "feed_forward": 8, "layers": 1},
    }[kind]
    made = Made(kind, 3, reads="frames", stride=4, **sizes)
    params, found = encoder_of(made, FRAMES, 9)
    x, drop = FRAMES, Counted()
    for number in range(2):
        x = drop(convolved(params["entry"][f"layer_{number}"], x, 4, 2, relu))
    if kind == "recurrent":
        states, _ = oracles.recurrent_encoder(params, x, drop, cell="gru")
    else:
        states, *_ = oracles.transformer_encoder(params, x, drop, layers=1)
    np.testing.assert_allclose(found.states[found.valid], states, rtol=1e-5, atol=1e-7)


def test_an_odd_cell_cannot_be_halved_and_each_axis_has_its_own_table():
    params = init_cells(reference_table(), 6, 4)(jax.random.key(0))
    assert {name: x["table"].shape for name, x in params.items()} == dict.fromkeys(
        ("rows", "columns"), (4, 3)
    )
    assert not np.allclose(params["rows"]["table"], params["columns"]["table"])
    with pytest.raises(ValueError, match=r"each cell has 5 features; .* make it even"):
        encode_cells(reference_table(), params, jnp.zeros((2, 2, 5)))
    with pytest.raises(ValueError, match="learned supports 4 positions, but there are 5"):
        encode_cells(reference_table(), params, jnp.zeros((5, 2, 6)))


def reference_table():
    from attention_lab.mechanism import choose

    return choose("encoding", "learned")


def test_a_model_reports_what_it_reads_and_how_many_states_remain():
    found = {kind: (m := pair(kind, "transformer")).reads + f" {m.stride}" for kind in ENCODERS}
    assert found == {
        "recurrent": "tokens 1",
        "transformer": "tokens 1",
        "nothing": "nothing 1",
        "convolutional": "image 4",
        "patches": "image 2",
        "pyramidal": "frames 4",
    }
    shapes = {kind: pair(kind, "transformer").blank().values.shape for kind in ENCODERS}
    assert shapes == {
        **dict.fromkeys(("recurrent", "transformer", "nothing"), (1,)),
        **dict.fromkeys(("convolutional", "patches"), (1, 1, 19)),
        "pyramidal": (1, 19),
    }
    assert blank("frames", 3).values.dtype == np.float32 and blank("tokens", 3).valid.all()
    assert shortened((7, 3), 2) == (4,) and shortened((5, 6, 2), 4) == (2, 2)


def test_limits_count_the_states_of_a_source_that_is_no_text():
    limits = Limits(2, None, 4)
    assert limits.refusal(np.zeros((8, 3))) is None and limits.positions == 8
    assert limits.refusal(np.zeros((9, 3))) == "3 source states, and the model reads at most 2"
    assert limits.refusal(np.zeros((5, 8, 3))) == "4 source states, and the model reads at most 2"
    assert Limits().positions is None
    named = pair(
        "transformer", "bahdanau", {"reads": "frames", "encoding": "learned", "positions": 5}
    )
    params = jax.eval_shape(named.init, jax.random.key(0))
    assert named.limits(params) == Limits(5, None, 4)


def test_a_source_that_is_not_attended_to_once_is_penalized_over_what_exists():
    """λ Σ_i (1 − Σ_t α_ti)²: Xu et al. 2015, eq. 14; padding of source and target does not count."""
    model = pair("convolutional", "bahdanau", doubly_stochastic=0.7, gate=True)
    params = jax.tree.map(lambda x: x + 0.1, drawn(model))
    image = RNG.normal(size=(9, 6, 19))
    target = np.array([5, 9, 4, 3])
    for side, length in ((9, 4), (12, 7)):
        values, valid = pad([target], length)
        one = {"source": padded(image, side), "target": Padded(values[0], valid[0])}
        output = jax.jit(lambda p, e: model.apply(p, e, weights=True))(params, one)
        cells = [y * math.ceil(side / 4) + x for y in range(3) for x in range(2)]
        attended = np.asarray(output.weights["cross/0"])[0, :4, cells].sum(1)
        expected = 0.7 * sum((1 - a) ** 2 for a in attended)
        assert expected > 0.1
        np.testing.assert_allclose(output.losses["coverage"], expected, rtol=1e-6)
    plain = pair("convolutional", "bahdanau", gate=True)
    assert plain.apply(params, one).losses is None


@pytest.mark.parametrize(
    ("decoder", "words", "message"),
    [
        ("luong", {"gate": True}, "decoder luong has no gate; only bahdanau has one"),
        ("fixed", {"doubly_stochastic": 0.1}, "decoder fixed attends to nothing"),
        ("luong", {"readout": "linear"}, "readout=linear: decoder luong has a readout of its own"),
        ("fixed", {"readout": "relu"}, "no readout 'relu'; known are tanh, maxout, linear"),
        ("bahdanau", {"initial_memory": True}, "cell gru has no memory; lstm has one"),
    ],
)
def test_options_of_a_decoder_need_what_they_are_about(decoder, words, message):
    with pytest.raises(ValueError, match=message):
        pair("convolutional", decoder, **words)


def test_a_stride_is_so_many_halvings():
    assert [halvings("stride", n) for n in (2, 4, 8)] == [1, 2, 3]
    for wrong in (0, 1, 3, 6, -2):
        with pytest.raises(ValueError, match=f"stride={wrong}: it must be 2, 4, 8"):
            halvings("stride", wrong)


def test_rows_of_each_kind_are_padded_along_their_positions():
    ids = pad([np.array([5, 3]), np.array([3])], 3, 3)
    assert ids.values.tolist() == [[5, 3, 0], [3, 0, 0], [0, 0, 0]] and ids.values.dtype == np.int32
    frames = pad([FRAMES[:2], FRAMES[:1]], 3)
    assert frames.values.shape == (2, 3, 3) and frames.valid.tolist() == [[1, 1, 0], [1, 0, 0]]
    np.testing.assert_array_equal(frames.values[0, :2], FRAMES[:2])
    image = pad([IMAGE], 6, 2)
    assert image.values.shape == (2, 6, 6, 2) and image.valid.shape == (2, 6, 6)
    assert image.valid[0, :5].all() and image.valid.sum() == 30
    assert [size(row) for row in (ids.values[0], FRAMES, IMAGE)] == [3, 7, 6]
