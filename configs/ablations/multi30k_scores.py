"""A comparison of score functions on Multi30k, German to English: seven arms with three seeds each.

python -m experiments.ablate --config=configs/ablations/multi30k_scores.py
python -m experiments.ablate --config=configs/ablations/multi30k_scores.py:full    # ten hours

By default the model is smaller and has fewer updates than that of configs/multi30k.py, which `full` trains.
--config.base.data.options.path is the folder of the files.
"""

from configs import multi30k
from configs.defaults import study

SCORES = ("dot", "general", "additive", "scaled_dot", "concat")


def get_config(size: str = "small"):
    if size not in ("small", "full"):
        raise ValueError(f"there is no size {size!r}; known are small, full")
    config = study()
    config.name = f"multi30k_scores_{size}"
    config.base = multi30k.get_config("gru")
    if size == "small":
        encoder, decoder = config.base.model.encoder, config.base.model.decoder
        encoder.embedding = encoder.features = decoder.embedding = decoder.hidden = 128
        config.base.tokenizer.size = 4000
        config.base.training.tokens = 2_500_000
        config.base.training.validations = 6
        config.base.training.validation_sentences = 300
    else:
        # dot requires equal widths
        config.base.model.encoder.features = config.base.model.decoder.hidden
    luong = {"model.decoder.kind": "luong"}
    config.arms = {
        "no attention": {"model.decoder.kind": "fixed"},
        **{score: {**luong, "model.decoder.attention.score": score} for score in SCORES},
        "local-p": {
            **luong,
            "model.decoder.attention.score": "general",
            "model.decoder.attention.locality": "local_p(5)",
        },
    }
    config.seeds = (0, 1, 2)
    return config
