"""Named models are legal pairs with the sizes of their papers."""

import jax
import jax.numpy as jnp
import pytest

from attention_lab.models import make_model
from attention_lab.padded import Padded
from attention_lab.runs import named
from configs import named as configs


def shapes_of(name, vocabulary=100, divide=1):
    words = named.model(name, divide)
    for side in (words["encoder"], words["decoder"]):
        if "layers" in side:
            side["layers"] = min(side["layers"], 2)  # all layers are alike
    model = make_model(vocabulary, vocabulary, **words)
    one = Padded(jax.ShapeDtypeStruct((5,), jnp.int32), jax.ShapeDtypeStruct((5,), bool))

    def both():
        params = model.init(jax.random.key(0))
        source = pad(one) if model.reads == "tokens" else model.blank()
        return params, model.apply(params, {"source": source, "target": pad(one)}, weights=True)

    return jax.eval_shape(both)


def pad(one):
    return Padded(*(jnp.zeros(x.shape, x.dtype) for x in one))


def size(params):
    return sum(leaf.size for leaf in jax.tree.leaves(params))


@pytest.mark.parametrize("name", named.NAMED)
def test_a_named_model_attends_where_its_paper_says(name):
    params, output = shapes_of(name)
    assert output.logits.shape == (5, 100) and size(params) > 1e6
    places = {place.split("/")[0] for place in output.weights}
    assert places == {
        "fixed2014": set(),
        "bahdanau2015": {"cross"},
        "luong2015": {"cross"},
        "xu2015": {"cross"},
        "chan2016": {"cross"},
        "chorowski2015": {"cross"},
        "vaswani2017": {"encoder", "decoder", "cross"},
        "chen2018": {"encoder", "cross"},
        "gpt2": {"decoder"},
    }.get(name, {"encoder", "decoder", "cross"})
    # All matrices become smaller by the square.
    assert size(shapes_of(name, divide=2)[0]) < size(params) / 2
    assert named.model(name) == named.NAMED[name]() is not named.NAMED[name]()


# How many parameters the authors' models have with their vocabularies, without biases of keys and what no position reads.
COUNTS = {
    "gpt2": (50257, 124_439_808 - 12 * 768),
    "t5_1_0_small": (32128, 60_506_624),
    "t5_1_1_small": (32128, 76_961_152),
    "bart_base": (50265, 139_420_416 - 18 * 768 - 2 * 2 * 768),
}


@pytest.mark.parametrize("name", COUNTS)
def test_a_named_model_has_as_many_parameters_as_its_authors(name):
    vocabulary, count = COUNTS[name]
    model = make_model(vocabulary, vocabulary, **named.model(name))
    assert size(jax.eval_shape(model.init, jax.random.key(0))) == count


def test_the_size_of_heads_is_divided_too():
    small = named.model("t5_1_1_small", 4)["decoder"]
    assert (small["features"], small["key_size"], small["heads"]) == (128, 16, 6)
    with pytest.raises(ValueError, match="key_size of t5_1_1_small is 64, which cannot be"):
        named.model("t5_1_1_small", 128)


TRANSFORMER = {"features": 512, "heads": 8, "feed_forward": 2048, "layers": 6}
# The sizes that the papers report, by side.
SIZES = {
    "bahdanau2015": (
        {"cell": "gru", "embedding": 620, "features": 2 * 1000, "layers": 1},
        {"cell": "gru", "embedding": 620, "hidden": 1000, "layers": 1, "readout": "maxout"},
    ),
    "luong2015": (
        {"cell": "lstm", "embedding": 1000, "features": 1000, "layers": 4},
        {"cell": "lstm", "embedding": 1000, "hidden": 1000, "layers": 4, "input_feeding": True},
    ),
    "xu2015": (
        {"features": 512, "stride": 16},
        {
            **{"cell": "lstm", "embedding": 512, "hidden": 1000, "doubly_stochastic": 1.0},
            **{"gate": True, "readout": "linear", "initial_memory": True},
        },
    ),
    "chan2016": (
        {"cell": "lstm", "features": 512, "joins": 3},
        {"cell": "lstm", "embedding": 512, "hidden": 512, "layers": 2},
    ),
    "chorowski2015": (
        {"cell": "gru", "features": 512, "layers": 3},
        {"cell": "gru", "embedding": 256, "hidden": 256, "layers": 1, "readout": "maxout"},
    ),
    "vaswani2017": ({**TRANSFORMER, "norm": "post"}, {**TRANSFORMER, "norm": "post"}),
    "chen2018": (
        {**TRANSFORMER, "norm": "pre"},
        {"cell": "gru", "embedding": 512, "hidden": 1000, "layers": 1},
    ),
}


@pytest.mark.parametrize("name", SIZES)
def test_a_named_model_has_the_sizes_of_its_paper(name):
    model, less = named.model(name), named.model(name, 4)
    for side, sizes in zip(("encoder", "decoder"), SIZES[name], strict=True):
        assert {field: model[side][field] for field in sizes} == sizes
        # Only widths are divided.
        assert {field: less[side][field] for field in sizes} == {
            field: size // 4 if field in named.SIZES else size for field, size in sizes.items()
        }
    scores = {
        side: model[side]["attention"]["score"]
        for side in ("encoder", "decoder")
        if "attention" in model[side]
    }
    assert (
        scores
        == {
            "bahdanau2015": {"decoder": "additive"},
            "luong2015": {"decoder": "general"},
            "xu2015": {"decoder": "additive"},
            "chan2016": {"decoder": "general"},
            "chorowski2015": {"decoder": "additive"},
            "vaswani2017": {"encoder": "scaled_dot", "decoder": "scaled_dot"},
            "chen2018": {"encoder": "scaled_dot", "decoder": "additive"},
        }[name]
    )


def test_only_attention_reports_bahdanau_s_two_models_apart():
    fixed, attending = named.model("fixed2014"), named.model("bahdanau2015")
    assert fixed["encoder"] == attending["encoder"]
    assert {**fixed["decoder"], "kind": "bahdanau"} == attending["decoder"]


def test_names_and_sizes_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match="did you mean 'luong2015'"):
        named.model("luong2016")
    with pytest.raises(ValueError, match="embedding of bahdanau2015 is 620, which cannot be"):
        named.model("bahdanau2015", 3)
    with pytest.raises(ValueError, match="'luong2015,x' is not NAME or NAME,DIVISOR"):
        configs.get_config("luong2015,x")
    config = configs.get_config("luong2015,4")
    assert (config.name, config.model.decoder.hidden) == ("luong2015_4", 250)
    assert config.model.decoder.attention.locality == "local_p"


def test_a_named_model_has_the_task_for_which_it_was_made():
    tasks = {name: configs.get_config(name).task for name in named.NAMED}
    others = {
        "xu2015": "captioning",
        "chan2016": "speech",
        "chorowski2015": "speech",
        "gpt2": "language",
    }
    assert tasks == {name: others.get(name, "translation") for name in named.NAMED}
