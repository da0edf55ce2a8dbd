"""The interface of models to decoding and training: four pure functions of ONE example.

    params = model.init(rng)
    output = model.apply(params, {"source": Padded, "target": Padded})  # teacher forcing
    source, state = model.start(params, source, length)                 # once per source
    state, output = model.step(params, source, state, token)            # the next token

A batch is `jax.vmap` outside. Source and target are `Padded`: which of their positions exist is data, and no
model infers it from an id. Texts end in END; the decoder's input is the target shifted to the right by one
position, with START before it. Several documents may be packed into one target: see `Model.apply`.
"""

import functools
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from attention_lab.mechanism import dropout
from attention_lab.mechanism.contracts import Array, Params, accumulator
from attention_lab.mechanism.registry import unknown
from attention_lab.padded import Padded, positions
from attention_lab.special_tokens import START

# The name of the parameters of `init_multi_head`, each of which has one axis of heads.
HEADS = "heads"
# Traced hyperparameters, in which replicas may differ without recompilation: {"dropout": rate, ...}.
Hyper = dict[str, Any]


class Output(NamedTuple):
    """The output of a model for the next token: its logits, and its attention weights.

    logits: [.., V] unnormalized log-probabilities. weights: by layer, "cross/0", "encoder/2", "decoder/0",
    each [H, Q, K], or None where not requested. One step has no Q axis: [H, K]. losses: by name, what the model adds to
    the cross-entropy of the whole target, [] each; None: nothing.
    """

    logits: Array
    weights: dict[str, Array] | None = None
    losses: dict[str, Array] | None = None


class Readout(NamedTuple):
    """The output of a decoder for the next token, before the projection to the vocabulary: features [.., E]."""

    features: Array
    weights: dict[str, Array]  # as in `Output`, {} where not requested
    losses: dict[str, Array] | None = None  # as in `Output`
    drawn: Any = None  # a `Drawn` of hard attention


class Encoded(NamedTuple):
    """The output of an encoder for ONE source. It may have fewer states than the source has positions.

    states: [K, D], those of an image row by row; valid: bool[K]; summary: [D], the whole source as one vector; weights:
    those of the encoder's own attention, by layer, {} where not requested.
    """

    states: Array
    valid: Array
    summary: Array
    weights: dict[str, Array]


class Source(NamedTuple):
    """An encoded source as a decoder stores it: the memory to which it attends, and which states exist, bool[K]."""

    memory: Any
    valid: Array


def matrices(params: Params) -> Any:
    """Returns for each parameter whether it is a matrix, not counting an axis of heads."""

    def is_matrix(path, x):
        by_head = any(getattr(key, "key", None) == HEADS for key in path)
        return x.ndim - by_head >= 2

    return jax.tree_util.tree_map_with_path(is_matrix, params)


class Limits(NamedTuple):
    """The most states of a source and the most tokens of a target, END included, that a model can read; None: any number.

    stride: the positions of a source, along each axis, that one state replaces; 1 for tokens.
    """

    source: int | None = None
    target: int | None = None
    stride: int = 1

    def refusal(self, source: Any, target: Any = ()) -> str | None:
        """Returns why the model cannot read a source [K], [K, F] or [Y, X, C], or its target [T]; None if it can."""
        what = "source tokens" if self.stride == 1 else "source states"
        for name, size, limit in (
            (what, math.prod(self.states(source)), self.source),
            ("target tokens", len(target), self.target),
        ):
            if limit is not None and size > limit:
                return f"{size} {name}, and the model reads at most {limit}"
        return None

    def states(self, source: Any) -> tuple[int, ...]:
        """Returns the numbers of states of a source along its axes of positions."""
        return shortened(np.shape(source), self.stride)

    @property
    def positions(self) -> int | None:
        """The most positions of a sequence that is a source."""
        return None if self.source is None else self.source * self.stride


def shortened(shape: Sequence[int], stride: int) -> tuple[int, ...]:
    """Returns the numbers of states of a source [.., F] along its axes of positions, each of which replaces `stride` of them."""
    return tuple(-(-size // stride) for size in positions(shape))


def least(*limits: int | None) -> int | None:
    """Returns the least of the limits; None if all are None."""
    return min((limit for limit in limits if limit is not None), default=None)


class Model(NamedTuple):
    """A model, as a tuple of functions; static under `jax.jit`.

    init: (rng) -> params.
    apply: (params, example, *, rng=None, hyper=None, weights=False, dtype=None) -> Output of every target
    position; rng=None: no dropout; dtype: the type of computation (`computed_in`), by default that of the parameters.
    Beside "source" and "target", an example may have "inputs", int[T], the token that the decoder reads at each position,
    by default the target shifted to the right (`shift_right`), and "segments", int[T], the document of each target
    position: each run of equal numbers is a document, which is decoded as if it were alone.
    start: (params, source, length) -> Source, state; length: the largest number of steps.
    step: (params, Source, state, token[], *, weights=False) -> state, Output of one position.
    limits: (params) -> Limits, the lengths of tables that are indexed by position.
    blank: () -> a source of one position, which is valid: Padded ids [1], frames [1, F] or an image [1, 1, C].
    reads: "tokens", "frames", "image", or "nothing"; stride: the positions of a source, along each axis, that one state
    replaces. draws: whether `apply` draws something besides dropout, so that training requires an rng without dropout too.
    matrices: (params) -> for each parameter, whether it is a matrix: weight decay applies to these only (`optimizer.move`).
    """

    name: str
    init: Callable[..., Params]
    apply: Callable[..., Output]
    start: Callable[..., tuple[Source, Any]]
    step: Callable[..., tuple[Any, Output]]
    matrices: Callable[[Params], Any] = matrices
    limits: Callable[[Params], Limits] = lambda params: Limits()
    blank: Callable[[], Padded] = lambda: blank("tokens", 1)
    reads: str = "tokens"
    stride: int = 1
    draws: bool = False


# The number of axes of positions of each kind of source.
AXES = MappingProxyType({"nothing": 1, "tokens": 1, "frames": 1, "image": 2})


def blank(reads: str, features: int) -> Padded:
    """Returns a source of one position, which is valid; features: of a frame, or channels of an image."""
    shape = (1,) * AXES[reads]
    perceived = reads in ("frames", "image")
    values = np.zeros((*shape, features), np.float32) if perceived else np.zeros(shape, np.int32)
    return Padded(values, np.ones(shape, bool))


class Dropout:
    """Dropout of one forward pass, in which each call draws an independent mask.

    Each call splits a fresh rng from the current one; without an rng nothing is dropped.
    """

    def __init__(self, rng: Array | None, hyper: Hyper | None) -> None:
        self.rate = 0.0 if hyper is None else hyper.get("dropout", 0.0)
        self.rng = rng

    def continued(self, rng: Array | None) -> "Dropout":
        """Returns dropout of the same rate that continues with `rng`."""
        return Dropout(rng, {"dropout": self.rate})

    def next_rng(self) -> Array | None:
        """Returns a fresh rng, None where nothing is dropped."""
        if self.rng is None:
            return None
        self.rng, fresh = jax.random.split(self.rng)
        return fresh

    def __call__(self, x: Array) -> Array:
        """Returns x with each element set to zero with probability `rate`, and the others scaled up."""
        rng = self.next_rng()
        return x if rng is None else dropout(rng, self.rate, x)


def shift_right(target: Array, starts: Array | None = None) -> Array:
    """Returns the input of the decoder: START, then all target tokens [T] but the last; START at all `starts`, bool[T]."""
    shifted = jnp.concatenate([jnp.full_like(target[:1], START), target[:-1]])
    return shifted if starts is None else jnp.where(starts, START, shifted)


def starts_of(segments: Array) -> Array:
    """Returns whether a document starts at each position, bool[T]: whether its number differs from that before it."""
    return jnp.concatenate([jnp.ones(1, bool), segments[1:] != segments[:-1]])


def restarted(starts: Array) -> Array:
    """Returns the position of each token in its document, int[T], counted from 0 at each of the `starts`, bool[T]."""
    positions = jnp.arange(len(starts))
    return positions - jax.lax.cummax(jnp.where(starts, positions, 0))


def computed_in(model: Model, dtype: Any) -> Model:
    """Returns the model with an `apply` that computes in another type, such as bfloat16, from unchanged parameters.

    Most residuals of the backward pass have that type. Sums over features, keys, positions, time or sentences are
    accumulated in float32 at least, forward and backward: each product casts the parameters where it reads them, so
    that their gradients are accumulated in the parameters' own type. Softmaxes, the statistics of norms, the states
    of recurrent cells, which are sums over time, and the logits are float32 at least, too.
    """
    return model._replace(apply=partial(model.apply, dtype=dtype))


def at_precision(function: Callable[..., Any], precision: str) -> Callable[..., Any]:
    """Returns the function with `jax.default_matmul_precision` set to `precision` inside, whatever is set outside."""

    @functools.wraps(function)
    def inside(*args, **options):
        with jax.default_matmul_precision(precision):
            return function(*args, **options)

    return inside


@functools.cache
def precise_in(model: Model, precision: str) -> Model:
    """Returns the model with its four functions `at_precision`; it is cached by its arguments.

    Custom derivative rules run when a gradient is computed: compute gradients at the same precision, too.
    """
    return model._replace(
        init=at_precision(model.init, precision),
        apply=at_precision(model.apply, precision),
        start=at_precision(model.start, precision),
        step=at_precision(model.step, precision),
    )


def widened(tree: Any) -> Any:
    """Returns the tree with floating-point leaves in float32 at least, in which gradients of many steps are summed."""
    return jax.tree.map(
        lambda x: x.astype(accumulator(x.dtype)) if jnp.issubdtype(x.dtype, jnp.floating) else x,
        tree,
    )


def look_up(kind: str, names: Collection[str], name: str) -> Any:
    """Returns the entry of that name in a mapping, or the name. Raises ValueError, with the nearest existing name."""
    if name not in names:
        raise ValueError(unknown(kind, name, names))
    return names[name] if isinstance(names, Mapping) else name
