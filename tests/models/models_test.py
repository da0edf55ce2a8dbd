"""Every model keeps the contract: stepping is teacher forcing, padding is nothing, gradients are finite."""

import functools
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from attention_lab.mechanism import PIECES, SCORES
from attention_lab.models import DECODERS, ENCODERS, make_model
from attention_lab.special_tokens import START
from tests.models.small import (
    SLOW,
    STRUCTURES,
    batch_of,
    example,
    existing,
    gradients_of,
    padded,
    pair,
    params_of,
    recurrent,
    sentences,
    source_of,
    transformer,
    unpadded,
)

pytestmark = pytest.mark.oldest
# The tests of one structure run in one process, and share what is compiled.
structures = pytest.mark.parametrize(
    "make",
    [
        pytest.param(
            make,
            id=name,
            marks=[pytest.mark.xdist_group(name), *([pytest.mark.slow] if name in SLOW else [])],
        )
        for name, make in STRUCTURES.items()
    ],
)


@functools.cache
def compiled(model):
    return jax.jit(partial(model.apply, weights=True))


def teacher_forcing(model, params, one):
    return compiled(model)(params, one)


def close(a, b, tolerance=1e-5):
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    assert a.shape == b.shape
    assert np.linalg.norm(a - b) <= tolerance * (1 + np.linalg.norm(b))


@structures
def test_stepping_equals_teacher_forcing(make):
    model = make()
    params = params_of(model)
    source, (target,) = source_of(model, 0, 5), sentences(0, 6)
    whole = teacher_forcing(model, params, example(source, target))
    read, state = jax.jit(model.start, static_argnums=2)(params, padded(source, 7), 9)
    step = jax.jit(partial(model.step, weights=True))
    fed = [START, *target[:-1]]
    for number, token in enumerate(fed):
        state, output = step(params, read, state, jnp.int32(token))
        close(output.logits, whole.logits[number])
        for place, row in output.weights.items():
            seen = whole.weights[place][:, number]
            kept, known = (
                existing(model, place, one.shape[-1], source, target) for one in (row, seen)
            )
            close(row[:, kept], seen[:, known])
            assert not np.any(row[:, ~kept])


@structures
def test_padding_changes_neither_logits_nor_weights(make):
    model = make()
    params = params_of(model)
    pairs = [(source_of(model, seed, 5), sentences(seed + 9, 6)[0]) for seed in (1, 2)]
    batch = {
        "source": batch_of([source for source, _ in pairs], 9),
        "target": batch_of([target for _, target in pairs], 8),
    }
    together = jax.jit(jax.vmap(lambda e: model.apply(params, e, weights=True)))(batch)
    for row, (source, target) in enumerate(pairs):
        alone = teacher_forcing(model, params, example(source, target))
        close(together.logits[row, : len(target)], alone.logits)
        for place, weights in alone.weights.items():
            found = together.weights[place][row]
            for axis in (-2, -1):
                by_query = axis == -2 and not place.startswith("encoder/")
                side = "decoder/0" if by_query else place
                found, weights = (
                    np.compress(existing(model, side, x.shape[axis], source, target), x, axis)
                    for x in (found, weights)
                )
            close(found, weights)


@structures
def test_a_prediction_sees_the_source_and_earlier_target_tokens_only(make):
    model = make()
    params = params_of(model)
    source, (target,) = source_of(model, 4, 5), sentences(4, 6)
    later = target.copy()
    later[3:] = 4 + (later[3:] + 1) % 10
    another = source.copy()
    another[0] = 4 + (another[0] + 1) % 10 if source.ndim == 1 else -another[0]

    def logits(source, target):
        return teacher_forcing(model, params, example(source, target)).logits

    whole = logits(source, target)
    np.testing.assert_array_equal(logits(source, later)[:4], whole[:4])
    assert not np.allclose(logits(source, later)[4:], whole[4:])
    reads = model.start(params, unpadded(source), 1)[0].valid.size > 0
    assert np.allclose(logits(another, target), whole) != reads


def trains(model, unread=(), params=None):
    """Every parameter has a gradient, and it is finite. unread: the ends of the names of those that nothing reads."""
    gradients = gradients_of(model, params)
    assert [name for name, g in gradients.items() if not np.isfinite(g).all()] == []
    zero = [name for name, g in gradients.items() if not np.any(g)]
    assert zero == [name for name in gradients if name.endswith(unread)]


@pytest.mark.parametrize("name", STRUCTURES)
def test_every_structure_trains(name):
    trains(STRUCTURES[name]())


@pytest.mark.slow
@pytest.mark.promise
@pytest.mark.parametrize("name", STRUCTURES)
def test_every_structure_trains_from_its_first_parameters(name):
    model = STRUCTURES[name]()
    trains(model, params=model.init(jax.random.key(0)))


@pytest.mark.parametrize("decoder", ["bahdanau", pytest.param("luong", marks=pytest.mark.slow)])
@pytest.mark.parametrize("score", SCORES)
def test_any_score_trains_in_a_recurrent_decoder(score, decoder):
    trains(recurrent(decoder, attention={"score": score}))


# A decoder reads states, whatever they are of: two of the recurrent ones run with -m slow. So do pairs that are
# structures too.
PERCEIVE, VARIANTS = ("convolutional", "patches", "pyramidal"), ("fixed", "luong")
KNOWN = {tuple(name.split(" to ")) for name in STRUCTURES if " to " in name}
KNOWN |= {("recurrent", name) for name in ("bahdanau", "luong", "fixed")}
KNOWN |= {("transformer", "transformer")}
PAIRS = [
    pytest.param(
        encoder,
        decoder,
        marks=[pytest.mark.slow]
        * ((encoder in PERCEIVE and decoder in VARIANTS) or (encoder, decoder) in KNOWN),
    )
    for encoder in ENCODERS
    for decoder in DECODERS
]


@pytest.mark.parametrize(("encoder", "decoder"), PAIRS)
def test_every_pair_that_fits_trains_and_the_others_say_why_not(encoder, decoder):
    if encoder == "nothing" and decoder != "transformer":
        with pytest.raises(ValueError, match=f"{decoder} needs a source, but encoder nothing has"):
            pair(encoder, decoder)
    else:
        trains(pair(encoder, decoder))


@pytest.mark.parametrize("score", SCORES)
def test_any_score_trains_in_all_three_attentions_of_a_transformer(score):
    words = {"score": score}
    unread = "heads/W_K" if score == "location" else ()  # its scores do not depend on keys
    trains(transformer(encoder=words, decoder=words, cross=words, layers=1), unread)


@pytest.mark.slow
@pytest.mark.parametrize("field", ["normalize", "locality", "feedback"])
def test_any_piece_trains_in_a_recurrent_decoder(field):
    for name in list(PIECES[field])[1:]:  # the first is plain, and is in all others
        trains(recurrent(attention={"score": "additive", field: name}))


def test_the_dropout_rate_is_a_traced_number():
    model = recurrent()
    params = model.init(jax.random.key(0))
    one = example(*sentences(8, 4, 5))
    traces = []

    @jax.jit
    def logits(rate):
        traces.append(rate)
        return model.apply(params, one, rng=jax.random.key(3), hyper={"dropout": rate}).logits

    close(logits(0.0), model.apply(params, one).logits)
    assert not np.allclose(logits(0.5), logits(0.0))
    assert len(traces) == 1


def test_equal_words_give_the_same_model():
    assert recurrent() is recurrent()
    assert transformer(cross={"score": "additive"}) is transformer(cross={"score": "additive"})


@pytest.mark.parametrize(
    ("side", "words", "message"),
    [
        ("encoder", {"kind": "recurent"}, "did you mean 'recurrent'"),
        (
            "encoder",
            {},
            "encoder needs a kind: recurrent or transformer or nothing or convolutional",
        ),
        ("encoder", {"kind": "convolutional", "stride": 6}, "stride=6: it must be 2, 4, 8"),
        ("encoder", {"kind": "transformer", "reads": "image"}, "known are tokens, frames"),
        ("encoder", {"kind": "recurrent", "reads": "frames", "stride": 1}, "stride=1: it must"),
        ("encoder", {"kind": "pyramidal", "features": 5}, "must be even"),
        ("encoder", {"kind": "pyramidal", "joins": -1}, "needs 0 or more"),
        ("encoder", {"kind": "recurrent", "fetures": 3}, "did you mean 'features'"),
        ("encoder", {"kind": "recurrent", "features": 7}, "must be even"),
        ("encoder", {"kind": "recurrent", "layers": 0}, "needs 1 or more"),
        (
            "encoder",
            {"kind": "nothing", "layers": 1},
            "encoder nothing takes no options, but was given layers",
        ),
        ("encoder", {"kind": "transformer", "norm": "both"}, "not one of pre, post"),
        ("encoder", {"kind": "transformer", "activation": "tanh"}, "known are relu"),
        ("encoder", {"kind": "transformer", "encoding": "sinus"}, "did you mean 'sinusoidal'"),
        ("decoder", {"kind": "Luong"}, "did you mean 'luong'"),
        ("decoder", {"kind": "luong", "hiden": 3}, "did you mean 'hidden'"),
        ("decoder", {"kind": "luong", "cell": "grue"}, "did you mean 'gru'"),
        ("decoder", {"kind": "luong", "layers": 0}, "needs 1 or more"),
        ("decoder", {"kind": "luong", "attention": {"score": "aditive"}}, "mean 'additive'"),
        ("decoder", {"kind": "luong", "attention": {"bias": "alibi"}}, "only within one sequence"),
        (
            "decoder",
            {"kind": "bahdanau", "attention": {"score": "rotary(dot)"}},
            "only within one sequence",
        ),
        ("tie", "yes", "not one of nothing, output, all"),
    ],
)
def test_what_does_not_exist_is_refused_in_one_line(side, words, message):
    given = {"encoder": {"kind": "recurrent"}, "decoder": {"kind": "bahdanau"}, side: words}
    with pytest.raises(ValueError, match=message) as error:
        make_model(7, 7, **given)
    assert "\n" not in str(error.value)


def test_a_sequence_that_does_not_say_what_is_padding_is_refused():
    model, one = recurrent(), example([5, 3], [5, 3])
    params = jax.eval_shape(model.init, jax.random.key(0))
    for side in one:
        with pytest.raises(ValueError, match=r"Padded\(values, valid\).*ndarray was given"):
            model.apply(params, one | {side: np.array([5, 3])})
    with pytest.raises(ValueError, match="the positions that exist"):
        model.start(params, np.array([5, 3]), 4)


def of_two_widths():
    sides = {"encoder": {"kind": "recurrent", "embedding": 4}, "decoder": {"kind": "fixed"}}
    return make_model(7, 7, tie="all", **sides)


def of_two_vocabularies():
    sides = {"encoder": {"kind": "recurrent"}, "decoder": {"kind": "fixed"}}
    return make_model(7, 8, tie="all", **sides)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (of_two_vocabularies, "one joint vocabulary"),
        (of_two_widths, "the encoder's have 4 features and the decoder's 256"),
        (lambda: recurrent(features=6, attention={"score": "dot"}), "general, additive or concat"),
        (lambda: transformer(heads=3), "3 heads cannot share 8 features"),
    ],
)
def test_what_does_not_fit_is_reported_at_the_start(model, message):
    with pytest.raises(ValueError, match=message):
        model().init(jax.random.key(0))


@pytest.mark.parametrize("kind", ["recurrent", "transformer"])
def test_a_target_that_has_the_first_part_of_a_joint_vocabulary_says_nothing_else(kind):
    small = {"features": 8, "heads": 2, "feed_forward": 8, "layers": 1}
    sides = {
        "recurrent": ({"embedding": 6}, {"kind": "bahdanau", "embedding": 6}),
        "transformer": (small, {"kind": "transformer", **small}),
    }
    encoder, decoder = sides[kind]
    words = {"encoder": {"kind": kind, **encoder}, "decoder": decoder, "tie": "all"}
    whole, part = (make_model(19, size, **words) for size in (19, 11))
    params = whole.init(jax.random.key(0))
    assert jax.tree.structure(params) == jax.tree.structure(part.init(jax.random.key(0)))
    pair = example(np.array([18, 5, 3]), np.array([10, 4, 3]))
    np.testing.assert_array_equal(
        part.apply(params, pair).logits, whole.apply(params, pair).logits[:, :11]
    )
