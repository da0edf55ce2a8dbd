"""bfloat16 is what is computed in; what is summed, over anything, forward or backward, is float32."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.extend import core

from attention_lab.mechanism import (
    SCORES,
    Dims,
    init_attention,
    init_multi_head,
    make_attention,
    multi_head,
    self_attention,
)
from attention_lab.models.base import computed_in
from attention_lab.models.cells import CELLS, project
from attention_lab.padded import Padded
from attention_lab.training.objectives import cross_entropy
from attention_lab.training.optimizer import SCHEDULES, adam
from attention_lab.training.step import init_state, make_train_step
from tests.models.small import (
    STRUCTURES,
    example,
    recurrent,
    source_of,
    transformer,
    unpadded,
)

HYPER = {"learning_rate": 0.01, "weight_decay": 0.1, "dropout": 0.2, "label_smoothing": 0.1}
NARROW = jnp.dtype(jnp.bfloat16)
SUMS = ("reduce_sum", "cumsum", "cumlogsumexp", "scatter-add", "reduce_window_sum", "psum")


def lines(jaxpr):
    """All lines of a program, those of its loops, branches and calls too."""
    for line in jaxpr.eqns:
        yield line
        for value in jax.tree.leaves(
            list(line.params.values()),
            is_leaf=lambda x: isinstance(x, (core.Jaxpr, core.ClosedJaxpr)),
        ):
            if isinstance(value, core.ClosedJaxpr):
                yield from lines(value.jaxpr)
            elif isinstance(value, core.Jaxpr):
                yield from lines(value)


def narrow(var):
    return getattr(var.aval, "dtype", None) == NARROW


def added_up_in_a_loop(line):
    """What a scan carries on as narrow sums: each turn adds to what came in, and does nothing else with it."""
    body = line.params["jaxpr"].jaxpr
    first = line.params["num_consts"]
    carried = body.invars[first : first + line.params["num_carry"]]
    made = {id(eqn.outvars[0]): eqn for eqn in body.eqns}
    for before, after in zip(carried, body.outvars, strict=False):
        eqn = made.get(id(after))
        adds = eqn is not None and eqn.primitive.name in ("add", "add_any")
        if narrow(before) and adds and any(operand is before for operand in eqn.invars):
            yield before.aval


def narrow_sums(jaxpr):
    """Each sum of a program that is narrow, in words."""
    found = []
    for line in lines(jaxpr):
        name = line.primitive.name
        if name == "dot_general" and any(map(narrow, line.invars)) and narrow(line.outvars[0]):
            found.append(f"dot_general {[v.aval.str_short() for v in line.invars]}")
        if name in SUMS and narrow(line.outvars[0]):
            found.append(f"{name} {line.invars[0].aval.str_short()}")
        if name == "scan":
            found += [f"carried {aval.str_short()}" for aval in added_up_in_a_loop(line)]
    return found


def program(model):
    """One update, dropout on, of a batch of two."""
    step = make_train_step(computed_in(model, "bfloat16"), adam(1.0), SCHEDULES["constant"](1, 1))
    state = jax.eval_shape(lambda: init_state(model, adam(1.0), jax.random.key(0), HYPER))
    rows = Padded(*(jax.ShapeDtypeStruct((2, 7), kind) for kind in (jnp.int32, bool)))
    one = unpadded(source_of(model, 0, 7))
    source = jax.tree.map(lambda x: jax.ShapeDtypeStruct((2, *x.shape), x.dtype), one)
    batch = {"source": source, "target": rows}
    return jax.make_jaxpr(step)(state, batch).jaxpr


RECURRENT = ("fixed", "bahdanau", "luong")
MODELS = {
    **STRUCTURES,
    **{
        f"{decoder}, lstm": lambda decoder=decoder: recurrent(decoder, cell="lstm")
        for decoder in RECURRENT
    },
    **{f"recurrent, {s}": lambda s=s: recurrent(attention={"score": s}) for s in SCORES},
    **{f"transformer, {s}": lambda s=s: transformer(cross={"score": s}) for s in SCORES},
    "recurrent, location-aware": lambda: recurrent(attention={"feedback": "location_aware"}),
    "recurrent, recomputed": lambda: recurrent(recompute=True),
    "transformer, recomputed": lambda: transformer(recompute=True, attention_dropout=True),
    "transformer, t5": lambda: transformer(decoder={"bias": "t5"}, norm="post"),
}


@pytest.mark.parametrize("name", MODELS)
def test_no_sum_of_an_update_in_bfloat16_is_narrow(name):
    with jax.enable_x64(False):
        jaxpr = program(MODELS[name]())
    assert any(narrow(v) for line in lines(jaxpr) for v in line.outvars)
    assert narrow_sums(jaxpr) == []


@pytest.mark.parametrize(
    "cell", ["gru", pytest.param("lstm", marks=[pytest.mark.slow, pytest.mark.promise])]
)
@pytest.mark.parametrize("decoder", RECURRENT)
def test_gradients_of_a_long_sentence_are_those_of_float64_to_the_digits_of_bfloat16(decoder, cell):
    length = 512  # of one word, again and again: small equal gradients, of which a narrow sum forgets most
    score = "general" if decoder == "luong" else "additive"
    model = recurrent(decoder, cell=cell, attention={"score": score})
    one = example(jnp.full(length, 7), jnp.full(length, 5))
    params = model.init(jax.random.key(0))

    def gradients(model, dtype):
        def loss(params):
            return cross_entropy(model.apply(params, one).logits, one["target"].values, 0.0).mean()

        cast = jax.tree.map(lambda x: x.astype(dtype), params)
        return map(np.float64, jax.tree.leaves(jax.jit(jax.grad(loss))(cast)))

    exact = list(gradients(model, jnp.float64))
    found = list(gradients(computed_in(model, jnp.bfloat16), jnp.float32))
    far = [np.linalg.norm(x - y) / np.linalg.norm(x) for x, y in zip(exact, found, strict=True)]
    whole = [np.concatenate([x.ravel() for x in each]) for each in (exact, found)]
    assert np.linalg.norm(whole[0] - whole[1]) < 0.015 * np.linalg.norm(whole[0])
    assert max(far) < 0.06


@pytest.mark.parametrize("cell", CELLS)
def test_the_state_of_a_cell_is_kept_in_float32(cell):
    state = CELLS[cell].start(jnp.zeros(3, jnp.bfloat16))
    params = jax.tree.map(
        lambda x: x.astype(jnp.float32), CELLS[cell].init(jax.random.key(0), 2, 3)
    )
    projected = project(params, jnp.ones(2, jnp.bfloat16))
    assert projected.dtype == NARROW
    after = CELLS[cell].step(params, projected, state)
    assert {x.dtype for x in jax.tree.leaves((state, after))} == {jnp.dtype(jnp.float32)}


@pytest.mark.parametrize("kind", [recurrent, transformer])
def test_logits_are_not_rounded(kind):
    params = jax.tree.map(lambda x: x.astype(jnp.float32), kind().init(jax.random.key(0)))
    one = example([5, 6, 3], [7, 3])
    logits = computed_in(kind(), jnp.bfloat16).apply(params, one).logits
    assert logits.dtype == jnp.float32
    assert np.any(logits != logits.astype(jnp.bfloat16))


@pytest.mark.parametrize("implementation", ["dense", "blockwise", "many heads"])
@pytest.mark.parametrize("score", SCORES)
def test_no_sum_of_an_attention_in_bfloat16_is_narrow(score, implementation):
    attention, rng = make_attention(score=score, mask="causal"), jax.random.key(0)
    dims = Dims(8, 8, positions=300)

    def context(params, x, valid):
        if implementation == "many heads":
            return multi_head(attention, params, x, valid=valid).vector
        options = {"valid": valid, "implementation": implementation}
        return self_attention(attention, params, x, **options).vector

    def loss(params, x, valid):
        return jnp.sum(jax.vmap(context, (None, 0, 0))(params, x, valid) ** 2, dtype=jnp.float32)

    with jax.enable_x64(False):
        init = init_multi_head if implementation == "many heads" else init_attention
        sizes = {"heads": 2} if init is init_multi_head else {}
        params = jax.eval_shape(lambda: init(attention, rng, dims, **sizes))
        x = jax.ShapeDtypeStruct((2, 300, 8), jnp.bfloat16)
        jaxpr = jax.make_jaxpr(jax.grad(loss, (0, 1)))(
            params, x, jax.ShapeDtypeStruct((2, 300), bool)
        )
    assert narrow_sums(jaxpr.jaxpr) == []
