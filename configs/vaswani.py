"""The Transformers of Vaswani et al. 2017, table 3: the base model and its variants.

    python -m experiments.train --config=configs/vaswani.py:base
    python -m experiments.train --config=configs/vaswani.py:heads_1 --config.training.batch_tokens=25000

Variants: heads_1, heads_4, heads_16, heads_32 (A), key_16, key_32 (B), layers_2, layers_4, layers_8,
features_256, features_1024, feed_forward_1024, feed_forward_4096 (C), dropout_0, dropout_2, smoothing_0,
smoothing_2 (D), learned_positions (E) and big.

The sizes are those that the paper trained on 4.5 million sentence pairs with 8 GPUs. The corpus is the embedded one, so
that every variant runs without a download; `configs/multi30k.py` shows how to choose another. No score has been measured.

The config differs from the paper in these points. Training has 3 million target tokens, which are 3,000 updates of
1,200 tokens or 12 epochs; the paper has 100,000 updates of 25,000 tokens. The warm-up to the paper's peak learning rate
therefore takes 1,000 updates instead of 4,000, after which the rate decays as 1/sqrt(t). Adam has beta_2 = 0.999 and
epsilon = 1e-8 instead of 0.98 and 1e-9. Gradients are clipped to a norm of 1. The corpus needs 6,442 of the 37,000
pieces. The best checkpoint is evaluated, not the average of the last ones. --config.training.warmup=4000 gives the
paper's learning rates, for a budget that is long enough for them.
"""

from attention_lab.runs import named
from configs import defaults

MODEL = {
    "base": {},
    "heads_1": {"heads": 1, "key_size": 512},
    "heads_4": {"heads": 4, "key_size": 128},
    "heads_16": {"heads": 16, "key_size": 32},
    "heads_32": {"heads": 32, "key_size": 16},
    "key_16": {"key_size": 16, "value_size": 64},
    "key_32": {"key_size": 32, "value_size": 64},
    "layers_2": {"layers": 2},
    "layers_4": {"layers": 4},
    "layers_8": {"layers": 8},
    "features_256": {"features": 256, "key_size": 32},
    "features_1024": {"features": 1024, "key_size": 128},
    "feed_forward_1024": {"feed_forward": 1024},
    "feed_forward_4096": {"feed_forward": 4096},
    "dropout_0": {},
    "dropout_2": {},
    "smoothing_0": {},
    "smoothing_2": {},
    "learned_positions": {"encoding": "learned"},
    "big": {"features": 1024, "feed_forward": 4096, "heads": 16},
}
TRAINING = {
    "dropout_0": {"dropout": 0.0},
    "dropout_2": {"dropout": 0.2},
    "smoothing_0": {"label_smoothing": 0.0},
    "smoothing_2": {"label_smoothing": 0.2},
    "big": {"dropout": 0.3},
}


def get_config(variant: str = "base"):
    if variant not in MODEL:
        raise ValueError(f"there is no variant {variant!r}; known are {', '.join(MODEL)}")
    config = defaults.translation()
    config.name = f"vaswani_{variant}"
    config.tokenizer.size = 37000
    config.model = defaults.fields(named.model("vaswani2017"))
    defaults.both_stacks(config.model, **MODEL[variant])
    # The paper's peak, of d^-0.5 · min(t^-0.5, t · 4000^-1.5) at t = 4000, after a third of the 3,000 updates.
    config.training.update(
        {
            "schedule": "inverse_sqrt",
            "warmup": 1000,
            "learning_rate": (config.model.decoder.features * 4000) ** -0.5,
            "dropout": 0.1,
            "label_smoothing": 0.1,
            **TRAINING.get(variant, {}),
        }
    )
    config.decoding.update({"beam": 4, "length_penalty": 0.6, "longest": (50, 1.0)})
    return config
