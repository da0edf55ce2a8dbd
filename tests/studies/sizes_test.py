"""What a group of replicas takes, counted from the parts that it consists of."""

import json

import jax
import numpy as np
import pytest

from attention_lab import runs
from attention_lab.runs import setup
from attention_lab.studies import sizes
from attention_lab.studies.study import changed, study_of
from attention_lab.training import cost
from attention_lab.training.optimizer import SCHEDULES, adam
from attention_lab.training.replicas import Layout
from attention_lab.training.step import init_state, make_train_step
from tests.experiments import tiny_study
from tests.experiments.sentences import corpus


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    corpus(folder)
    with (folder / "train.jsonl").open("a", encoding="utf-8") as file:  # of two lengths
        for number in range(9):
            text = " ".join(["ann"] * (9 + number % 3))
            file.write(json.dumps({"source": text, "target": text, "links": []}) + "\n")
    config = json.loads(tiny_study.get_config().to_json())
    config["base"]["data"]["options"]["path"] = f"{folder}/{{split}}.jsonl"
    config["base"]["training"]["buckets"] = 2
    config["base"]["model"]["decoder"]["kind"] = "fixed"
    return config


@pytest.fixture(scope="module")
def parts(config):
    """A model, its parameters and its batches, made for real."""
    base = config["base"]
    built = setup.corpus_of(base)
    model = runs.model_of(base, built.codec)
    params = jax.jit(model.init)(jax.random.key(0))
    return model, params, setup.batches_of(base, built.rows)


def bytes_of(params):
    return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(params))


def test_parameters_are_those_of_the_model(config, parts):
    counted = sum(np.size(leaf) for leaf in jax.tree.leaves(parts[1]))
    assert sizes.parameters_of(config["base"]) == counted


def test_updates_show_as_many_target_tokens_as_the_budget_has(config, parts):
    batches = parts[2]
    tokens = [int(np.sum(batches[n]["target"].valid)) for n in range(batches.per_epoch)]
    budget = config["base"]["training"]["tokens"]
    found = sizes.updates_of(config["base"])
    each = sum(tokens) / len(tokens)
    assert found * each <= budget < (found + 1) * each


def test_operations_are_of_every_batch_of_every_epoch(config, parts):
    model, _, batches = parts
    optimizer = adam(1.0)
    step = make_train_step(model, optimizer, SCHEDULES["constant"](1, 1))
    hyper = setup.hyper_of(config["base"])
    state = jax.eval_shape(lambda: init_state(model, optimizer, jax.random.key(0), hyper))
    shapes, found = {}, 0
    for number in range(batches.per_epoch):
        batch = batches[number]
        shape = batch["source"].valid.shape, batch["target"].valid.shape
        if shape not in shapes:
            shapes[shape] = cost.flops(step, state, batch)
        found += shapes[shape]
    # As many epochs as the updates make, in part too.
    updates = sizes.updates_of(config["base"])
    assert updates > batches.per_epoch
    assert sizes.flops_of(config["base"]) == found * updates // batches.per_epoch


def test_a_step_needs_what_its_largest_batch_does(config, parts):
    model, params, batches = parts
    every = [batches[number] for number in range(batches.per_epoch)]
    assert len({batch["source"].valid.shape for batch in every}) == 2

    def area(batch):
        (rows, source), (_, target) = (batch[s].valid.shape for s in ("source", "target"))
        return rows * source * target

    def logits(params):
        largest = max(every, key=area)
        return jax.vmap(lambda one: model.apply(params, one).logits)(largest)

    assert sizes.working_of(config["base"]) == cost.residual_bytes(logits, params)


@pytest.mark.parametrize(
    ("layout", "room", "at_once"),
    [(Layout(1, 1), 3, 1), (Layout(2, 1), 4, 2), (Layout(2), 4, 4), (Layout(1), 3, 3)],
)
def test_a_group_takes_what_its_replicas_do(
    config, parts, layout, room, at_once, tmp_path, monkeypatch
):
    monkeypatch.setattr(sizes, "working_of", lambda *_: 1000)
    monkeypatch.setattr(sizes, "flops_of", lambda *_: 17)
    seeds = {"arms": {"a": {}}, "seeds": [0, 1, 2]}
    (group,) = study_of({**config, **seeds}, tmp_path).groups
    found = sizes.size_of(group, layout)
    parameters = sizes.parameters_of(config["base"])
    # Of each: parameters, two moments, the best; of those in work, gradients and what a step needs.
    numbers = bytes_of(parts[1]) * (4 * room + at_once)
    assert found == (parameters, sizes.updates_of(config["base"]), 3 * 17, numbers + at_once * 1000)


def test_the_tokenizers_of_a_training_that_has_started_are_used(config, tmp_path):
    base = config["base"]
    (group,) = study_of({**config, "arms": {"a": {}}}, tmp_path).groups
    own = setup.corpus_of(changed(base, {"tokenizer.kind": "char"}, "a"))
    before = sizes.parameters_of(base), sizes.updates_of(base)
    runs.begin(group.folder, own.codec, {})
    size = sizes.size_of(group, Layout())
    params = jax.eval_shape(runs.model_of(base, own.codec).init, jax.random.key(0))
    flops, working = (f(base, group.folder) for f in (sizes.flops_of, sizes.working_of))
    assert size.parameters == sum(leaf.size for leaf in jax.tree.leaves(params)) != before[0]
    assert size.updates == sizes.updates_of(base, group.folder) != before[1]
    assert size.flops == 2 * flops and size.memory == bytes_of(params) * 10 + 2 * working
    assert working != sizes.working_of(base)


def test_a_budget_is_spent_on_tokens_of_which_a_word_has_several(config):
    # Of the words of sentences alone, END included: 5 words are 6 tokens, 9 to 11 one more.
    lengths = [len(one) for one in setup.corpus_of(config["base"]).rows.target]
    words = sum(lengths) - len(lengths)
    assert sizes.tokens_per_word(config["base"]) == pytest.approx(sum(lengths) / words)
