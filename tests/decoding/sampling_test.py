"""Sampling whole texts: with a cache as without, together as alone, streamed as at once, within all bounds."""

import itertools
import time
from functools import cache, partial

import hypothesis
import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from attention_lab.decoding import Sampling, greedy, sample, sample_in_parts, stream
from attention_lab.decoding import sampling as module
from attention_lab.models import Model, Output, make_model
from attention_lab.models.base import Limits, Source
from attention_lab.padded import Padded, pad
from attention_lab.special_tokens import END, PAD, START
from tests.decoding import oracles
from tests.models.small import STRUCTURES, VOCABULARY, batch_of, params_of, row, sentences

pytestmark = pytest.mark.oldest
MODELS = {
    "gpt": lambda: make_model(
        VOCABULARY,
        VOCABULARY,
        encoder={"kind": "nothing"},
        decoder={
            "kind": "transformer",
            "features": 8,
            "heads": 2,
            "feed_forward": 8,
            "layers": 1,
            "encoding": "learned",
            "positions": 18,
        },
    ),
    "bahdanau": STRUCTURES["bahdanau"],
    "luong": STRUCTURES["luong"],
    "transformer, relative": STRUCTURES["transformer, relative"],
}
PROMPTS = [[5, 9, 7], [], [8]]
CHANGED = Sampling(
    temperature=0.8,
    top_k=7,
    top_p=0.95,
    repetition_penalty=1.3,
    no_repeat_ngram=2,
    min_length=3,
    max_length=12,
    banned=(11,),
)


@cache
def built(name):
    """A model with parameters in float64, in which rounding decides no draw."""
    model = MODELS[name]()
    return model, jax.tree.map(lambda x: x.astype(float), params_of(model, seed=3))


def inputs(name):
    """A source for each prompt, and the prompts."""
    none = jax.tree.map(jnp.asarray, pad([np.empty(0, np.int32)] * len(PROMPTS), 0))
    source = none if name == "gpt" else batch_of(sentences(5, 3, 6, 5), 6)
    return source, jax.tree.map(jnp.asarray, pad([np.array(ids, np.int32) for ids in PROMPTS], 3))


def drawn(name, settings, rngs):
    model, params = built(name)
    return sample(model, params, *inputs(name), settings, rngs)


RNGS = jax.random.split(jax.random.key(7), len(PROMPTS))


def text_of(ids):
    return [int(i) for i in ids if i != PAD]


@pytest.mark.parametrize("name", MODELS)
def test_with_a_cache_each_token_is_that_of_the_whole_prefix(name):
    """The oracle applies the model to the whole text for each token, and filters its logits in loops."""
    model, params = built(name)
    found = drawn(name, CHANGED, RNGS)
    apply = jax.jit(model.apply)
    for b, prompt in enumerate(PROMPTS):
        text, logs = list(prompt), []
        while len(logs) < CHANGED.max_length and text[len(prompt) :][-1:] != [END]:
            target = row(pad([np.array([*text, END], np.int32)], 18), 0)
            example = {"source": row(inputs(name)[0], b), "target": target}
            logits = apply(params, example).logits[len(text)]
            left = oracles.allowed(logits, text, len(logs), CHANGED)
            filtered = [left.get(i, -np.inf) for i in range(VOCABULARY)]
            rng = jax.random.fold_in(RNGS[b], len(logs))
            text.append(int(jax.random.categorical(rng, jnp.array(filtered))))
            logs.append(oracles.log_softmax(logits)[text[-1]])
        assert text_of(found.tokens[b]) == text[len(prompt) :]
        np.testing.assert_allclose(found.log_probabilities[b, : len(logs)], logs, rtol=1e-9)
        assert bool(found.ended[b]) == (text[-1] == END)
        assert not np.any(found.log_probabilities[b, len(logs) :])


@pytest.mark.parametrize("name", MODELS)
def test_a_temperature_of_zero_is_greedy(name):
    model, params = built(name)
    # The same program as above, with other numbers.
    neutral = CHANGED._replace(
        temperature=0, top_k=jnp.array(0), top_p=jnp.array(1.0), min_length=0
    )
    settings = neutral._replace(
        repetition_penalty=jnp.array(1.0), no_repeat_ngram=0, banned=(), max_length=8
    )
    source = inputs(name)[0]
    none = pad([np.empty(0, np.int32)] * len(PROMPTS), 0)
    found = sample(model, params, source, none, settings, RNGS)
    expected = greedy(model, params, source, (8, 0.0))
    np.testing.assert_array_equal(found.tokens, expected.tokens)
    np.testing.assert_array_equal(found.ended, expected.ended)
    np.testing.assert_allclose(found.log_probabilities.sum(-1), expected.log_probability, rtol=1e-5)


def alone(name, b):
    """The arguments of one text of the batch."""
    model, params = built(name)
    return model, params, *row(inputs(name), b), CHANGED, RNGS[b]


@pytest.mark.parametrize("name", ["gpt", "bahdanau"])
def test_a_batch_is_each_text_alone_and_a_stream_is_each_token_at_once(name):
    together = drawn(name, CHANGED, RNGS)
    program = module._extend
    for b in range(len(PROMPTS)):
        model, params, *given, _, rng = alone(name, b)
        single = sample(model, params, *jax.tree.map(lambda x: x[None], given), CHANGED, rng[None])
        np.testing.assert_array_equal(single.tokens[0], together.tokens[b])
        logs = together.log_probabilities[b]
        np.testing.assert_allclose(single.log_probabilities[0], logs, rtol=1e-9)
        compiled = program._cache_size()
        streamed = list(stream(*alone(name, b)))
        assert streamed == text_of(single.tokens[0])
        assert program._cache_size() == compiled  # it is the program of the whole text


def test_parts_are_the_beginnings_of_the_whole():
    model, params = built("gpt")
    arguments = model, params, *inputs("gpt"), CHANGED, RNGS
    whole = sample(*arguments)
    parts = list(sample_in_parts(*arguments, every=5))
    lengths = [[len(text_of(ids)) for ids in part.tokens] for part in parts]
    for part, least in zip(parts, (5, 10, 15), strict=False):
        for ids, expected, ended in zip(part.tokens, whole.tokens, part.ended, strict=True):
            count = len(text_of(ids))
            assert count >= min(least, 12) or ended
            np.testing.assert_array_equal(ids[:count], expected[:count])
    assert lengths[-1] == [len(text_of(ids)) for ids in whole.tokens]


def test_one_key_gives_each_row_its_own():
    model, params = built("gpt")
    rng = jax.random.key(1)
    rows = jnp.stack([jax.random.fold_in(rng, b) for b in range(len(PROMPTS))])
    np.testing.assert_array_equal(
        drawn("gpt", CHANGED, rng).tokens, drawn("gpt", CHANGED, rows).tokens
    )
    for wrong in (jnp.arange(2), rows[:2], jax.random.PRNGKey(0)):
        with pytest.raises(ValueError, match="rng is"):
            sample(model, params, *inputs("gpt"), CHANGED, wrong)


def test_other_numbers_need_no_other_program():
    drawn("gpt", CHANGED, RNGS)
    compiled = module._extend._cache_size()
    others = CHANGED._replace(
        temperature=1.3, top_k=3, top_p=0.5, repetition_penalty=2, min_length=1
    )
    assert np.any(drawn("gpt", others, RNGS).tokens != drawn("gpt", CHANGED, RNGS).tokens)
    assert module._extend._cache_size() == compiled


def test_settings_that_cannot_be_are_refused_before_anything_is_computed():
    for call in (sample, stream):
        with pytest.raises(ValueError, match="temperature is -1"):
            call(None, None, None, None, Sampling(temperature=-1), jax.random.key(0))


# Below, the model is a table: its next token depends on the last one and on how many were read.


def reads(params, read, state, token, *, weights=False):
    return state + 1, Output(params[jnp.minimum(state, len(params) - 1), token])


def begins(params, source, length):
    return Source((), source.valid), jnp.zeros((), int)


@cache
def bigrams():
    return Model("bigrams", lambda rng: None, lambda *_: None, begins, reads)


def table(size, seed, positions=12):
    return jnp.asarray(np.random.default_rng(seed).normal(scale=2, size=(positions, size, size)))


def continued(params, prompts, settings, rng, model=None):
    """Samples of prompts (lists), without a source."""
    given = pad([np.array(ids, np.int32) for ids in prompts], max(map(len, prompts)))
    none = pad([np.empty(0, np.int32)] * len(prompts), 0)
    return sample(model or bigrams(), params, none, given, settings, rng)


SEQUENCES = [
    Sampling(max_length=2),
    Sampling(temperature=0.6, top_k=3, max_length=3),
    Sampling(top_p=0.8, repetition_penalty=1.7, max_length=3),
    Sampling(no_repeat_ngram=1, min_length=1, max_length=3),
    Sampling(1.5, 4, 0.9, 1.4, no_repeat_ngram=2, min_length=2, max_length=3, banned=(6,)),
]


@pytest.mark.parametrize("settings", SEQUENCES, ids=str)
def test_frequencies_of_whole_texts_fit_the_exact_distribution(settings):
    """χ² of 10⁵ texts against the product of the distributions of their tokens, for every text that there is."""
    size, prompt, count = 7, [4, 5], 100_000
    params = table(size, seed=4)
    expected = {}

    def enumerate_from(text, chance):
        new = text[len(prompt) :]
        if len(new) == settings.max_length or END in new:
            expected[tuple(new)] = chance
            return
        state, last = len(text), text[-1]
        left = oracles.allowed(params[state, last], text, len(new), settings)
        for token, own in oracles.probabilities(left).items():
            enumerate_from([*text, token], chance * own)

    enumerate_from(prompt, 1.0)
    found = continued(params, [prompt] * count, settings, jax.random.key(3))
    texts, counts = np.unique(np.asarray(found.tokens), axis=0, return_counts=True)
    seen = {tuple(text_of(ids)): n for ids, n in zip(texts, counts, strict=True)}
    assert set(seen) <= set(expected) and sum(expected.values()) == pytest.approx(1)
    # Rare texts are counted together.
    often = [text for text, chance in expected.items() if chance * count >= 10]
    observed = [seen.get(text, 0) for text in often]
    wanted = [expected[text] * count for text in often]
    rest = count - sum(wanted)
    if rest > 5:
        observed, wanted = [*observed, count - sum(observed)], [*wanted, rest]
    wanted = np.array(wanted) * sum(observed) / sum(wanted)
    assert len(often) >= 4 and stats.chisquare(observed, wanted).pvalue > 1e-4


# What is static, in few combinations: each is one program. All else is traced.
STATIC = [
    Sampling(no_repeat_ngram=0, max_length=7, end=(END, 5)),
    Sampling(no_repeat_ngram=1, max_length=6),
    Sampling(no_repeat_ngram=2, max_length=9, banned=(4, 6), start=False),
]


@hypothesis.settings(max_examples=120, deadline=None, derandomize=True)
@hypothesis.given(
    static=st.sampled_from(STATIC),
    temperature=st.sampled_from([0.0, 0.5, 1.0, 5.0]),
    top_k=st.integers(0, 9),
    top_p=st.sampled_from([1e-9, 0.5, 0.9, 1.0]),
    penalty=st.sampled_from([0.5, 1.0, 3.0]),
    least=st.integers(0, 6),
    seed=st.integers(0, 5),
    prompts=st.lists(st.lists(st.integers(3, 7), max_size=4), min_size=2, max_size=2),
)
def test_no_setting_lets_a_text_break_its_bounds(
    static, temperature, top_k, top_p, penalty, least, seed, prompts
):
    names = ("temperature", "top_k", "top_p", "repetition_penalty", "min_length")
    values = (temperature, top_k, top_p, penalty, least)
    numbers = dict(zip(names, values, strict=True))
    settings = static._replace(**numbers)
    params = table(8, seed)
    given = pad([np.array(ids, np.int32) for ids in prompts], 4)
    none = pad([np.empty(0, np.int32)] * 2, 0)
    traced = static._replace(**jax.tree.map(jnp.asarray, numbers))
    found = sample(bigrams(), params, none, given, traced, jax.random.key(seed))
    for b, prompt in enumerate(prompts):
        new = text_of(found.tokens[b])
        first = [] if prompt and not static.start else [START]
        assert not np.any(found.tokens[b, len(new) :]) and len(new) <= static.max_length
        assert not {PAD, START, *static.banned} & set(new)
        assert bool(found.ended[b]) == (new[-1:] != [] and new[-1] in static.end)
        assert not set(new[:-1]) & set(static.end) and not set(new[:least]) & set(static.end)
        text = [*prompt, *new]
        logs = []
        for n, token in enumerate(new):
            read = [*first, *prompt, *new[:n]]
            logits = params[min(len(read) - 1, 11), read[-1]]
            left = oracles.allowed(logits, [*prompt, *new[:n]], n, settings)
            assert token in left and (temperature or [token] == list(left))
            logs.append(oracles.log_softmax(logits)[token])
            # Of n-grams that the prompt has twice, nothing more can be said.
            n_gram = static.no_repeat_ngram
            assert not n_gram or not oracles.repeats([*prompt, *new[: n + 1]], n_gram)
        np.testing.assert_allclose(found.log_probabilities[b, : len(new)], logs, rtol=1e-5)
        if len(new) < static.max_length and not found.ended[b]:
            last = [*first, *text]
            logits = params[min(len(last) - 1, 11), last[-1]]
            assert not oracles.allowed(logits, text, len(new), settings)  # nothing was possible


def test_a_text_that_cannot_go_on_stops_and_has_not_ended():
    settings = Sampling(no_repeat_ngram=1, max_length=9, banned=(END,))
    found = continued(table(8, 0), [[4], [5, 6]], settings, jax.random.key(0))
    # UNKNOWN and 4 to 7, each once.
    assert [sorted(text_of(ids)) for ids in found.tokens] == [[1, 5, 6, 7], [1, 4, 7]]
    assert not np.any(found.ended)
    nowhere = continued(
        jnp.full((2, 8, 8), jnp.nan), [[4]], Sampling(max_length=3), jax.random.key(0)
    )
    assert not np.any(nowhere.tokens) and not np.any(nowhere.ended)
    none = row(pad([np.empty(0, np.int32)], 0), 0)
    prompt = row(pad([np.array([4], np.int32)], 1), 0)
    streamed = stream(bigrams(), table(8, 0), none, prompt, settings, jax.random.key(0))
    assert sorted(streamed) == [1, 5, 6, 7]


def test_each_token_costs_one_step():
    steps = []

    def counted(params, read, state, token, *, weights=False):
        jax.debug.callback(lambda t: steps.append(int(t)), token, ordered=True)
        return reads(params, read, state, token)

    model = Model("counted", lambda rng: None, lambda *_: None, begins, counted)
    settings = Sampling(max_length=5, end=())
    found = continued(table(8, 0), [[4, 5, 6]], settings, jax.random.key(0), model)
    jax.effects_barrier()
    # START, the prompt and all new tokens but the last are read, each once.
    assert steps == [START, 4, 5, 6, *text_of(found.tokens[0])[:4]]


@cache
def forgetful(limit):
    """A model of at most `limit` tokens, whose next token depends on all tokens that it has read."""

    def step(params, read, state, token, *, weights=False):
        number, seen = state
        seen = (seen * 31 + token + number) % len(params)
        return (number + 1, seen), Output(params[seen])

    def start(params, source, length):
        return Source((), source.valid), (jnp.zeros((), int), jnp.zeros((), int))

    return Model(
        "forgetful",
        lambda rng: None,
        lambda *_: None,
        start,
        step,
        limits=lambda params: Limits(None, limit),
    )


@pytest.mark.parametrize("limit", [1, 2, 5, 6])
def test_when_the_table_of_positions_is_full_its_last_half_is_read_again(limit):
    params = jnp.asarray(np.random.default_rng(0).normal(scale=4, size=(101, 8)))
    settings = Sampling(max_length=20, end=(), temperature=0)
    for prompts in ([[4, 5], [6]], [[4, 5, 6, 7, 4, 5, 6, 6, 7], [5]]):
        found = continued(params, prompts, settings, jax.random.key(0), forgetful(limit))
        for b, prompt in enumerate(prompts):
            text, window = [START, *prompt], []
            for n in itertools.count():
                if len(window) == limit:  # before the next token is read
                    window = text[n + 1 - max(limit // 2, 1) : n]
                window.append(text[n])
                assert len(window) <= limit
                if n == len(text) - 1:
                    seen = 0
                    for number, token in enumerate(window):
                        seen = (seen * 31 + token + number) % 101
                    text.append(next(iter(oracles.allowed(params[seen], text[1:], 0, settings))))
                if len(text) == 1 + len(prompt) + settings.max_length:
                    break
            assert text_of(found.tokens[b]) == text[1 + len(prompt) :]


def test_a_model_with_positions_streams_past_its_table():
    model, params = built("gpt")
    settings = Sampling(max_length=40, end=())
    none = pad([np.empty(0, np.int32)], 0)
    prompt = pad([np.array([5, 9], np.int32)], 2)
    rng = jax.random.split(jax.random.key(5), 1)
    whole = sample(model, params, none, prompt, settings, rng)
    given = jax.tree.map(lambda x: x[0], (none, prompt))
    assert list(stream(model, params, *given, settings, rng[0])) == whole.tokens[0].tolist()
    # The oracle reads the same windows, one token at a time.
    begin, step = jax.jit(model.start, static_argnums=2), jax.jit(model.step)
    text = [START, 5, 9, *whole.tokens[0].tolist()]
    read, state = begin(params, given[0], 18)
    size = 0
    for n, token in enumerate(text[:-1]):
        if size == 18:
            read, state = begin(params, given[0], 18)
            for again in text[n - 8 : n]:
                state, _ = step(params, read, state, jnp.int32(again))
            size = 8
        state, output = step(params, read, state, jnp.int32(token))
        size += 1
        if n >= 2:
            logs = oracles.log_softmax(output.logits)[text[n + 1]]
            np.testing.assert_allclose(whole.log_probabilities[0, n - 2], logs, rtol=1e-6)


@pytest.mark.promise
@pytest.mark.slow
def test_tokens_with_a_cache_cost_at_most_a_fifth():
    """256 tokens of a GPT of 4 layers x 128; without a cache each token applies the model to the text so far."""
    size = {"features": 128, "heads": 4, "feed_forward": 512, "layers": 4, "norm": "pre"}
    decoder = {"kind": "transformer", "encoding": "learned", "positions": 260, **size}
    model = make_model(65, 65, encoder={"kind": "nothing"}, decoder=decoder, tie="all")
    params = model.init(jax.random.key(0))
    settings = Sampling(top_k=20, max_length=256, end=())
    rng = jax.random.split(jax.random.key(1), 1)
    none, prompt = pad([np.empty(0, np.int32)], 0), pad([np.array([5, 9], np.int32)], 2)

    @partial(jax.jit, static_argnums=1)
    def uncached(text, width, known):
        target = Padded(text[:width], jnp.arange(width) < known)
        example = {"source": row(none, 0), "target": target}
        logits = model.apply(params, example).logits[known]
        return module.next_token(rng[0], logits, text, known, known - 2, settings)[0]

    def without():
        text = jnp.zeros(320, jnp.int32).at[:2].set(prompt.values[0])
        for known in range(2, 258):
            width = min(-(-(known + 1) // 64) * 64, 260)  # few widths, since each is compiled
            text = text.at[known].set(uncached(text, width, known))
        return text[2:258]

    def cached():
        return sample(model, params, none, prompt, settings, rng).tokens[0]

    def streamed():
        return jnp.array(
            list(stream(model, params, row(none, 0), row(prompt, 0), settings, rng[0]))
        )

    ways = (without, cached, streamed)
    expected, *others = (np.asarray(way()) for way in ways)  # compiles
    for found in others:
        # Apart from rounding, the tokens are the same, as long as they are.
        assert len(found) == 256 and np.array_equal(found[:20], expected[:20])
    seconds = {way: [] for way in ways}
    for _ in range(3):  # in turns
        for way, own in seconds.items():
            start = time.perf_counter()
            jax.block_until_ready(way())
            own.append(time.perf_counter() - start)
    least = {way.__name__: min(own) for way, own in seconds.items()}
    print("seconds:", {name: round(own, 3) for name, own in least.items()})
    assert least["cached"] <= least["without"] / 5
    assert least["streamed"] <= least["without"] / 2
