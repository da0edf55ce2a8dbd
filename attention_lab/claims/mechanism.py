"""Claims about the mechanism alone: no model is trained, and each is measured in seconds.

A quantity is measured with several draws of random vectors; its interval is Student's over the draws. What
is timed alternates between the two that are compared.
"""

import time
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np

from attention_lab.claims.contracts import Claim, above, below, within
from attention_lab.evaluation import statistics
from attention_lab.evaluation.statistics import Interval
from attention_lab.mechanism import (
    Dims,
    cross_attention,
    init_attention,
    init_multi_head,
    make_attention,
    multi_head,
    remember,
)
from attention_lab.mechanism.contracts import Array
from attention_lab.studies.rows import Row

DRAWS = 8
KEYS = 16  # that a query chooses from
SMALL, LARGE = 4, 1024  # features
DEPTH, FEATURES, HEADS, LENGTH = 24, 32, 4, 12  # of the deep stack
TURNS = 7  # of what is timed


def of_draws(measure: Callable[[Array], Array]) -> Interval:
    """The interval of what one draw gives on average."""
    found = jax.jit(jax.vmap(measure))(jax.random.split(jax.random.key(0), DRAWS))
    return statistics.of_seeds(np.asarray(found, np.float64))


def bits(score: str, features: int) -> Callable[[Array], Array]:
    """The mean entropy of a query's weights; queries and keys have unit variance."""
    attention = make_attention(score=score)

    def measure(rng):
        rng_queries, rng_keys, rng_params = jax.random.split(rng, 3)
        params = init_attention(attention, rng_params, Dims(features, features))
        queries = jax.random.normal(rng_queries, (KEYS, features))
        keys = jax.random.normal(rng_keys, (KEYS, features))
        memory = remember(attention, params, keys, keys)
        weights = cross_attention(attention, params, queries, memory, weights=True).weights
        assert weights is not None
        return jax.scipy.special.entr(weights).sum(-1).mean() / jnp.log(2)

    return measure


def permuted(bias: str) -> Callable[[Array], Array]:
    """How far self-attention of permuted words is from its permuted answer, of 1."""
    attention = make_attention(bias=bias)

    def measure(rng):
        rng_params, rng_words, rng_order = jax.random.split(rng, 3)
        params = init_multi_head(attention, rng_params, Dims(FEATURES, FEATURES), heads=HEADS)
        x = jax.random.normal(rng_words, (LENGTH, FEATURES))
        order = jax.random.permutation(rng_order, LENGTH)
        one = multi_head(attention, params, x[order]).vector
        other = multi_head(attention, params, x).vector[order]
        return jnp.linalg.norm(one - other) / jnp.linalg.norm(other)

    return measure


def gradient(residual: bool) -> Callable[[Array], Array]:
    """log₁₀ of the gradient that enters the first of many layers of the Transformer, of what left the last.

    residual: x + f(norm(x)) for self-attention and for the feed-forward part, in place of f(x).
    """
    attention = make_attention()
    weights = jax.nn.initializers.glorot_uniform()

    def init(rng):
        rng_heads, rng_up, rng_down = jax.random.split(rng, 3)
        return {
            "heads": init_multi_head(attention, rng_heads, Dims(FEATURES, FEATURES), heads=HEADS),
            "up": weights(rng_up, (FEATURES, 4 * FEATURES)),
            "down": weights(rng_down, (4 * FEATURES, FEATURES)),
        }

    def around(f, x):
        return x + f(jax.nn.standardize(x)) if residual else f(x)

    def layer(x, params):
        x = around(lambda y: multi_head(attention, params["heads"], y).vector, x)
        return around(lambda y: jax.nn.relu(y @ params["up"]) @ params["down"], x), None

    def measure(rng):
        rng_params, rng_words, rng_aim = jax.random.split(rng, 3)
        params = jax.vmap(init)(jax.random.split(rng_params, DEPTH))
        x = jax.random.normal(rng_words, (LENGTH, FEATURES))
        aim = jax.random.normal(rng_aim, x.shape)
        into = jax.grad(lambda x: jnp.vdot(jax.lax.scan(layer, x, params)[0], aim))(x)
        return jnp.log10(jnp.linalg.norm(into) / jnp.linalg.norm(aim))

    return measure


def ratio(one: dict[str, str], other: dict[str, str], length: int, how: str) -> Interval:
    """The time that one self-attention takes, of the time of another, turn by turn; 4 heads of 32 features."""
    programs = []
    for words in (one, other):
        attention = make_attention(**words)
        params = init_multi_head(attention, jax.random.key(0), Dims(128, 128), heads=4)

        def program(x, attention=attention, params=params):
            return multi_head(attention, params, x, implementation=how).vector

        programs.append(jax.jit(program))
    x = jax.random.normal(jax.random.key(1), (length, 128))
    for program in programs:
        program(x).block_until_ready()
    found = []
    for _ in range(TURNS):
        seconds = []
        for program in programs:
            started = time.perf_counter()
            program(x).block_until_ready()
            seconds.append(time.perf_counter() - started)
        found.append(seconds[0] / seconds[1])
    return statistics.of_seeds(found)


def _alone(measure: Callable[[], Interval]) -> Callable[[Sequence[Row]], Interval]:
    """A quantity that needs no study."""
    return lambda rows: measure()


def _less(one, other):
    """The difference of two measures with the same draws."""
    return lambda: of_draws(lambda rng: one(rng) - other(rng))


CLAIMS = (
    Claim(
        "saturation",
        "With many features, products that are not scaled leave a softmax with one winner.",
        "Vaswani et al. 2017, §3.2.1",
        f"bits of {KEYS} weights, dot, {LARGE} features",
        _alone(lambda: of_draws(bits("dot", LARGE))),
        below(0.5),
    ),
    Claim(
        "scaling",
        "Dividing by √d keeps the softmax as it is, whatever the number of features.",
        "Vaswani et al. 2017, §3.2.1",
        f"bits of {KEYS} weights, scaled dot, {LARGE} - {SMALL} features",
        _alone(_less(bits("scaled_dot", LARGE), bits("scaled_dot", SMALL))),
        within(0.3),
    ),
    Claim(
        "a set",
        "Without positions, self-attention sees a set.",
        "Shaw et al. 2018, §1",
        "what a permutation of the words changes, of 1",
        _alone(lambda: of_draws(permuted("no_bias"))),
        below(1e-5),
    ),
    Claim(
        "a sequence",
        "Relative positions make it a sequence.",
        "Press et al. 2022, §3",
        "what a permutation of the words changes, of 1, with ALiBi",
        _alone(lambda: of_draws(permuted("alibi"))),
        above(0.01),
    ),
    Claim(
        "vanishing",
        "A deep stack without residuals and norms loses its gradient.",
        "lecture notes on the Transformer",
        f"log10 of the gradient at the words, of that at the end, {DEPTH} layers",
        _alone(lambda: of_draws(gradient(residual=False))),
        below(-3),
    ),
    Claim(
        "residuals",
        "Residuals and norms make depth trainable.",
        "lecture notes on the Transformer",
        f"log10 of the gradient at the words, of that at the end, {DEPTH} layers",
        _alone(lambda: of_draws(gradient(residual=True))),
        within(1),
    ),
    Claim(
        "local is cheaper",
        "Local attention costs less than global attention.",
        "Luong et al. 2015, §3.2",
        "time at 4,096 positions, of global: a window of 65, blockwise",
        _alone(lambda: ratio({"mask": "window(32)"}, {}, 4096, "blockwise")),
        below(1),
    ),
    Claim(
        "multiplicative is faster",
        "Multiplicative scores are faster than additive ones.",
        "Luong et al. 2015, §3.1; Vaswani et al. 2017, §3.2.1",
        "time at 512 positions, additive, of scaled dot's, dense",
        _alone(lambda: ratio({"score": "additive"}, {}, 512, "dense")),
        above(1),
    ),
)
