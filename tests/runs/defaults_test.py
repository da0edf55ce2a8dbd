"""The defaults are those of the results in README.md and docs/: who changes one has to measure these again."""

import hashlib

from attention_lab.runs import defaults, folder, origin
from attention_lab.studies import defaults as of_studies

ATTENTION = {
    "score": "additive",
    "normalize": "softmax",
    "mask": "everything",
    "bias": "no_bias",
    "locality": "global_",
    "feedback": "no_feedback",
}
EMBEDDINGS = {"scaled": True, "init": "lecun", "divided_logits": False, "logits_bias": False}
EMBEDDINGS["copies"] = []
RECURRENT = {
    "encoder": {
        "kind": "recurrent",
        "cell": "gru",
        "embedding": 256,
        "features": 512,
        "layers": 1,
    },
    "decoder": {
        "kind": "bahdanau",
        "cell": "gru",
        "attention": ATTENTION,
        "input_feeding": True,
        "gate": False,
        "readout": "tanh",
        "initial_memory": False,
        "doubly_stochastic": 0.0,
        "hard": False,
        "hard_expected": 1.0,
        "hard_reinforce": 1.0,
        "hard_entropy": 0.01,
        "embedding": 256,
        "hidden": 256,
        "layers": 1,
        "positions": 512,
        "recompute": False,
    },
    "tie": "all",
    "embeddings": EMBEDDINGS,
}
STACK = {
    "kind": "transformer",
    "attention": {**ATTENTION, "score": "scaled_dot"},
    "encoding": "sinusoidal",
    "features": 256,
    "heads": 4,
    "key_value_heads": None,
    "key_size": None,
    "value_size": None,
    "projection_bias": False,
    "feed_forward": 1024,
    "layers": 3,
    "activation": "relu",
    "feed_forward_bias": True,
    "norm": "pre",
    "norm_kind": "layer",
    "norm_bias": True,
    "epsilon": 1e-6,
    "embedding_norm": False,
    "shared_bias": False,
    "init": "lecun",
    "attention_dropout": False,
    "positions": 512,
    "recompute": False,
}
RUN = {
    "task": "translation",
    "name": "quickstart",
    "seed": 0,
    "showcase": (),
    "initialize_from": "",
    "objective": {},
    "mixture": {},
    "data": {
        "name": "rosetta",
        "options": {},
        "max_length": 128,
        "test": "test",
        "bleu_tokenize": "13a",
    },
    "tokenizer": {
        "kind": "bpe",
        "size": 8000,
        "joint": True,
        "restrict": False,
        "byte_fallback": False,
        "keep_whitespace": False,
        "extra": 0,
    },
    "model": RECURRENT,
    "devices": {"data": None, "heads": 1, "shard_state": False},
    "training": {
        "tokens": 3_000_000,
        "batch_tokens": 1200,
        "microbatches": 1,
        "compute": "float32",
        "matmul_precision": "highest",
        "workers": 1,
        "buckets": 6,
        "schedule": "cosine",
        "warmup": 300,
        "final": 0.0,
        "learning_rate": 0.001,
        "optimizer": "adam",
        "b1": 0.9,
        "b2": 0.999,
        "z_loss": 0.0,
        "weight_decay": 0.0,
        "dropout": 0.1,
        "label_smoothing": 0.1,
        "clip": 1.0,
        "validations": 8,
        "validation_sentences": 500,
        "patience": 0,
        "sampled_inputs": 0.0,
    },
    "decoding": {
        "beam": 5,
        "length_penalty": 1.0,
        "coverage_penalty": 0.0,
        "longest": (10, 2.0),
        "length_offset": 5.0,
        "full": False,
        "early": False,
    },
}
STUDY = {
    "name": "study",
    "base": RUN,
    "arms": {},
    "axes": {},
    "seeds": (0, 1, 2, 3, 4),
    "budget": {
        "equal": "tokens",
        "fields": ("model.encoder.features", "model.decoder.hidden"),
        "step": 16,
    },
    "tuning": {
        "field": "training.learning_rate",
        "candidates": (),
        "tokens": 200_000,
        "seeds": (100,),
    },
    "also": (),
    "lengths": (),
}


def test_a_run_and_a_study_have_the_defaults_of_the_published_results():
    assert defaults.translation() == RUN
    assert of_studies.study() == STUDY


def test_every_field_belongs_to_a_version_of_the_folder():
    """A run is read with its own config: one whose fields are others has to be refused by its version."""
    added = set(folder.ADDED)  # what an older config means without them is known
    fields = sorted({field for name, field in paths(defaults.translation())} - added)
    digest = hashlib.sha256(" ".join(fields).encode()).hexdigest()[:12]
    assert (origin.VERSION, digest) == (3, "3b3f8751e443"), (
        "fields changed: increase origin.VERSION"
    )


def paths(config, prefix=""):
    """(name, field) of every field, without those of the model and of the data set's options."""
    for name, value in config.items():
        if isinstance(value, dict) and name not in ("model", "options"):
            yield from paths(value, f"{prefix}{name}.")
        else:
            yield name, f"{prefix}{name}"


def test_the_small_transformer_is_that_of_the_published_results():
    cross = {**ATTENTION, "score": "scaled_dot"}
    expected = {"encoder": STACK, "decoder": {**STACK, "cross": cross}, "tie": "all"}
    assert defaults.transformer() == {**expected, "embeddings": EMBEDDINGS}


def test_a_score_and_a_decoder_can_be_chosen():
    model = defaults.recurrent("luong", "general")
    assert model["decoder"]["kind"] == "luong"
    assert model["decoder"]["attention"] == {**ATTENTION, "score": "general"}
    stacks = defaults.transformer("cosine")
    mechanisms = [stacks["encoder"]["attention"], stacks["decoder"]["attention"]]
    mechanisms.append(stacks["decoder"]["cross"])
    assert mechanisms == [{**ATTENTION, "score": "cosine"}] * 3


def test_a_config_without_an_added_field_is_the_one_that_computes_the_same():
    new = defaults.translation()
    old = {**new, "training": {**new["training"]}}
    del old["training"]["sampled_inputs"]
    assert folder.differences(old, new) == []
    assert folder.differences({"base": old}, {"base": new}) == []
    new["training"] = {**new["training"], "sampled_inputs": 0.1}
    assert folder.differences(old, new) == ["training.sampled_inputs: 0.0, now 0.1"]


def test_added_fields_have_their_defaults():
    found = dict(all_of(defaults.translation()))
    found["lengths"] = list(of_studies.study()["lengths"])
    assert {field: found[field] for field in folder.ADDED} == dict(folder.ADDED)


def all_of(config, prefix=""):
    for name, value in config.items():
        if isinstance(value, dict):
            yield from all_of(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value
