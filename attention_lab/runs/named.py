"""Named models: encoder-decoder models of the literature, as dicts with the sizes of their papers.

    config = {**defaults.translation(), "model": named.model("bahdanau2015")}
    config = {**defaults.translation(), "model": named.model("bahdanau2015", divide=4)}      # on a laptop

Each docstring states the differences from the paper; details that the paper does not specify are as in `defaults`.
"""

from collections.abc import Callable, Mapping
from typing import Any

from attention_lab.models.base import look_up
from attention_lab.runs import defaults

Model = dict[str, Any]
# The sizes that `divide` divides.
SIZES = ("embedding", "features", "hidden", "feed_forward")


def fixed2014() -> Model:
    """RNNenc (Cho et al. 2014) at the sizes of Bahdanau et al. 2015: the source is represented by one vector.

    Here the encoder is bidirectional, as Bahdanau's is, so that the two models differ only in attention.
    """
    return {**bahdanau2015(), "decoder": {**bahdanau2015()["decoder"], "kind": "fixed"}}


def bahdanau2015() -> Model:
    """RNNsearch (Bahdanau et al. 2015, appendix A): GRUs of 1,000 units, embeddings of 620, additive attention.

    Here the deep output is a tanh layer; the paper's is a maxout layer of 500.
    """
    return _recurrent(
        "bahdanau",
        "additive",
        both={"cell": "gru", "embedding": 620},
        encoder={"features": 2000},  # 1,000 in each direction
        decoder={"hidden": 1000},
    )


def luong2015() -> Model:
    """Luong et al. 2015, section 4.1, the best single model: four LSTM layers of 1,000, local-p, general, input feeding.

    Here the encoder is bidirectional, with 500 units in each direction.
    """
    model = _recurrent(
        "luong",
        "general",
        both={"cell": "lstm", "embedding": 1000, "layers": 4},
        encoder={"features": 1000},
        decoder={"hidden": 1000, "input_feeding": True},
    )
    model["decoder"]["attention"]["locality"] = "local_p"
    return model


def vaswani2017() -> Model:
    """The base Transformer (Vaswani et al. 2017, table 3): six layers, eight heads, 512 features."""
    model = defaults.transformer()
    for side in ("encoder", "decoder"):
        model[side] |= {"features": 512, "heads": 8, "feed_forward": 2048, "layers": 6}
        model[side]["norm"] = "post"
    return model


def chen2018() -> Model:
    """A Transformer encoder with an RNN decoder (Chen et al. 2018, section 5).

    Here the decoder is Bahdanau's, with one layer; the paper's has eight LSTM layers. The sizes are those of
    `vaswani2017` and `bahdanau2015`.
    """
    return {
        "encoder": {**vaswani2017()["encoder"], "norm": "pre"},
        "decoder": {**bahdanau2015()["decoder"], "embedding": 512},
        "tie": "all",
    }


NAMED: Mapping[str, Callable[[], Model]] = {
    "fixed2014": fixed2014,
    "bahdanau2015": bahdanau2015,
    "luong2015": luong2015,
    "vaswani2017": vaswani2017,
    "chen2018": chen2018,
}


def model(name: str, divide: int = 1) -> Model:
    """Returns the named model, with each of its SIZES divided by `divide`.

    Raises ValueError if there is no such model, or if a size is not divisible by `divide`.
    """
    built = look_up("named model", NAMED, name)()
    for side in ("encoder", "decoder"):
        for size in SIZES:
            if built[side].get(size, 0) % divide:
                raise ValueError(
                    f"model.{side}.{size} of {name} is {built[side][size]}, which cannot be divided by {divide}"
                )
            if size in built[side]:
                built[side][size] //= divide
    return built


def _recurrent(kind, score, both, **sides):
    model = defaults.recurrent(kind, score)
    for side, sizes in sides.items():
        model[side] |= both | sizes
    return model
