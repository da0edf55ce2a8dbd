"""What the settings of sampling do to one distribution: as loops do, as transformers does, and as frequencies show."""

import itertools
from functools import partial

import hypothesis
import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from attention_lab.decoding import Sampling, checked_sampling, filtered
from attention_lab.decoding.filters import likeliest
from attention_lab.decoding.sampling import next_token
from attention_lab.special_tokens import END, PAD, START
from tests.decoding import oracles

pytestmark = pytest.mark.oldest
VOCABULARY, ROOM = 9, 8


@partial(jax.jit, static_argnums=(4, 5))
def changed(logits, text, known, generated, no_repeat_ngram, banned, numbers):
    """`filtered` with traced numbers: one program for each pair of static settings."""
    sampling = Sampling(no_repeat_ngram=no_repeat_ngram, banned=banned, **numbers)
    return filtered(logits, text, known, generated, sampling)


def ours(logits, text, generated, settings):
    """{id: logit} of the tokens that are possible."""
    padded = jnp.asarray([*text, *[PAD] * (ROOM - len(text))])
    names = ("temperature", "top_k", "top_p", "repetition_penalty", "min_length")
    numbers = {name: jnp.asarray(getattr(settings, name)) for name in names}
    static = settings.no_repeat_ngram, settings.banned
    found = changed(jnp.asarray(logits), padded, len(text), generated, *static, numbers)
    return {i: float(x) for i, x in enumerate(found) if x > -np.inf}


SETTINGS = st.builds(
    Sampling,
    temperature=st.sampled_from([0.0, 0.3, 1.0, 2.5]),
    top_k=st.integers(0, VOCABULARY + 1),
    top_p=st.sampled_from([1e-6, 0.3, 0.7, 0.999, 1.0]),
    repetition_penalty=st.sampled_from([0.5, 1.0, 1.7]),
    no_repeat_ngram=st.sampled_from([0, 1, 2, 3]),
    min_length=st.integers(0, 4),
    banned=st.sampled_from([(), (5, 7)]),
    max_length=st.just(256),
    end=st.just((END,)),
    start=st.just(True),
)
TEXTS = st.lists(st.integers(3, VOCABULARY - 1), max_size=ROOM)
# Few values: many ties.
LOGITS = st.lists(st.integers(-3, 3), min_size=VOCABULARY, max_size=VOCABULARY)


@hypothesis.settings(max_examples=400, deadline=None, derandomize=True)
@hypothesis.given(LOGITS, TEXTS, st.integers(0, 4), SETTINGS, st.booleans())
def test_logits_are_changed_as_loops_change_them(logits, text, generated, settings, hopeless):
    logits = np.array(logits, float) + np.linspace(0, 1e-3, VOCABULARY) * (sum(logits) % 2)
    if hopeless:
        logits[4:] = [-np.inf, np.nan, -np.inf, np.nan, -np.inf]
    found = ours(logits, text, generated, settings)
    expected = oracles.allowed(logits, text, generated, settings)
    assert set(found) == set(expected)
    if expected:
        wanted = oracles.probabilities(expected)
        assert oracles.probabilities(found) == pytest.approx(wanted, rel=1e-6)


@hypothesis.settings(max_examples=200, deadline=None, derandomize=True)
@hypothesis.given(LOGITS, st.integers(0, VOCABULARY), st.floats(1e-9, 1.0))
def test_the_likeliest_are_the_fewest_of_the_top_k_and_at_least_one(logits, top_k, top_p):
    logits = np.array(logits, float)
    kept = np.flatnonzero(likeliest(jnp.asarray(logits), top_k, top_p))
    order = np.argsort(-logits, kind="stable")[: top_k or None]
    assert len(kept) >= 1 and set(kept) == set(order[: len(kept)])
    chances = np.exp(logits[order]) / np.exp(logits[order]).sum()
    sums = np.cumsum(chances)
    assert len(kept) == len(order) or sums[len(kept) - 1] > top_p - 1e-9
    assert len(kept) == 1 or sums[len(kept) - 2] < top_p + 1e-9


def test_neutral_settings_leave_the_model_s_distribution():
    logits = jax.random.normal(jax.random.key(0), (VOCABULARY,))
    text = jnp.full(ROOM, 4)
    plain = filtered(logits, text, 3, 0, Sampling())
    arrays = {name: jnp.asarray(getattr(Sampling(), name)) for name in ("top_k", "top_p")}
    traced = Sampling(repetition_penalty=jnp.asarray(1.0), **arrays)
    np.testing.assert_array_equal(filtered(logits, text, 3, 0, traced), plain)
    real = np.isfinite(plain)
    assert np.flatnonzero(~real).tolist() == [PAD, START]
    np.testing.assert_allclose(np.diff(plain[real]), np.diff(logits[real]), rtol=1e-5)


@pytest.mark.parametrize("temperature", [1e-30, 0.01, 100.0])
def test_extreme_logits_and_temperatures_give_a_distribution(temperature):
    logits = jnp.asarray([0, 0, 0, 3e38, -3e38, jnp.inf, jnp.nan, 1e-38], jnp.float32)
    settings = Sampling(temperature=temperature, repetition_penalty=100.0, top_p=0.9)
    found = jax.nn.softmax(filtered(logits, jnp.asarray([4, 3]), 2, 0, settings))
    np.testing.assert_allclose(found, [0, 0, 0, 0, 0, 1, 0, 0], atol=1e-6)


@pytest.mark.parametrize("no_repeat_ngram", [0, 2])
def test_frequencies_of_draws_fit_the_distribution_for_every_combination_of_settings(
    no_repeat_ngram,
):
    """χ² of 10⁵ draws: of 96 combinations in all, none has a p-value under 10⁻⁵; with the right one 1 in 1,000 would."""
    text, generated, draws = [4, 5, 6, 4], 3, 100_000
    logits = np.random.default_rng(1).normal(scale=1.5, size=VOCABULARY)
    padded = jnp.asarray([*text, *[PAD] * (ROOM - len(text))])

    @jax.jit
    def counts(rngs, numbers):
        sampling = Sampling(no_repeat_ngram=no_repeat_ngram, **numbers)
        draw = partial(next_token, sampling=sampling)
        shared = jnp.asarray(logits), padded, len(text), generated
        tokens, logs, possible = jax.vmap(draw, (0, *[None] * 4))(rngs, *shared)
        return jnp.bincount(tokens, length=VOCABULARY), tokens, logs, possible

    rngs = jax.random.split(jax.random.key(2), draws)
    choices = {
        "temperature": (0.5, 1.0, 1.7),
        "top_k": (0, 3),
        "top_p": (1.0, 0.7),
        "repetition_penalty": (1.0, 1.8),
        "min_length": (0, 5),
    }
    values = []
    for combination in itertools.product(*choices.values()):
        numbers = dict(zip(choices, combination, strict=True))
        settings = Sampling(no_repeat_ngram=no_repeat_ngram, **numbers)
        chances = oracles.probabilities(oracles.allowed(logits, text, generated, settings))
        found, tokens, logs, possible = counts(rngs, jax.tree.map(jnp.asarray, numbers))
        assert np.all(possible) and set(np.flatnonzero(found)) <= set(chances)
        if len(chances) > 1:
            expected = draws * np.array(list(chances.values()))
            values.append(stats.chisquare(found[jnp.asarray(list(chances))], expected).pvalue)
        # What is reported is the model's probability of the token, whatever the settings.
        np.testing.assert_allclose(logs, oracles.log_softmax(logits)[tokens], rtol=1e-6)
    assert len(values) > 40 and min(values) > 1e-5


def test_a_chi_square_of_these_draws_notices_a_wrong_distribution():
    """A distribution with one probability changed by a fiftieth does not fit."""
    chances = np.array([0.5, 0.3, 0.2])
    drawn = jax.random.categorical(jax.random.key(0), jnp.log(chances), shape=(100_000,))
    found = np.bincount(drawn, minlength=3)
    wrong = chances + np.array([0.01, -0.01, 0])
    assert stats.chisquare(found, 1e5 * chances).pvalue > 1e-3
    assert stats.chisquare(found, 1e5 * wrong).pvalue < 1e-5


def test_the_order_of_the_settings_is_that_of_transformers():
    torch = pytest.importorskip("torch", reason="the comparison needs torch")
    transformers = pytest.importorskip("transformers", reason="the comparison needs transformers")
    rng, size = np.random.default_rng(0), 40
    for _ in range(40):
        text = rng.integers(4, size, 12)
        text[-2:] = text[:2]  # so that an n-gram may be repeated
        logits = rng.normal(scale=3, size=size).astype(np.float32)
        generated = int(rng.integers(6))
        settings = Sampling(
            temperature=float(rng.uniform(0.3, 2)),
            top_k=int(rng.integers(2, 20)),
            top_p=float(rng.uniform(0.3, 0.99)),
            repetition_penalty=float(rng.uniform(1, 2)),
            no_repeat_ngram=int(rng.integers(1, 4)),
            min_length=3,
        )
        ids = torch.tensor(text[None])
        processors = [
            transformers.RepetitionPenaltyLogitsProcessor(settings.repetition_penalty),
            transformers.NoRepeatNGramLogitsProcessor(settings.no_repeat_ngram),
            transformers.MinNewTokensLengthLogitsProcessor(12 - generated, 3, END, device="cpu"),
            transformers.SuppressTokensLogitsProcessor([PAD, START], device="cpu"),
            transformers.TemperatureLogitsWarper(settings.temperature),
            transformers.TopKLogitsWarper(settings.top_k),
            transformers.TopPLogitsWarper(settings.top_p),
        ]
        theirs = transformers.LogitsProcessorList(processors)(ids, torch.tensor(logits[None]))
        found = filtered(jnp.asarray(logits), jnp.asarray(text), 12, generated, settings)
        expected = torch.softmax(theirs, -1)[0].numpy()
        np.testing.assert_allclose(jax.nn.softmax(found), expected, atol=1e-6)


NO_NUMBER = [None, True, "1", b"", 1j, {}, (1,), np.arange(2), float("nan"), float("inf"), -1]
NO_FIELD = {
    "temperature": [*NO_NUMBER, 101],
    "top_k": [*NO_NUMBER, 1.0, 2**31],
    "top_p": [*NO_NUMBER, 0, 1.1],
    "repetition_penalty": [*NO_NUMBER, 0, 1e3],
    "no_repeat_ngram": [*NO_NUMBER, 1.0, 65],
    "min_length": [*NO_NUMBER, 1.5, 257],
    "max_length": [*NO_NUMBER, 0, 2.0, 2**17],
    "banned": [None, 3, [3], (1.0,), (-1,), ("a",), (True,)],
    "end": [None, 3, [3], (1.0,), (-1,)],
    "start": [None, 1, "no"],
}


@pytest.mark.parametrize("field", NO_FIELD)
def test_what_is_no_setting_of_sampling_is_refused_by_name(field):
    assert set(NO_FIELD) == set(Sampling._fields)
    for value in NO_FIELD[field]:
        with pytest.raises(ValueError, match=f"^{field} is") as error:
            checked_sampling(Sampling(**{field: value}))
        assert "\n" not in str(error.value)


def test_numbers_of_numpy_and_of_jax_are_numbers():
    numbers = {"top_k": np.int64(3), "top_p": np.float32(0.5), "temperature": jnp.asarray(0.5)}
    assert checked_sampling(Sampling(**numbers)).top_k == 3
    with pytest.raises(ValueError, match="temperature"):
        checked_sampling(Sampling(temperature=jnp.asarray(-0.5)))


def test_an_id_outside_the_vocabulary_is_refused():
    for settings in (Sampling(banned=(VOCABULARY,)), Sampling(end=(3, 400))):
        with pytest.raises(ValueError, match=f"the vocabulary has {VOCABULARY} tokens"):
            filtered(jnp.zeros(VOCABULARY), jnp.zeros(ROOM, int), 0, 0, settings)
