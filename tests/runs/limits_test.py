"""One translation for each sentence, also of those that a model cannot read: these say why there is none."""

import functools

import jax
import numpy as np
import pytest

from attention_lab.data.tokenizer import train
from attention_lab.models import make_model
from attention_lab.runs import Run
from tests.models.small import STRUCTURES

WORDS = "the cat sat on a mat"
SENTENCES = [WORDS, " ".join(["cat"] * 30), "", "the mat"]
SHAPE = {"encoding": "learned", "features": 8, "heads": 2, "feed_forward": 8, "layers": 1}
MODELS = {
    "learned positions": (
        {"kind": "transformer", **SHAPE},
        {"kind": "transformer", **SHAPE},
    ),
    "location": (
        {"kind": "recurrent", "embedding": 6, "features": 6},
        {"kind": "bahdanau", "attention": {"score": "location"}, "embedding": 6, "hidden": 6},
    ),
}


@functools.cache
def run_of(name, positions=24, scale=1.0):
    sides = dict(zip(("encoder", "decoder"), MODELS[name], strict=True))
    for side in sides.values():
        if side["kind"] != "recurrent":
            side["positions"] = positions
    tokenizer = train("word", [WORDS], 20)
    model = make_model(len(tokenizer), len(tokenizer), **sides)
    params = jax.tree.map(lambda x: scale * x, model.init(jax.random.key(0)))
    config = {"decoding": {"beam": 2, "longest": (2, 0.5)}}
    return Run(config, model, params, tokenizer, tokenizer)


@pytest.mark.parametrize("name", MODELS)
def test_a_sentence_that_a_model_cannot_read_is_empty_and_says_why(name):
    run = run_of(name)
    found = run.translate(SENTENCES)
    assert len(found) == len(SENTENCES)
    assert found[1].refused == "31 tokens, and the model reads at most 24"
    assert (found[1].text, found[1].ended) == ("", False)
    assert [one.refused for one in (found[0], *found[2:])] == [None] * 3
    assert found[0].ids.size and np.isfinite(found[0].score)
    assert [best[0].refused for best in run.n_best(SENTENCES)] == [one.refused for one in found]


def test_a_target_ends_where_the_model_s_positions_end():
    run = run_of("learned positions")
    (found,) = run.translate([WORDS], longest=(200, 0.0))
    assert len(found.ids) <= 24 and np.isfinite(found.score)
    (greedy,) = run.translate([WORDS], longest=(200, 0.0), beam=1)
    assert len(greedy.ids) <= 24 and np.isfinite(greedy.score)


def test_a_model_of_no_numbers_says_so_for_each_sentence():
    run = run_of("learned positions", scale=float("nan"))
    found = run.translate(SENTENCES)
    assert ["not be finite" in (one.refused or "") for one in found] == [True, False, False, True]
    assert all(one.text == "" for one in found)


def test_one_string_is_not_taken_for_its_letters():
    for translate in (run_of("location").translate, run_of("location").n_best):
        with pytest.raises(ValueError, match="put it in a list"):
            translate("the cat")


@pytest.mark.parametrize("make", STRUCTURES.values(), ids=STRUCTURES)
def test_only_tables_of_positions_limit_a_model(make):
    model = make()
    params = jax.eval_shape(model.init, jax.random.key(0))
    limits = model.limits(params)
    assert limits == ((24, 24) if "encoder/positions/table" in places(params) else (None, None))


def places(params):
    leaves = jax.tree_util.tree_flatten_with_path(params)[0]
    return {jax.tree_util.keystr(path, simple=True, separator="/") for path, _ in leaves}
