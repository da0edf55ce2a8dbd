"""Cases from the registries: mechanisms in words, run by the package and by the oracles."""

import ast
import functools
import itertools
import random
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from attention_lab.mechanism import Dims, attend, init_attention, legality, make_attention, remember
from attention_lab.mechanism.parallel import attend_all
from attention_lab.mechanism.registry import PIECES
from tests import reference

# Options small enough for short sequences. A new piece whose factory has defaults needs no line here.
OPTIONS = {
    "window": "window(2)",
    "prefix": "prefix(4)",
    "shaw": "shaw(clip=3)",
    "t5": "t5(buckets=8, max_distance=12)",
    "local_m": "local_m(3)",
    "local_p": "local_p(3)",
    "local_grid": "local_grid(5, 2)",
    "grid_window": "grid_window(5, 1)",
    "location_aware": "location_aware(filters=2, width=3)",
    "windowed": "windowed(3)",
}
COMPOSED = {"mask": ["both(causal, window(2))", "either(causal, window(2))"]}
PLACES, IMPLEMENTATIONS = ("self", "cross"), ("dense", "blockwise", "fused")
HOWS = ("step", *(f"{kind} {how}" for kind in PLACES for how in IMPLEMENTATIONS))

LENGTH, FEATURES, HIDDEN, VALUES = 19, 4, 6, 3
DIMS = Dims(FEATURES, FEATURES, HIDDEN, positions=24)
PADDED = (9, 17, 18)


class Case(NamedTuple):
    """A mechanism in words, and how it is asked."""

    score: str = "scaled_dot"
    normalize: str = "softmax"
    mask: str = "everything"
    bias: str = "no_bias"
    locality: str = "global_"
    feedback: str = "no_feedback"
    how: str = "self dense"

    def __str__(self):
        plain = Case()._asdict()
        return "-".join(word for kind, word in self._asdict().items() if word != plain[kind])

    @property
    def attention(self):
        return make_attention(**{kind: getattr(self, kind) for kind in PIECES})

    @property
    def request(self):
        kind, _, implementation = self.how.partition(" ")
        return legality.Request(kind, implementation or "dense")

    @property
    def legal(self):
        return legality.why_not(self.attention, self.request) is None


def words(every_rotary=False):
    """kind -> the words of all its pieces, `how` among them."""
    kinds = {kind: [OPTIONS.get(name, name) for name in PIECES[kind]] for kind in PIECES}
    for kind, composed in COMPOSED.items():
        kinds[kind] = kinds[kind] + composed
    turned = kinds["score"] if every_rotary else ["scaled_dot", "additive"]
    kinds["score"] = kinds["score"] + [f"rotary({score})" for score in turned]
    kinds["score"] += ["rotary(general, halves=True)", "qk_norm(scaled_dot)"]
    return {**kinds, "how": list(HOWS)}


def pairs(case):
    return set(itertools.combinations(case._asdict().items(), 2))


@functools.cache
def every_pair():
    """(cases, refused): legal cases that between them hold every legal pair of words; the other pairs.

    A pair is legal if some way of asking a mechanism with these two words is.
    """
    rng = random.Random(0)
    kinds = words()

    def filled(pair, how):
        return Case(**{**dict(pair), "how": dict(pair).get("how", how)})

    legal, refused = [], []
    for first, second in itertools.combinations(kinds, 2):
        for pair in itertools.product(kinds[first], kinds[second]):
            pair = ((first, pair[0]), (second, pair[1]))
            tries = [filled(pair, how) for how in HOWS]
            (legal if any(case.legal for case in tries) else refused).append(pair)
    cases, covered = [], set()
    for pair in legal:
        if pair in covered:
            continue
        tries = [filled(pair, how) for how in HOWS]
        for _ in range(60):
            random_words = {kind: rng.choice(kinds[kind]) for kind in kinds}
            tries.append(Case(**{**random_words, **dict(pair)}))
        best = max((case for case in tries if case.legal), key=lambda c: len(pairs(c) - covered))
        cases.append(best)
        covered |= pairs(best)
    return cases, refused


def data(seed=0, dtype=np.float64):
    """queries, keys [L, D], values [L, D'] and valid [L]; what is padded is large, to be noticed."""
    rng = np.random.default_rng(seed)
    queries, keys = rng.normal(size=(2, LENGTH, FEATURES))
    values = rng.normal(size=(LENGTH, VALUES))
    valid = np.ones(LENGTH, bool)
    valid[list(PADDED)] = False
    keys[~valid], values[~valid] = 50.0, 50.0
    return tuple(jnp.asarray(x, dtype) for x in (queries, keys, values)), jnp.asarray(valid)


def parameters(case, dtype=np.float64):
    """The mechanism's own initial parameters, made larger so that rows of weights are far from uniform."""
    params = init_attention(case.attention, jax.random.key(1), DIMS)
    return jax.tree.map(lambda x: (1.5 * x).astype(dtype), params)


def ours(case, params, inputs, valid):
    """(vectors [L, D'], weights [L, L] or None), by the package."""
    queries, keys, values = inputs
    attention, request = case.attention, case.request
    memory = remember(attention, params, keys, values, valid)
    if request.kind != "step":
        wanted = request.implementation == "dense"
        context = attend_all(
            request.kind,
            attention,
            params,
            queries,
            memory,
            implementation=request.implementation,
            weights=wanted,
        )
        return context.vector, context.weights

    def step(state, query_and_position):
        context = attend(attention, params, *query_and_position, memory, state)
        return context.feedback_state, (context.vector, context.weights)

    start = attention.feedback.start(params["feedback"], memory)
    return jax.lax.scan(step, start, (queries, jnp.arange(len(queries))))[1]


def theirs(case, params, inputs, valid):
    """The same by the oracles."""
    queries, keys, values = (np.asarray(x, np.float64) for x in inputs)
    params = jax.tree.map(lambda x: np.asarray(x, np.float64), params)
    score, turn = case.score, reference.identity
    if score.startswith("rotary("):
        score, *options = score.removeprefix("rotary(").removesuffix(")").split(", ")
        turn = reference.rotary_turn(10000.0, halves=options == ["halves=True"])
    bias, _, bias_options = parse(case.bias)
    locality, options, _ = parse(case.locality)
    name, numbers, _ = parse(case.feedback)
    feedback = reference.FEEDBACKS[name]
    rows, past = [], []
    for i in range(len(queries)):
        there = np.asarray(valid)
        if name == "windowed":
            there = there & reference.around_median(past, LENGTH, *numbers)
        vector, weights = reference.attend(
            queries[i],
            i,
            keys,
            values,
            score=score,
            score_params=params["score"],
            turn=turn,
            normalizer=case.normalize,
            mask=reference_mask(case.mask),
            bias=bias,
            bias_params=params["bias"],
            bias_options=bias_options,
            locality=reference.LOCALITIES[locality](*options),
            locality_params=params["locality"],
            extra=feedback(params["feedback"], past, keys=LENGTH),
            valid=there,
        )
        rows.append(vector)
        past.append(weights)
    return np.array(rows), np.array(past)


def parse(words):
    """("name", args, kwargs) of "name(1, option=2)"."""
    tree = ast.parse(words, mode="eval").body
    if isinstance(tree, ast.Name):
        return tree.id, (), {}
    args = tuple(ast.literal_eval(arg) for arg in tree.args)
    return tree.func.id, args, {w.arg: ast.literal_eval(w.value) for w in tree.keywords}


def reference_mask(words):
    names = {**reference.MASKS, "both": reference.both, "either": reference.either}

    def build(tree):
        if isinstance(tree, ast.Name):
            return names[tree.id]()
        if isinstance(tree, ast.Call):
            return names[tree.func.id](*(build(arg) for arg in tree.args))
        return ast.literal_eval(tree)

    return build(ast.parse(words, mode="eval").body)


def distance(actual, expected):
    """‖actual − expected‖ / ‖expected‖ in float64, over a whole tree."""

    def flat(tree):
        leaves = [np.asarray(x, np.float64).ravel() for x in jax.tree.leaves(tree)]
        return np.concatenate(leaves)

    gap, size = np.linalg.norm(flat(actual) - flat(expected)), np.linalg.norm(flat(expected))
    return gap / max(size, 1e-30)
