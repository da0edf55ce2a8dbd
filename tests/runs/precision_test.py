"""Matrix products have the precision of the config, whatever the machine or the process has set."""

import functools
import json
from functools import partial

import jax
import jax.numpy as jnp
import pytest

from attention_lab import runs
from attention_lab.data.vocabularies import Codec
from attention_lab.decoding import Search, decode
from attention_lab.padded import Padded
from attention_lab.runs import checks, setup
from attention_lab.runs.outputs import every_layer
from attention_lab.runs.run import teacher_forced
from attention_lab.studies.study import changed
from attention_lab.training.optimizer import adam
from attention_lab.training.step import init_state
from configs import defaults
from tests.training.sums_test import lines

LENGTH = (
    130  # so that a Transformer's attention is done in tiles, whose gradient has a rule of its own
)
SMALL = {
    "recurrent": {
        "encoder": {"embedding": 6, "features": 8},
        "decoder": {"embedding": 6, "hidden": 8},
    },
    "transformer": {
        side: {"features": 8, "heads": 2, "feed_forward": 8, "layers": 1}
        for side in ("encoder", "decoder")
    },
}
SET = {"highest": "HIGHEST", "high": "HIGH", "default": "DEFAULT"}


def config_of(kind, **fields):
    config = {**json.loads(defaults.translation().to_json())}
    model = json.loads(getattr(defaults, kind)().to_json())
    config["model"] = {
        **model,
        **{side: {**model[side], **SMALL[kind][side]} for side in SMALL[kind]},
    }
    return changed(config, fields, "this")


@functools.cache
def model_of(kind, precision):
    return runs.model_of(
        config_of(kind, **{"training.matmul_precision": precision}), Codec(range(19), range(19))
    )


def ids(*shape):
    return Padded(*(jax.ShapeDtypeStruct(shape, kind) for kind in (jnp.int32, bool)))


def update(kind, precision, compute="float32"):
    config = config_of(
        kind, **{"training.matmul_precision": precision, "training.compute": compute}
    )
    model = model_of(kind, precision)
    step = setup.step_of(config, model, adam(1.0), 1000)
    hyper = setup.hyper_of(config)
    state = jax.eval_shape(lambda: init_state(model, adam(1.0), jax.random.key(0), hyper))
    return jax.make_jaxpr(step)(state, {"source": ids(2, LENGTH), "target": ids(2, LENGTH)})


def of_params(function):
    def program(kind, precision):
        model = model_of(kind, precision)
        params = jax.eval_shape(model.init, jax.random.key(0))
        return jax.make_jaxpr(function(model))(params)

    return program


def tokens(*shape):
    return Padded(jnp.full(shape, 5, jnp.int32), jnp.ones(shape, bool))


PROGRAMS = {
    "an update": update,
    "greedy search": of_params(
        lambda model: lambda params: decode(model, params, tokens(2, 4), Search(beam=1))
    ),
    "beam search": of_params(
        lambda model: lambda params: decode(model, params, tokens(2, 4), Search(beam=2))
    ),
    "perplexity": of_params(
        lambda model: (
            lambda params: teacher_forced(
                model, False, every_layer, params, tokens(2, 4), *[tokens(2, 3)] * 2
            )
        )
    ),
    "attention": of_params(
        lambda model: (
            lambda params: teacher_forced(
                model, True, every_layer, params, tokens(2, 4), *[tokens(2, 3)] * 2
            )
        )
    ),
}


@pytest.mark.parametrize("precision", SET)
@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("kind", SMALL)
def test_every_product_has_the_precision_of_the_config(kind, program, precision):
    other = "default" if precision == "highest" else "highest"
    with jax.default_matmul_precision(other):
        jaxpr = PROGRAMS[program](kind, precision).jaxpr
        assert jax.config.jax_default_matmul_precision == other
    products = [line for line in lines(jaxpr) if line.primitive.name == "dot_general"]
    found = {str(each) for line in products for each in line.params["precision"] or (None,)}
    assert products and found == {SET[precision]}


@pytest.mark.parametrize("kind", SMALL)
def test_an_update_computes_in_the_type_of_the_config_and_keeps_its_state_wide(kind):
    for compute in ("float32", "bfloat16"):
        jaxpr = update(kind, "highest", compute)
        assert "bfloat16" not in {str(x.dtype) for x in jaxpr.out_avals}
        products = [x for x in lines(jaxpr.jaxpr) if x.primitive.name == "dot_general"]
        read = {str(v.aval.dtype) for product in products for v in product.invars}
        assert ("bfloat16" in read) == (compute == "bfloat16")


def test_models_of_one_precision_are_one():
    config = partial(config_of, "recurrent")
    model = runs.model_of(config(), Codec(range(19), range(19)))
    assert model is runs.model_of(config(), Codec(range(19), range(19)))
    assert model != runs.model_of(
        config(**{"training.matmul_precision": "high"}), Codec(range(19), range(19))
    )


def test_products_are_float32_unless_the_config_says_otherwise():
    assert config_of("recurrent")["training"]["matmul_precision"] == "highest"
    with pytest.raises(ValueError, match="did you mean 'highest'"):
        checks.run(config_of("recurrent", **{"training.matmul_precision": "hihgest"}))


def test_a_run_from_before_there_was_a_choice_has_jax_s_own():
    config = config_of("recurrent")
    old = {n: v for n, v in config["training"].items() if n != "matmul_precision"}
    model = runs.model_of({**config, "training": old}, Codec(range(19), range(19)))
    assert model is model_of("recurrent", "default")
