"""Hard attention: the place that a step reads, and the gradient estimate against exact enumeration."""

import itertools
import math
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from attention_lab.models import encoder_decoder, make_model
from attention_lab.models.decoders import recurrent
from attention_lab.models.decoders.hard import Drawn, Hard, gumbel, look, losses
from attention_lab.padded import Padded
from tests.models import oracles
from tests.models.formulas_test import Counted
from tests.models.small import drawn, padded

SOURCE, TARGET = np.array([4, 5, 3]), np.array([4, 3])
K, T = len(SOURCE), len(TARGET)
WEIGHTS, VALUES = jnp.array([0.5, 0.0, 0.2, 0.3]), jnp.arange(8.0).reshape(4, 2)


def tiny(kind="bahdanau", **words):
    """A model with hard attention whose places can be enumerated."""
    sides = {"embedding": 2, "cell": "gru"}
    decoder = {"kind": kind, "hidden": 2, "attention": {"score": "general"}, "hard": True}
    encoder = {"kind": "recurrent", "features": 2, **sides}
    return make_model(6, 6, encoder=encoder, decoder={**decoder, **sides, **words})


def test_a_step_reads_the_likeliest_place_and_says_its_probability_and_the_entropy():
    vector, place = look(WEIGHTS, VALUES, gumbel(None, (4,)), None)
    np.testing.assert_array_equal(vector, VALUES[0])
    np.testing.assert_allclose(place.log_probability, math.log(0.5))
    entropy = -sum(w * math.log(w) for w in (0.5, 0.2, 0.3))
    np.testing.assert_allclose(place.entropy, entropy, rtol=1e-6)
    vector, _ = look(WEIGHTS, VALUES, jnp.zeros(4), jnp.array(True))
    np.testing.assert_allclose(vector, WEIGHTS @ VALUES)


def test_weights_that_do_not_sum_to_one_are_probabilities_all_the_same():
    once, twice = (look(f * WEIGHTS, VALUES, jnp.zeros(4), None)[1] for f in (1, 2))
    np.testing.assert_allclose(once.log_probability, twice.log_probability)
    np.testing.assert_allclose(once.entropy, twice.entropy)


def test_a_row_without_weight_is_finite_as_are_all_gradients():
    def total(weights):
        vector, place = look(weights, VALUES, jnp.zeros(4), None)
        return vector.sum() + place.log_probability + place.entropy

    for weights in (jnp.zeros(4), WEIGHTS):
        value, gradient = jax.value_and_grad(total)(weights)
        assert np.isfinite(value) and np.isfinite(gradient).all()


def test_places_are_drawn_with_the_probabilities_of_the_weights():
    draws = 20_000
    noise = jax.vmap(lambda rng: gumbel(rng, (4,)))(jax.random.split(jax.random.key(0), draws))
    vectors = jax.vmap(lambda g: look(WEIGHTS, VALUES, g, None)[0])(noise)
    counts = np.bincount(np.asarray(vectors[:, 0], int) // 2, minlength=4)
    assert counts[1] == 0
    expected = draws * np.asarray(WEIGHTS)
    statistic = sum((counts[j] - expected[j]) ** 2 / expected[j] for j in (0, 2, 3))
    assert statistic < 13.8  # of 2 degrees of freedom: exceeded once in a thousand


@pytest.mark.parametrize("kind", ["bahdanau", "luong"])
def test_a_model_reads_one_state_and_is_otherwise_its_equations(kind, monkeypatch):
    model = tiny(kind)
    params, source = drawn(model), padded(SOURCE, K + 2)
    monkeypatch.setattr(encoder_decoder, "Dropout", Counted)
    one = {"source": source, "target": padded(TARGET, T)}
    found = jax.jit(partial(model.apply, weights=True))(params, one)
    sides = {"encoder": {"kind": "recurrent", "cell": "gru"}, "tie": "nothing"}
    words = {"kind": kind, "cell": "gru", "score": "general"}
    given = partial(oracles.model, params, SOURCE, TARGET, Counted(), **sides)
    logits, weights = given(decoder={**words, "hard": True})
    np.testing.assert_allclose(found.logits, logits, rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(found.weights["cross/0"][:, :, :K], weights["cross/0"], rtol=1e-8)
    assert found.losses is None
    soft, _ = partial(oracles.model, params, SOURCE, TARGET, Counted(), **sides)(decoder=words)
    assert np.abs(soft - logits).max() > 1e-3  # expected contexts would be another model


def test_a_step_equals_teacher_forcing():
    model = tiny(gate=True)
    params = drawn(model)
    source = padded(SOURCE, K + 1)
    output = model.apply(params, {"source": source, "target": padded(TARGET, T)}, weights=True)
    memory, state = model.start(params, source, T)
    for t, token in enumerate([2, TARGET[0]]):
        state, one = model.step(params, memory, state, jnp.array(token), weights=True)
        np.testing.assert_allclose(one.logits, output.logits[t], rtol=1e-6)
        np.testing.assert_allclose(one.weights["cross/0"], output.weights["cross/0"][:, t])


def test_the_terms_of_the_objective_are_their_formulas():
    rng = np.random.default_rng(0)
    logits, expected = jnp.asarray(rng.normal(size=(2, 4, 5)))
    log_pi, entropies = jnp.asarray(rng.normal(size=(2, 4)))
    target = Padded(jnp.array([1, 4, 2, 0]), jnp.array([True, True, True, False]))
    hard = Hard(expected=0.7, reinforce=0.9, entropy=0.3)

    def of(log_pi):
        return losses(hard, Drawn(log_pi, entropies, None), logits, expected, target)

    def log_p(scores, t):
        return scores[t, target.values[t]] - math.log(sum(math.exp(x) for x in scores[t]))

    found = of(log_pi)
    np.testing.assert_allclose(
        found["expected"], -0.7 * sum(log_p(expected, t) for t in range(3)), rtol=1e-6
    )
    np.testing.assert_allclose(found["entropy"], -0.3 * sum(entropies[:3]), rtol=1e-6)
    assert found["reinforce"] == 0
    gains = [log_p(logits, t) - log_p(expected, t) for t in range(3)]
    gradient = jax.grad(lambda x: of(x)["reinforce"])(log_pi)
    wanted = [-0.9 * sum(gains[t:]) for t in range(3)] + [0]
    np.testing.assert_allclose(gradient, wanted, rtol=1e-6)


def gradient_by_enumeration(model, params, one, monkeypatch):
    """The gradient of E[log p(y | s)], by enumeration of all places: each is forced by the noise."""

    def of(params):
        total = 0.0
        for places in itertools.product(range(K), repeat=T):
            forced = 1e9 * jax.nn.one_hot(jnp.array(places), K)
            monkeypatch.setattr(recurrent, "gumbel", lambda rng, shape, forced=forced: forced)
            output = model.apply(params, one, rng=jax.random.key(0), weights=True)
            log_p = jax.nn.log_softmax(output.logits)[jnp.arange(T), one["target"].values].sum()
            probability = output.weights["cross/0"][0, jnp.arange(T), jnp.array(places)].prod()
            total += probability * log_p
        return total

    gradient = jax.jit(jax.grad(of))(params)
    monkeypatch.undo()
    return gradient


def test_the_estimate_of_the_gradient_is_unbiased(monkeypatch):
    """Within 4 standard errors of 10⁵ samples for each parameter; without the estimate of ∇ log p(s) it is not."""
    samples, at_once = 100_000, 5_000
    one = {"source": padded(SOURCE, K), "target": padded(TARGET, T)}
    params = jax.tree.map(lambda x: jnp.asarray(2 * x), drawn(tiny()))
    exact = gradient_by_enumeration(tiny(), params, one, monkeypatch)

    def statistics(reinforce):
        model = tiny(hard_expected=0.0, hard_entropy=0.0, hard_reinforce=reinforce)

        def objective(params, rng):
            output = model.apply(params, one, rng=rng)
            log_p = jax.nn.log_softmax(output.logits)[jnp.arange(T), one["target"].values].sum()
            return log_p - sum(output.losses.values())

        @jax.jit
        def sums(rngs):
            found = jax.vmap(jax.grad(objective), (None, 0))(params, rngs)
            return [jax.tree.map(lambda x, p=power: (x**p).sum(0), found) for power in (1, 2)]

        rngs = jax.random.split(jax.random.key(1), samples).reshape(-1, at_once)
        return jax.tree.map(lambda *parts: sum(parts) / samples, *map(sums, rngs))

    def deviation(exact, mean, square):
        """(mean − exact) / standard error."""
        error = jnp.sqrt(jnp.maximum(square - mean**2, 0) / samples)
        return jnp.abs(mean - exact) / jnp.maximum(error, 1e-9)

    def furthest(reinforce):
        found = jax.tree.map(deviation, exact, *statistics(reinforce))
        return max(float(x.max()) for x in jax.tree.leaves(found))

    assert furthest(1.0) < 4
    assert furthest(0.0) > 40


@pytest.mark.parametrize("words, message", [({"kind": "fixed"}, "hard=True")])
def test_a_decoder_without_attention_cannot_attend_hard(words, message):
    with pytest.raises(ValueError, match=message):
        make_model(6, 6, encoder={"kind": "recurrent"}, decoder={"hard": True, **words})
