"""Programs: a case, compiled and ready to be called, in this package or in another library.

All libraries receive the same arrays, in the layout that each expects, and compute the same result: the context
vectors, or the gradients of their inner product with a fixed random cotangent with respect to all parameters,
queries, keys and values.
"""

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from attention_lab.benchmarks.cases import Case, Sizes, mechanism
from attention_lab.mechanism import Dims, init_attention, remember
from attention_lab.mechanism.parallel import attend_all

Array = jax.Array


class Program(NamedTuple):
    """A compiled program.

    call: runs the program once, waits for the result and returns it. temp_bytes: the memory of its temporary
    buffers, or None if it is unknown.
    """

    call: Callable[[], Any]
    temp_bytes: int | None


def prepare(case: Case, sizes: Sizes) -> Program:
    """Compiles the program of a case. Errors of the library are not caught."""
    if case.ours:
        return _ours(case, sizes)
    return BASELINES[case.implementation](case, sizes)


def tensors(case: Case, sizes: Sizes) -> Array:
    """Returns queries, keys, values and the cotangent, [4, H, L, D], from a standard normal distribution."""
    shape = (4, sizes.heads, case.length, sizes.features)
    return jax.random.normal(jax.random.key(sizes.seed), shape, jnp.float32)


def _ours(case: Case, sizes: Sizes) -> Program:
    attention = mechanism(case)
    dims = Dims(sizes.features, sizes.features, hidden=sizes.hidden, positions=case.length)
    rngs = jax.random.split(jax.random.key(sizes.seed + 1), sizes.heads)
    params = jax.vmap(lambda rng: init_attention(attention, rng, dims))(rngs)

    def one_head(params, q, k, v):
        memory = remember(attention, params, k, v)
        how = case.implementation
        return attend_all("self", attention, params, q, memory, implementation=how).vector

    q, k, v, cotangent = tensors(case, sizes)
    return _compiled(case, jax.vmap(one_head), cotangent, (params, q, k, v))


def _compiled(case: Case, forward: Callable, cotangent: Array, args: tuple) -> Program:
    """Compiles `forward`, or its gradients. The cotangent is an input, so that XLA cannot fold it as a constant."""

    def loss(cotangent, *args):
        return jnp.vdot(forward(*args), cotangent)

    everything = tuple(range(1, 1 + len(args)))
    both = jax.value_and_grad(loss, argnums=everything)
    if case.direction == "forward":
        compiled = jax.jit(forward).lower(*args).compile()
        call = partial(compiled, *args)
    else:
        compiled = jax.jit(both).lower(cotangent, *args).compile()
        call = partial(compiled, cotangent, *args)
    memory = compiled.memory_analysis()
    temp_bytes = None if memory is None else int(memory.temp_size_in_bytes)
    return Program(lambda: jax.block_until_ready(call()), temp_bytes)


def _positions_first(case: Case, sizes: Sizes) -> Array:
    """Returns `tensors` in the layout [4, L, H, D]."""
    return jnp.swapaxes(tensors(case, sizes), 1, 2)


def _jax(case: Case, sizes: Sizes) -> Program:
    attend = partial(
        jax.nn.dot_product_attention, scale=1.0, is_causal=case.causal, implementation="xla"
    )
    q, k, v, cotangent = _positions_first(case, sizes)
    return _compiled(case, attend, cotangent, (q, k, v))


def _flax(case: Case, sizes: Sizes) -> Program:
    from flax import linen

    def attend(q, k, v):
        # Flax divides the scores by √D; this factor cancels the division.
        mask = linen.make_causal_mask(jnp.ones(case.length)) if case.causal else None
        return linen.dot_product_attention(q * sizes.features**0.5, k, v, mask=mask)

    q, k, v, cotangent = _positions_first(case, sizes)
    return _compiled(case, attend, cotangent, (q, k, v))


def _tokamax(case: Case, sizes: Sizes) -> Program:
    import tokamax

    attend = partial(tokamax.dot_product_attention, logits_scale=1.0, is_causal=case.causal)
    q, k, v, cotangent = _positions_first(case, sizes)[:, None]
    return _compiled(case, attend, cotangent, (q, k, v))


def _torch(case: Case, sizes: Sizes) -> Program:
    from attention_lab.benchmarks import torch_programs

    q, k, v, cotangent = tensors(case, sizes)
    return Program(torch_programs.sdpa(case, q, k, v, cotangent), None)


def _flex(case: Case, sizes: Sizes) -> Program:
    from attention_lab.benchmarks import torch_programs

    q, k, v, cotangent = tensors(case, sizes)
    return Program(torch_programs.flex(case, q, k, v, cotangent), None)


BASELINES: Mapping[str, Callable[[Case, Sizes], Program]] = MappingProxyType(
    {"jax": _jax, "flax": _flax, "torch": _torch, "flex": _flex, "tokamax": _tokamax}
)
# The module that a baseline needs beyond the requirements.
NEEDS: Mapping[str, str] = MappingProxyType(
    {"torch": "torch", "flex": "torch", "tokamax": "tokamax"}
)
