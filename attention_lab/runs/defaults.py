"""The default config of a run as dicts, with the meaning of each field."""

from typing import Any

from attention_lab.models.default_models import (
    attention,
    convolutional,
    embeddings,
    gpt,
    over_frames,
    patches,
    pyramidal,
    recurrent,
    transformer,
    transformer_stack,
)

__all__ = [
    "answering",
    "attention",
    "captioning",
    "convolutional",
    "denoising",
    "embeddings",
    "gpt",
    "language",
    "over_frames",
    "patches",
    "pyramidal",
    "recurrent",
    "speech",
    "summarization",
    "transformer",
    "transformer_stack",
    "translation",
]


def translation() -> dict[str, Any]:
    """Returns the config of a recurrent encoder-decoder with Bahdanau's attention on the embedded corpus."""
    return {
        "task": "translation",  # a key of attention_lab.tasks.TASKS
        "name": "quickstart",  # the name of the folder in runs/ with the results
        "seed": 0,
        "showcase": (),  # sentences whose attention is shown after training
        "initialize_from": "",  # the folder of a run from whose parameters training starts, for fine-tuning
        # How pairs are made from documents, for the task denoising: {"kind": "span_corruption", "rate": 0.15, "mean": 3}
        "objective": {},
        "mixture": {},  # members of the task mixture: attention_lab/tasks/mixture.py
        "data": {
            "name": "rosetta",  # a key of attention_lab.data.sources.DATASETS
            "options": {},  # options of that dataset
            "max_length": 128,  # training pairs with more tokens on either side are left out, and counted
            "test": "test",  # the split that is evaluated after training
            "bleu_tokenize": "13a",  # sacreBLEU's; zh, ja-mecab, ko-mecab or char for text without spaces between words
        },
        "tokenizer": {
            "kind": "bpe",
            "size": 8000,
            "joint": True,  # one vocabulary for both sides
            "restrict": False,  # restrict the target to those pieces of it that its training texts contain
            "byte_fallback": False,  # 256 of the pieces are bytes, which spell characters outside the vocabulary
            "keep_whitespace": False,  # keep line breaks and repeated spaces
            "extra": 0,  # reserved tokens, such as masks and marks of speakers
        },
        "model": recurrent(),
        # data: the number of devices that share a batch (None: all); heads: the number that share a Transformer's heads;
        # shard_state: whether the devices along "data" also share the training state.
        "devices": {"data": None, "heads": 1, "shard_state": False},
        "training": {
            "tokens": 3_000_000,  # the budget: target tokens, without padding
            "batch_tokens": 1200,  # target positions of a batch, with padding
            "microbatches": 1,  # parts of a batch over which gradients are accumulated: the same update in less memory
            "compute": "float32",  # or "bfloat16"; parameters, moments and sums remain float32
            # The precision of products of float32, in training and inference: "highest" is float32 on every machine.
            # Faster ones change the results: "high" is TF32 on a GPU and 3 passes of bfloat16 on a TPU; "default" is
            # TF32 and 1 pass.
            "matmul_precision": "highest",
            "workers": 1,  # threads that prefetch batches
            "buckets": 6,  # lengths to which batches are padded; each requires one more program to be compiled
            "schedule": "cosine",
            "warmup": 300,  # updates
            "final": 0.0,  # the fraction of the learning rate to which a cosine falls
            "learning_rate": 1e-3,
            "optimizer": "adam",  # or "adafactor"
            "b1": 0.9,  # the decay of the first moment
            "b2": 0.999,  # the decay of Adam's second moment
            "z_loss": 0.0,  # the weight of log² Z in the loss
            "weight_decay": 0.0,
            "dropout": 0.1,
            "label_smoothing": 0.1,
            "sampled_inputs": 0.0,  # the share of the decoder's inputs that are the model's own predictions
            "clip": 1.0,  # the maximum global norm of the gradients
            "validations": 8,  # the number of validations in a run, evenly spaced
            "validation_sentences": 500,
            "patience": 0,  # early stopping: validations without an improvement before training stops; 0: never
        },
        "decoding": {
            "beam": 5,
            "length_penalty": 1.0,
            "coverage_penalty": 0.0,
            "longest": (10, 2.0),
            "length_offset": 5.0,  # k of ((k + length) / (k + 1))^length_penalty
            "full": False,  # extend as many prefixes as the beam has, although some have ended,
            "early": False,  # and stop as soon as as many hypotheses are complete
        },
    }


def language() -> dict[str, Any]:
    """Returns the config of a small GPT over the characters of the target sentences of the embedded corpus."""
    config = translation()
    del config["decoding"]
    return {
        **config,
        "task": "language",
        "name": "language",
        "data": {
            "name": "rosetta",
            "options": {},
            "max_length": 64,  # the context: the tokens of a window
            "test": "test",
        },
        "tokenizer": {
            **config["tokenizer"],
            "kind": "char",
            "size": 1000,
            "keep_whitespace": True,
        },
        "model": gpt(),
        "training": {
            **config["training"],
            "batch_tokens": 768,
            "buckets": 1,
            "warmup": 100,
            "final": 0.1,
            "b2": 0.99,
            "weight_decay": 0.1,
            "dropout": 0.0,
            "label_smoothing": 0.0,
        },
        "sampling": {  # fields of attention_lab.decoding.Sampling
            "temperature": 0.8,
            "max_length": 200,
        },
    }


def summarization() -> dict[str, Any]:
    """Returns the config of a small Transformer that writes the headlines of the embedded stories."""
    config = translation()
    return {
        **config,
        "task": "summarization",
        "name": "headlines",
        "data": {
            "name": "rosetta_headlines",
            "options": {},
            "max_length": 128,
            "test": "test",
            "stem": False,  # whether ROUGE compares stems
        },
        "tokenizer": {**config["tokenizer"], "kind": "word", "size": 1000},
        "model": transformer(),
    }


def answering() -> dict[str, Any]:
    """Returns the config of a small Transformer that answers questions about the embedded stories."""
    config = summarization()
    data = {"name": "rosetta_answers", "options": {}, "max_length": 128, "test": "test"}
    return {**config, "task": "answering", "name": "answers", "data": data}


def denoising() -> dict[str, Any]:
    """Returns the config of a small Transformer that is trained with T5's spans on the embedded stories."""
    config = summarization()
    data = {"name": "rosetta_headlines", "options": {}, "max_length": 128, "test": "test"}
    return {
        **config,
        "task": "denoising",
        "name": "denoising",
        "objective": {"kind": "span_corruption", "rate": 0.15, "mean": 3},
        "data": data,
        "tokenizer": {**config["tokenizer"], "extra": 20},
    }


def captioning() -> dict[str, Any]:
    """Returns the config of a small Show, Attend and Tell on the embedded pictures (Xu et al. 2015)."""
    config = translation()
    return {
        **config,
        "task": "captioning",
        "name": "captions",
        "data": {
            "name": "rosetta_pictures",
            "options": {},
            "size": 64,  # pixels of the longer side of an image, a multiple of 16
            "max_length": 32,  # training captions with more tokens are left out, and counted
            # Of training images, in each epoch anew: the most pixels by which they move, and how much their light changes.
            "augment": {"shift": 0, "contrast": 0.0, "brightness": 0.0},
            "test": "test",
            "bleu_tokenize": "13a",
        },
        "tokenizer": {**config["tokenizer"], "kind": "word", "size": 1000},
        "model": {
            "encoder": convolutional(),
            "decoder": {**recurrent()["decoder"], "cell": "lstm"},
            "tie": "output",
            "embeddings": embeddings(),
        },
        "decoding": {**config["decoding"], "longest": (40, 0.0)},
    }


def speech() -> dict[str, Any]:
    """Returns the config of a small recurrent network that transcribes the embedded speech, in characters."""
    config = translation()
    return {
        **config,
        "task": "speech",
        "name": "speech",
        "data": {
            "name": "rosetta_speech",
            "options": {},
            "rate": 8000,  # samples a second
            "mels": 40,  # mel bands, the features of a frame
            "max_length": 128,  # training transcripts with more tokens are left out, and counted
            "max_seconds": 15.0,  # and so are longer recordings
            "augment": {  # of training recordings, in each epoch anew (SpecAugment)
                "frequency_masks": 0,  # bands that are hidden
                "frequency_width": 8,  # mel bands, at most
                "time_masks": 0,  # times that are hidden
                "time_width": 20,  # frames, at most
                "time_share": 0.2,  # and at most this share of a recording
            },
            "test": "test",
        },
        "tokenizer": {**config["tokenizer"], "kind": "char", "size": 200},
        "model": {
            "encoder": over_frames(),
            "decoder": {**recurrent()["decoder"], "cell": "lstm"},
            "tie": "output",
            "embeddings": embeddings(),
        },
        "decoding": {**config["decoding"], "longest": (20, 3.0)},
    }
