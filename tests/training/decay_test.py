"""Weight decay is for matrices: every parameter of every piece is named here as one or as none, and is trained."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from attention_lab.mechanism import Dims, attend, init_attention, make_attention, remember
from attention_lab.models.cells import CELLS
from attention_lab.training.optimizer import SCHEDULES, adam
from attention_lab.training.replicas import Layout, init_states, spread
from attention_lab.training.step import init_state, make_train_step
from tests.models.small import STRUCTURES, example, named, names, recurrent, transformer

# By the end of their paths.
DECAY = {
    *("embeddings/source", "embeddings/target", "embeddings/output", "bridge", "positions/table"),
    *("rows/table", "columns/table", "layer_0/W", "layer_1/W", "project/W"),
    *("ward/W", "ward/U", "cell_0/W", "cell_0/U", "cell_1/W", "cell_1/U"),
    *("readout/W", "readout/W_c", "kernel", "heads/W_Q", "heads/W_K", "heads/W_V", "heads/W_O"),
    *(
        "score/W",
        "score/W_q",
        "score/W_k",
        "locality/W",
        "locality/V",
        "bias/a",
        "feedback/F",
        "feedback/U",
    ),
}
KEPT = {
    *("ward/b", "ward/b_n", "cell_0/b", "cell_0/b_n", "cell_1/b", "cell_1/b_n"),
    *("layer_0/b", "layer_1/b", "project/b", "gate/w", "gate/b"),
    *("norm/scale", "norm/bias", "W_1/bias", "W_2/bias", "W_3/bias"),
    *("heads/b_Q", "heads/b_V", "heads/b_O"),
    *("score/v", "score/beta", "locality/v", "bias/table", "feedback/w"),
}
HYPER = {"learning_rate": 0.1, "weight_decay": 0.5, "dropout": 0.0, "label_smoothing": 0.0}


def every_model():
    """Models that have all pieces, cells, decoders and forms of a layer."""
    models = {f"structure: {name}": make for name, make in STRUCTURES.items()}
    for cell in CELLS:
        for decoder in ("fixed", "bahdanau", "luong"):
            models[f"{cell}, {decoder}"] = lambda cell=cell, decoder=decoder: recurrent(
                decoder, cell=cell
            )
    for field in ("score", "bias", "locality", "feedback"):  # those that may have parameters
        for name in names(field):
            words = {field: name}
            if field != "bias":
                models[f"recurrent, {field}={name}"] = lambda w=words: recurrent(attention=w)
            if field != "feedback":
                models[f"transformer, {field}={name}"] = lambda w=words: transformer(
                    encoder=w, heads=4, key_value_heads=2
                )
    return models


MODELS = every_model()


def expected(name):
    """Whether the parameter of that name decays, by the lists above, of which exactly one has it."""
    (answer,) = {
        decays for ends, decays in ((DECAY, True), (KEPT, False)) if name.endswith(tuple(ends))
    }
    return answer


@pytest.mark.parametrize("model", MODELS)
def test_matrices_decay_and_nothing_else(model):
    made = MODELS[model]()
    params = jax.eval_shape(made.init, jax.random.key(0))
    found = named(made.matrices(params))
    assert found == {name: expected(name) for name in found}


@pytest.mark.parametrize(
    ("field", "name"),
    [(field, name) for field in ("score", "bias", "locality", "feedback") for name in names(field)],
)
def test_every_parameter_of_a_piece_is_trained(field, name):
    attention = make_attention(**{field: name})
    params = init_attention(attention, jax.random.key(0), Dims(6, 6, positions=24))
    keys, values, queries = (
        jax.random.normal(key, (8, 6)) for key in jax.random.split(jax.random.key(1), 3)
    )

    @jax.grad
    def gradient(params):
        memory, state, total = remember(attention, params, keys, values), None, 0.0
        for i in range(3):
            context = attend(attention, params, queries[i], i, memory, state)
            state, total = context.feedback_state, total + jnp.sum(context.vector**2)
        return total

    assert {path for path, g in named(gradient(params)).items() if not np.any(g)} == set()


@pytest.mark.parametrize("name", names("score"))
def test_the_first_update_of_a_score_has_the_types_of_all_others(name):
    params = init_attention(make_attention(score=name), jax.random.key(0), Dims(4, 4, positions=9))
    assert not any(leaf.weak_type for leaf in jax.tree.leaves(params))  # else it compiles again


UPDATED = {
    "recurrent": lambda: recurrent(attention={"score": "cosine", "feedback": "coverage"}),
    "lstm, local-p": lambda: recurrent(
        cell="lstm", attention={"score": "additive", "locality": "local_p"}
    ),
    "transformer": lambda: transformer(
        encoder={"score": "additive", "bias": "alibi"},
        decoder={"score": "cosine", "bias": "t5"},
        encoding="learned",
        norm="pre",
        layers=1,
    ),
}


def without_gradients(model, replicas):
    """The parameters before and after an update without gradients: nothing was to be said."""
    optimizer = adam(1.0)
    step = make_train_step(model, optimizer, SCHEDULES["constant"](1, 1))
    batch = example(jnp.full((2, 3), 5), jnp.zeros((2, 3), int))
    if replicas:
        hypers = [{**HYPER, "weight_decay": decay} for decay in (0.5, 0.25)]
        state = init_states(model, optimizer, [0, 1], hypers)
        step = spread(step, Layout(1))
        batch = jax.tree.map(lambda x: jnp.stack([x, x]), batch)
    else:
        state = init_state(model, optimizer, jax.random.key(0), HYPER)
    after, metrics = jax.jit(step)(state, batch)
    assert not np.any(metrics["gradient_norm"])
    return named(state.params), named(after.params)


@pytest.mark.parametrize("replicas", [False, True], ids=["alone", "replicas"])
@pytest.mark.parametrize("name", UPDATED)
def test_an_update_without_gradients_makes_matrices_smaller_and_changes_nothing_else(
    name, replicas
):
    before, after = without_gradients(UPDATED[name](), replicas)
    for path, old in before.items():
        decays = np.array([0.05, 0.025]).reshape(-1, *[1] * (old.ndim - 1)) if replicas else 0.05
        kept = 1 - decays if expected(path) else 1.0
        np.testing.assert_allclose(after[path], kept * np.asarray(old), rtol=1e-6, err_msg=path)
        assert np.any(old) or not expected(path)
