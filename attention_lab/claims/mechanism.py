"""Claims about the mechanism alone. They train no model, and each is measured in seconds.

A quantity is measured for several independent draws of random vectors; its interval is Student's t interval over the
draws. Measurements of time alternate between the two programs that are compared.
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
KEYS = 16  # keys per query
SMALL, LARGE = 4, 1024  # features
DEPTH, FEATURES, HEADS, LENGTH = 24, 32, 4, 12  # of the deep stack
TURNS = 7  # repetitions of a measurement of time


def of_draws(measure: Callable[[Array], Array]) -> Interval:
    """Returns the interval of the mean of `measure` over independent draws."""
    values = jax.jit(jax.vmap(measure))(jax.random.split(jax.random.key(0), DRAWS))
    return statistics.of_seeds(np.asarray(values, np.float64))


def bits(score: str, features: int) -> Callable[[Array], Array]:
    """Returns a measure of the mean entropy of a query's weights in bits; queries and keys have unit variance."""
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
    """Returns a measure of how far self-attention is from permutation equivariance.

    It is ‖f(Px) − P f(x)‖ / ‖P f(x)‖ for a random permutation P.
    """
    attention = make_attention(bias=bias)

    def measure(rng):
        rng_params, rng_words, rng_order = jax.random.split(rng, 3)
        params = init_multi_head(attention, rng_params, Dims(FEATURES, FEATURES), heads=HEADS)
        x = jax.random.normal(rng_words, (LENGTH, FEATURES))
        order = jax.random.permutation(rng_order, LENGTH)
        of_permuted = multi_head(attention, params, x[order]).vector
        permuted = multi_head(attention, params, x).vector[order]
        return jnp.linalg.norm(of_permuted - permuted) / jnp.linalg.norm(permuted)

    return measure


def gradient(residual: bool) -> Callable[[Array], Array]:
    """Returns a measure of how a deep Transformer stack scales gradients.

    It is log₁₀ of the norm of the gradient at the input of the first layer, relative to that at the output of the
    last. residual: self-attention and the feed-forward network are x + f(norm(x)) instead of f(x).
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

    def sublayer(f, x):
        return x + f(jax.nn.standardize(x)) if residual else f(x)

    def layer(x, params):
        x = sublayer(lambda y: multi_head(attention, params["heads"], y).vector, x)
        return sublayer(lambda y: jax.nn.relu(y @ params["up"]) @ params["down"], x), None

    def measure(rng):
        rng_params, rng_words, rng_cotangent = jax.random.split(rng, 3)
        params = jax.vmap(init)(jax.random.split(rng_params, DEPTH))
        x = jax.random.normal(rng_words, (LENGTH, FEATURES))
        cotangent = jax.random.normal(rng_cotangent, x.shape)
        gradient = jax.grad(lambda x: jnp.vdot(jax.lax.scan(layer, x, params)[0], cotangent))(x)
        return jnp.log10(jnp.linalg.norm(gradient) / jnp.linalg.norm(cotangent))

    return measure


def ratio(one: dict[str, str], other: dict[str, str], length: int, how: str) -> Interval:
    """Returns the interval of the ratio of the times of two self-attentions with 4 heads of 32 features.

    one, other: the arguments of `make_attention`. how: the implementation.
    """
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
    ratios = []
    for _ in range(TURNS):
        seconds = []
        for program in programs:
            started = time.perf_counter()
            program(x).block_until_ready()
            seconds.append(time.perf_counter() - started)
        ratios.append(seconds[0] / seconds[1])
    return statistics.of_seeds(ratios)


def _alone(measure: Callable[[], Interval]) -> Callable[[Sequence[Row]], Interval]:
    """Returns a measurement as a quantity that ignores the rows of a study."""
    return lambda rows: measure()


def _less(one, other):
    """Returns a measurement of the difference of two measures for the same draws."""
    return lambda: of_draws(lambda rng: one(rng) - other(rng))


CLAIMS = (
    Claim(
        "saturation",
        "With many features, unscaled dot products saturate the softmax.",
        "Vaswani et al. 2017, §3.2.1",
        f"entropy of {KEYS} weights in bits, dot, {LARGE} features",
        _alone(lambda: of_draws(bits("dot", LARGE))),
        below(0.5),
    ),
    Claim(
        "scaling",
        "Dividing by √d makes the entropy of the softmax independent of the number of features.",
        "Vaswani et al. 2017, §3.2.1",
        f"entropy of {KEYS} weights in bits, scaled dot, {LARGE} - {SMALL} features",
        _alone(_less(bits("scaled_dot", LARGE), bits("scaled_dot", SMALL))),
        within(0.3),
    ),
    Claim(
        "a set",
        "Without positions, self-attention ignores the order of words.",
        "Shaw et al. 2018, §1",
        "relative change of the output under a permutation of the words",
        _alone(lambda: of_draws(permuted("no_bias"))),
        below(1e-5),
    ),
    Claim(
        "a sequence",
        "Relative positions make self-attention depend on the order of words.",
        "Press et al. 2022, §3",
        "relative change of the output under a permutation of the words, with ALiBi",
        _alone(lambda: of_draws(permuted("alibi"))),
        above(0.01),
    ),
    Claim(
        "vanishing",
        "In a deep stack without residual connections and normalization, the gradient vanishes.",
        "lecture notes on the Transformer",
        f"log10 of the gradient at the input relative to the output, {DEPTH} layers",
        _alone(lambda: of_draws(gradient(residual=False))),
        below(-3),
    ),
    Claim(
        "residuals",
        "Residual connections and normalization preserve the gradient in a deep stack.",
        "lecture notes on the Transformer",
        f"log10 of the gradient at the input relative to the output, {DEPTH} layers",
        _alone(lambda: of_draws(gradient(residual=True))),
        within(1),
    ),
    Claim(
        "local is cheaper",
        "Local attention costs less than global attention.",
        "Luong et al. 2015, §3.2",
        "time of a window of 65 relative to global, 4,096 positions, blockwise",
        _alone(lambda: ratio({"mask": "window(32)"}, {}, 4096, "blockwise")),
        below(1),
    ),
    Claim(
        "multiplicative is faster",
        "Multiplicative scores are faster than additive ones.",
        "Luong et al. 2015, §3.1; Vaswani et al. 2017, §3.2.1",
        "time of additive relative to scaled dot, 512 positions, dense",
        _alone(lambda: ratio({"score": "additive"}, {}, 512, "dense")),
        above(1),
    ),
)
