"""What decoding and training know of any model: four pure functions of ONE example.

    params = model.init(rng)
    output = model.apply(params, {"source": Padded, "target": Padded})  # teacher forcing
    source, state = model.start(params, source, length)                 # once per source
    state, output = model.step(params, source, state, token)            # the next token

A batch is `jax.vmap` outside. Source and target are `Padded`: which of their positions exist is data, and no
model infers it from an id. Texts carry their end mark; the decoder is fed the target one place to the right,
after the start mark.
"""

import functools
from collections.abc import Callable, Collection, Mapping, Sized
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from attention_lab.marks import START
from attention_lab.mechanism import dropout
from attention_lab.mechanism.contracts import Array, Params, accumulator, summed_wide
from attention_lab.mechanism.registry import unknown

# The name of what `init_multi_head` makes: each of these parameters has one axis that counts heads.
HEADS = "heads"
# Traced numbers of a run, in which replicas may differ without compiling again: {"dropout": rate, ...}.
Hyper = dict[str, Any]


class Output(NamedTuple):
    """What a model says of the next token, and where it looked.

    logits: [.., V] unnormalized log-probabilities. weights: by place, "cross/0", "encoder/2", "decoder/0",
    each [H, Q, K], or None where not asked for. One step has no Q axis: [H, K].
    """

    logits: Array
    weights: dict[str, Array] | None = None


class Readout(NamedTuple):
    """What a decoder says of the next token, before it is compared with the vocabulary: features [.., E]."""

    features: Array
    weights: dict[str, Array]  # as in `Output`, {} where none were asked for


class Encoded(NamedTuple):
    """What an encoder says of ONE source. It may have fewer states than the source has positions.

    states: [K, D]; valid: bool[K]; summary: [D], all of it in one vector; weights: of the encoder's own attention
    by place, {} where none were asked for.
    """

    states: Array
    valid: Array
    summary: Array
    weights: dict[str, Array]


class Source(NamedTuple):
    """An encoded source as a decoder keeps it: whatever the decoder asks, and which states exist, bool[K]."""

    memory: Any
    valid: Array


def matrices(params: Params) -> Any:
    """For each parameter, whether it is a matrix: an axis that counts heads is none of its own."""

    def is_matrix(path, x):
        by_head = any(getattr(key, "key", None) == HEADS for key in path)
        return x.ndim - by_head >= 2

    return jax.tree_util.tree_map_with_path(is_matrix, params)


class Limits(NamedTuple):
    """The most tokens, END included, of a source and of a target that a model can read; None: any number."""

    source: int | None = None
    target: int | None = None

    def refusal(self, *sides: Sized) -> str | None:
        """Why the model cannot read a source [K], or a source and its target [T]; None where it can."""
        for name, ids, limit in zip(self._fields, sides, self, strict=False):
            if limit is not None and len(ids) > limit:
                return f"{len(ids)} {name} tokens, and the model reads at most {limit}"
        return None


def least(*limits: int | None) -> int | None:
    """The least of them; None where none is a limit."""
    return min((limit for limit in limits if limit is not None), default=None)


class Model(NamedTuple):
    """A model, chosen once; static under `jax.jit`.

    init: (rng) -> params.
    apply: (params, example, *, rng=None, hyper=None, weights=False, dtype=None) -> Output of every target
    position; rng=None drops nothing; dtype: the type to compute in (`computed_in`), by default the parameters'.
    start: (params, source, length) -> Source, state; length: the most tokens that will be stepped.
    step: (params, Source, state, token[], *, weights=False) -> state, Output of one position.
    limits: (params) -> Limits, those of tables that are indexed by position.
    matrices: (params) -> for each parameter, whether it is a matrix: only those decay (`optimizer.move`).
    """

    name: str
    init: Callable[..., Params]
    apply: Callable[..., Output]
    start: Callable[..., tuple[Source, Any]]
    step: Callable[..., tuple[Any, Output]]
    matrices: Callable[[Params], Any] = matrices
    limits: Callable[[Params], Limits] = lambda params: Limits()


class Dropout:
    """Dropout for one forward pass: each call drops from what it is given, independently.

    A sequence of rngs split from one, as the pass goes along; without an rng nothing is dropped.
    """

    def __init__(self, rng: Array | None, hyper: Hyper | None) -> None:
        self.rate = 0.0 if hyper is None else hyper.get("dropout", 0.0)
        self.rng = rng

    def continued(self, rng: Array | None) -> "Dropout":
        """The same rate, and what follows `rng`."""
        return Dropout(rng, {"dropout": self.rate})

    def next_rng(self) -> Array | None:
        """A fresh rng, None where nothing is to be dropped."""
        if self.rng is None:
            return None
        self.rng, fresh = jax.random.split(self.rng)
        return fresh

    def __call__(self, x: Array) -> Array:
        """x with each element zeroed with probability `rate`, the rest scaled up."""
        rng = self.next_rng()
        return x if rng is None else dropout(rng, self.rate, x)


def shift_right(target: Array) -> Array:
    """What the decoder is fed: the start mark, then all target tokens [T] but the last."""
    return jnp.concatenate([jnp.full_like(target[:1], START), target[:-1]])


def computed_in(model: Model, dtype: Any) -> Model:
    """The model, but `apply` computes in another type, bfloat16 say, from parameters that keep their own.

    Most of what is kept for the backward pass has that type. Sums are float32 at least, whichever they run over,
    features, keys, positions, time or sentences, forward or backward: each product casts the parameters where it
    reads them, so that their gradients are added up in their own type. So are softmaxes, the statistics of norms,
    the states of recurrent cells, which are sums over time, and the logits.
    """
    return model._replace(apply=partial(model.apply, dtype=dtype))


def at_precision(function: Callable[..., Any], precision: str) -> Callable[..., Any]:
    """The function, with matrix products of that precision, of `jax.default_matmul_precision`, whatever is set around."""

    @functools.wraps(function)
    def inside(*args, **options):
        with jax.default_matmul_precision(precision):
            return function(*args, **options)

    return inside


@functools.cache
def precise_in(model: Model, precision: str) -> Model:
    """The model, whose four functions run `at_precision`; equal arguments give the same one.

    Some gradients have rules of their own, which run when the gradient is taken: whoever takes it does that at the
    precision too.
    """
    return model._replace(
        init=at_precision(model.init, precision),
        apply=at_precision(model.apply, precision),
        start=at_precision(model.start, precision),
        step=at_precision(model.step, precision),
    )


def affine(x: Array, W: Array, b: Array | None = None) -> Array:
    """x W + b of x [.., D], with operands of x's type, and the sum in float32 at least. Returns that, [.., F]."""
    total = jnp.matmul(x, W.astype(x.dtype), **summed_wide(x.dtype))
    return total if b is None else total + jnp.reshape(b, (1,) * (x.ndim - 1) + (-1,))


def widened(tree: Any) -> Any:
    """The tree, its floating-point leaves in float32 at least: what many steps read, for their gradients' sums."""
    return jax.tree.map(
        lambda x: x.astype(accumulator(x.dtype)) if jnp.issubdtype(x.dtype, jnp.floating) else x,
        tree,
    )


def look_up(kind: str, names: Collection[str], name: str) -> Any:
    """The entry of that name, in a mapping. Raises ValueError, with the nearest name that there is."""
    if name not in names:
        raise ValueError(unknown(kind, name, names))
    return names[name] if isinstance(names, Mapping) else name
