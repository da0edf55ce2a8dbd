"""Named models: models of the literature, as dicts with the sizes of their papers.

    config = {**defaults.translation(), "model": named.model("bahdanau2015")}
    config = {**defaults.translation(), "model": named.model("bahdanau2015", divide=4)}      # on a laptop

Each docstring states the differences from the paper; details that the paper does not specify are as in `defaults`.
GPT-2, T5, BART and PEGASUS have, with the same parameters, the logits that they have in the library `transformers`:
tests/models/peers_test.py. There is no bias of keys, which a softmax ignores. Dropout acts on embeddings, on what
sublayers return and on attention weights; the authors' also acts in other places, which differ between these models.
"""

from collections.abc import Callable, Mapping
from typing import Any

from attention_lab.models.base import look_up
from attention_lab.runs import defaults

Model = dict[str, Any]
# The sizes that `divide` divides.
SIZES = ("embedding", "features", "hidden", "feed_forward", "key_size", "value_size")


def fixed2014() -> Model:
    """RNNenc (Cho et al. 2014) at the sizes of Bahdanau et al. 2015: the source is represented by one vector.

    Here the encoder is bidirectional, as Bahdanau's is, so that the two models differ only in attention.
    """
    return {**bahdanau2015(), "decoder": {**bahdanau2015()["decoder"], "kind": "fixed"}}


def bahdanau2015() -> Model:
    """RNNsearch (Bahdanau et al. 2015, appendix A): GRUs of 1,000 units, embeddings of 620, additive attention.

    Here the maxout layer has as many units as an embedding, and reads s_t; the paper's has 500, and reads s_{t-1}.
    """
    return _recurrent(
        "bahdanau",
        "additive",
        both={"cell": "gru", "embedding": 620},
        encoder={"features": 2000},  # 1,000 in each direction
        decoder={"hidden": 1000, "readout": "maxout"},
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


def xu2015() -> Model:
    """Show, Attend and Tell (Xu et al. 2015, §3.1), soft: an LSTM over 14 x 14 cells of an image of 224 pixels, gated.

    Here the cells, of 512 features as in the paper, are computed by convolutions that are trained with the rest; the
    paper's are those of VGG, trained on ImageNet. Hard attention is decoder.hard=True. The size of the LSTM, which the
    paper tuned for each data set, is 1,000.
    """
    model = _recurrent(
        "bahdanau",
        "additive",
        both={},
        decoder={"cell": "lstm", "embedding": 512, "hidden": 1000},
    )
    model["decoder"] |= {"gate": True, "readout": "linear", "initial_memory": True}
    model["decoder"]["doubly_stochastic"] = 1.0
    encoder = {**defaults.convolutional(), "features": 512, "stride": 16}
    return {**model, "encoder": encoder, "tie": "nothing"}


def chan2016() -> Model:
    """Listen, Attend and Spell (Chan et al. 2016, §4): a BLSTM, three that join two states each, a speller of two LSTMs.

    Here the query and the keys are projected by one layer each, and the state is the query of its own step, as in the
    paper. Its training samples a tenth of the inputs: training.sampled_inputs=0.1.
    """
    model = _recurrent(
        "luong",
        "general",
        both={},
        decoder={"cell": "lstm", "embedding": 512, "hidden": 512, "layers": 2},
    )
    encoder = {**defaults.pyramidal(), "features": 512}  # 256 in each direction
    return {**model, "encoder": encoder, "tie": "nothing"}


def chorowski2015() -> Model:
    """Chorowski et al. 2015, §4.1: three layers of bidirectional GRUs of 256, location-aware features, smoothing.

    Here convolutions first leave one of two frames, and the maxout layer has as many units as an embedding.
    """
    model = _recurrent(
        "bahdanau",
        "additive",
        both={"cell": "gru"},
        encoder={"reads": "frames", "stride": 2, "embedding": 256, "features": 512, "layers": 3},
        decoder={"embedding": 256, "hidden": 256, "readout": "maxout"},
    )
    model["decoder"]["attention"] |= {"feedback": "location_aware", "normalize": "smoothing"}
    return {**model, "tie": "nothing"}


def gpt2() -> Model:
    """GPT-2 (Radford et al. 2019), the smallest: a decoder of 12 layers, 768 features, a context of 1,024 tokens.

    Here targets begin with START, and the vocabulary is that of the config's tokenizer. nanoGPT is this model with the
    activation gelu_exact, and by its own default without any bias: projection_bias, feed_forward_bias, norm_bias.
    """
    model = _transformer(
        sizes={"features": 768, "heads": 12, "feed_forward": 3072, "layers": 12, "positions": 1024},
        tie="output",
        embeddings={"scaled": False, "init": "gpt2"},
        encoding="learned",
        norm="pre",
        epsilon=1e-5,
        activation="gelu",
        projection_bias=True,
        init="gpt2",
    )
    return {**model, "encoder": {"kind": "nothing"}}


def t5_1_0_small() -> Model:
    """T5 version 1.0, small (Raffel et al. 2020): six layers, 512 features, relative biases that all layers share.

    Here the numbers of the relative biases start with variance 1/32 and not 1/512, and targets begin with START.
    """
    sizes = {"features": 512, "heads": 8, "key_size": 64, "feed_forward": 2048, "layers": 6}
    return _t5(sizes, tie="all", divided_logits=True, activation="relu")


def t5_1_1_small() -> Model:
    """T5 version 1.1, small (Shazeer 2020; the authors' code): eight layers, a gated GELU, an output matrix of its own.

    The differences are those of `t5_1_0_small`. It was pre-trained without dropout.
    """
    sizes = {"features": 512, "heads": 6, "key_size": 64, "feed_forward": 1024, "layers": 8}
    return _t5(sizes, tie="inputs", divided_logits=False, activation="geglu")


def bart_base() -> Model:
    """BART, base (Lewis et al. 2020): six layers, 768 features, learned positions, norms after sublayers and embeddings.

    Here tables of positions begin with position 0; the authors' have two more rows at the beginning.
    """
    return _transformer(
        sizes={"features": 768, "heads": 12, "feed_forward": 3072, "layers": 6, "positions": 1024},
        tie="all",
        embeddings={"scaled": False, "init": "normal"},
        encoding="learned",
        norm="post",
        epsilon=1e-5,
        embedding_norm=True,
        activation="gelu_exact",
        projection_bias=True,
        init="normal",
    )


def pegasus_base() -> Model:
    """PEGASUS, base (Zhang et al. 2020): twelve layers, 768 features, sinusoidal positions with all sines first."""
    return _transformer(
        sizes={"features": 768, "heads": 12, "feed_forward": 3072, "layers": 12},
        tie="all",
        embeddings={"scaled": True, "init": "normal"},
        encoding="sinusoidal(halves=True)",
        norm="pre",
        epsilon=1e-5,
        activation="relu",
        projection_bias=True,
        init="normal",
    )


NAMED: Mapping[str, Callable[[], Model]] = {
    "fixed2014": fixed2014,
    "bahdanau2015": bahdanau2015,
    "luong2015": luong2015,
    "vaswani2017": vaswani2017,
    "chen2018": chen2018,
    "xu2015": xu2015,
    "chan2016": chan2016,
    "chorowski2015": chorowski2015,
    "gpt2": gpt2,
    "t5_1_0_small": t5_1_0_small,
    "t5_1_1_small": t5_1_1_small,
    "bart_base": bart_base,
    "pegasus_base": pegasus_base,
}


def model(name: str, divide: int = 1) -> Model:
    """Returns the named model, with each of its SIZES divided by `divide`.

    Raises ValueError if there is no such model, or if a size is not divisible by `divide`.
    """
    built = look_up("named model", NAMED, name)()
    for side in ("encoder", "decoder"):
        for size in SIZES:
            if (built[side].get(size) or 0) % divide:
                raise ValueError(
                    f"model.{side}.{size} of {name} is {built[side][size]}, which cannot be divided by {divide}"
                )
            if built[side].get(size):
                built[side][size] //= divide
    return built


def _recurrent(kind, score, both, **sides):
    model = defaults.recurrent(kind, score)
    for side, sizes in sides.items():
        model[side] |= both | sizes
    return model


def _transformer(sizes, tie, embeddings, score="scaled_dot", **options):
    model = defaults.transformer(score)
    for side in ("encoder", "decoder"):
        model[side] |= {**sizes, **options, "attention_dropout": True}
    return {**model, "tie": tie, "embeddings": {**model["embeddings"], **embeddings}}


def _t5(sizes, tie, divided_logits, activation):
    model = _transformer(
        sizes,
        tie,
        {"scaled": False, "init": "t5", "divided_logits": divided_logits},
        score="dot",
        encoding="no_encoding",
        norm="pre",
        norm_kind="rms",
        activation=activation,
        feed_forward_bias=False,
        shared_bias=True,
        init="t5",
    )
    model["encoder"]["attention"]["bias"] = "t5(32, 128, True)"
    model["decoder"]["attention"]["bias"] = "t5(32, 128, False)"
    return model
