"""Every model keeps the contract: stepping is teacher forcing, padding is nothing, gradients are finite."""

import functools
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from attention_lab.marks import START
from attention_lab.mechanism import PIECES, SCORES
from attention_lab.models import make_model
from tests.models.small import (
    SLOW,
    STRUCTURES,
    example,
    padded,
    params_of,
    recurrent,
    sentences,
    transformer,
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
    source, target = sentences(0, 5, 6)
    whole = teacher_forcing(model, params, example(source, target))
    read, state = jax.jit(model.start, static_argnums=2)(params, padded(source, 7), 9)
    step = jax.jit(partial(model.step, weights=True))
    fed = [START, *target[:-1]]
    for number, token in enumerate(fed):
        state, output = step(params, read, state, jnp.int32(token))
        close(output.logits, whole.logits[number])
        for place, row in output.weights.items():
            seen = whole.weights[place][:, number]
            close(row[:, : seen.shape[-1]], seen)
            assert not np.any(row[:, seen.shape[-1] :])


@structures
def test_padding_changes_neither_logits_nor_weights(make):
    model = make()
    params = params_of(model)
    pairs = [sentences(1, 5, 6), sentences(2, 5, 6)]
    batch = {
        "source": jnp.stack([padded(source, 9) for source, _ in pairs]),
        "target": jnp.stack([padded(target, 8) for _, target in pairs]),
    }
    together = jax.jit(jax.vmap(lambda e: model.apply(params, e, weights=True)))(batch)
    for row, (source, target) in enumerate(pairs):
        alone = teacher_forcing(model, params, example(source, target))
        close(together.logits[row, : len(target)], alone.logits)
        for place, weights in alone.weights.items():
            _, queries, keys = weights.shape
            close(together.weights[place][row, :, :queries, :keys], weights)


@structures
def test_a_prediction_sees_the_source_and_earlier_target_tokens_only(make):
    model = make()
    params = params_of(model)
    source, target = sentences(4, 5, 6)
    later = target.copy()
    later[3:] = 4 + (later[3:] + 1) % 10
    another = source.copy()
    another[0] = 4 + (another[0] + 1) % 10

    def logits(source, target):
        return teacher_forcing(model, params, example(source, target)).logits

    whole = logits(source, target)
    np.testing.assert_array_equal(logits(source, later)[:4], whole[:4])
    assert not np.allclose(logits(source, later)[4:], whole[4:])
    assert not np.allclose(logits(another, target), whole)


def finite_gradients(model):
    params = model.init(jax.random.key(0))
    batch = {
        "source": jnp.stack([padded(s, 6) for s in sentences(6, 6, 3)]),
        "target": jnp.stack([padded(t, 7) for t in sentences(7, 2, 7)]),
    }

    def loss(params):
        def one(example, rng):
            return model.apply(params, example, rng=rng, hyper={"dropout": 0.3}).logits

        return jnp.sum(jax.vmap(one)(batch, jax.random.split(jax.random.key(1), 2)) ** 2)

    gradients = jax.tree.leaves(jax.jit(jax.grad(loss))(params))
    assert all(np.isfinite(g).all() for g in gradients)
    assert sum(float(jnp.abs(g).sum()) for g in gradients) > 0


@pytest.mark.parametrize("timing", ["bahdanau", pytest.param("luong", marks=pytest.mark.slow)])
@pytest.mark.parametrize("score", SCORES)
def test_any_score_trains_in_a_recurrent_decoder(score, timing):
    finite_gradients(recurrent(timing=timing, attention={"score": score}))


@pytest.mark.parametrize("score", SCORES)
def test_any_score_trains_in_all_three_attentions_of_a_transformer(score):
    words = {"score": score}
    finite_gradients(transformer(encoder=words, decoder=words, cross=words, layers=1))


@pytest.mark.slow
@pytest.mark.parametrize("field", ["normalize", "locality", "feedback"])
def test_any_piece_trains_in_a_recurrent_decoder(field):
    for name in list(PIECES[field])[1:]:  # the first is plain, and is in all others
        finite_gradients(recurrent(attention={"score": "additive", field: name}))


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
    ("kind", "options", "told"),
    [
        ("recurent", {}, "did you mean 'recurrent'"),
        ("recurrent", {"hiden": 3}, "did you mean 'hidden'"),
        ("recurrent", {"cell": "grue"}, "did you mean 'gru'"),
        ("recurrent", {"timing": "Luong"}, "did you mean 'luong'"),
        ("recurrent", {"memory": 7}, "must be even"),
        ("recurrent", {"attention": {"score": "aditive"}}, "did you mean 'additive'"),
        ("recurrent", {"attention": {"bias": "alibi"}}, "only within one sequence"),
        ("recurrent", {"attention": {"score": "rotary(dot)"}}, "only within one sequence"),
        ("transformer", {"norm": "both"}, "not one of pre, post"),
        ("transformer", {"activation": "tanh"}, "known are relu"),
        ("transformer", {"encoding": "sinus"}, "did you mean 'sinusoidal'"),
    ],
)
def test_what_does_not_exist_is_told_in_one_line(kind, options, told):
    with pytest.raises(ValueError, match=told) as error:
        make_model(kind, 7, 7, **options)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("model", "told"),
    [
        (lambda: make_model("recurrent", 7, 8, tie="all"), "one joint vocabulary"),
        (lambda: make_model("recurrent", 7, 7, tie="yes"), "not one of nothing, output, all"),
        (lambda: recurrent(memory=6, attention={"score": "dot"}), "general, additive or concat"),
        (lambda: transformer(heads=3), "3 heads cannot share 8 features"),
    ],
)
def test_what_does_not_fit_is_told_at_the_start(model, told):
    with pytest.raises(ValueError, match=told):
        model().init(jax.random.key(0))


@pytest.mark.parametrize("kind", ["recurrent", "transformer"])
def test_a_target_that_has_the_first_part_of_a_joint_vocabulary_says_nothing_else(kind):
    sizes = {
        "recurrent": {"embedding": 6, "hidden": 6},
        "transformer": {"features": 8, "heads": 2, "feed_forward": 8, "layers": 1},
    }
    whole, part = (make_model(kind, 19, size, tie="all", **sizes[kind]) for size in (19, 11))
    params = whole.init(jax.random.key(0))
    assert jax.tree.structure(params) == jax.tree.structure(part.init(jax.random.key(0)))
    pair = example(np.array([18, 5, 3]), np.array([10, 4, 3]))
    np.testing.assert_array_equal(
        part.apply(params, pair).logits, whole.apply(params, pair).logits[:, :11]
    )
