"""What every run starts from, as plain data, with the meaning of each field."""

from typing import Any


def translation() -> dict[str, Any]:
    """A recurrent encoder-decoder with Bahdanau's attention on the embedded corpus."""
    return {
        "task": "translation",  # of attention_lab.tasks.TASKS
        "name": "quickstart",  # of the folder in runs/ that takes the results
        "seed": 0,
        "showcase": (),  # sentences whose attention is shown in the end
        "data": {
            "name": "rosetta",  # of attention_lab.data.sources.DATASETS
            "options": {},  # of that dataset
            "max_length": 128,  # training pairs with more tokens on a side are left out, and counted
            "test": "test",  # the split that is translated in the end
            "bleu_tokenize": "13a",  # sacreBLEU's: zh, ja-mecab, ko-mecab or char where no spaces part words
        },
        "tokenizer": {
            "kind": "bpe",
            "size": 8000,
            "joint": True,  # one vocabulary for both sides
            "restrict": False,  # of that, the target has only what its training texts need
            "byte_fallback": False,  # bytes, 256 of the pieces, spell a character that is not among them
        },
        "model": recurrent(),
        # How many devices split a batch (None: all) and a Transformer's heads, and whether the first split the state too.
        "devices": {"data": None, "heads": 1, "shard_state": False},
        "training": {
            "tokens": 3_000_000,  # the budget: target tokens seen, padding not counted
            "batch_tokens": 1200,  # target positions of a batch, padding counted
            "microbatches": 1,  # of a batch, processed one after the other; the same update in less memory
            "compute": "float32",  # or "bfloat16"; parameters, moments and sums stay float32
            # Of products of float32, here and wherever the run is used: "highest" is float32 on every machine. What is
            # faster is another result: "high", TF32 on a GPU, 3 passes of bfloat16 on a TPU; "default", TF32 and 1 pass.
            "matmul_precision": "highest",
            "workers": 1,  # threads that make the next batches
            "buckets": 6,  # lengths to pad to; each is one more program to compile
            "schedule": "cosine",
            "warmup": 300,  # updates
            "learning_rate": 1e-3,
            "weight_decay": 0.0,
            "dropout": 0.1,
            "label_smoothing": 0.1,
            "clip": 1.0,  # the gradients' greatest norm
            "validations": 8,  # how many in a run, evenly spaced
            "validation_sentences": 500,
            "patience": 0,  # validations without a better BLEU before it stops; 0: never
        },
        "decoding": {
            "beam": 5,
            "length_penalty": 1.0,
            "coverage_penalty": 0.0,
            "longest": (10, 2.0),
        },
    }


def recurrent(decoder: str = "bahdanau", score: str = "additive") -> dict[str, Any]:
    """A recurrent encoder, and one of the decoders fixed, bahdanau and luong."""
    return {
        "encoder": {
            "kind": "recurrent",
            "cell": "gru",
            "embedding": 256,
            "features": 512,  # of a state, both directions together
            "layers": 1,
        },
        "decoder": {
            "kind": decoder,
            "cell": "gru",
            "attention": attention(score),
            "input_feeding": True,  # of luong
            "embedding": 256,
            "hidden": 256,
            "layers": 1,
            "positions": 512,
            "recompute": False,  # a step's insides in the backward pass, to save memory
        },
        "tie": "all",
    }


def transformer(score: str = "scaled_dot") -> dict[str, Any]:
    """A small Transformer."""
    return {
        "encoder": transformer_stack(score),
        "decoder": {**transformer_stack(score), "cross": attention(score)},
        "tie": "all",
    }


def transformer_stack(score: str) -> dict[str, Any]:
    """The encoder of a small Transformer, or its decoder without cross-attention."""
    return {
        "kind": "transformer",
        "attention": attention(score),
        "encoding": "sinusoidal",
        "features": 256,
        "heads": 4,
        "key_value_heads": None,
        "key_size": None,
        "value_size": None,
        "feed_forward": 1024,
        "layers": 3,
        "activation": "relu",
        "norm": "pre",
        "attention_dropout": False,
        "positions": 512,
        "recompute": False,  # a layer's insides in the backward pass, to save memory
    }


def attention(score: str) -> dict[str, Any]:
    """A mechanism in words; see attention_lab.mechanism.registry."""
    return {
        "score": score,
        "normalize": "softmax",
        "mask": "everything",
        "bias": "no_bias",
        "locality": "global_",
        "feedback": "no_feedback",
    }
