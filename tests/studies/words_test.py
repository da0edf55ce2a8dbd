"""What a row says of words, where the corpus gives words that its text does not have between spaces."""

from types import SimpleNamespace

import numpy as np
import pytest

from attention_lab.evaluation.diagnostics import FREQUENCY_NAMES
from attention_lab.runs import setup
from attention_lab.studies.rows import counts_of, statistics_of

SMALL = {"vocabulary": 2, "longest": 10}


def config_of(**options):
    return {"task": "translation", "data": {"name": "rosetta", "options": options, "test": "test"}}


def of_references(examples, seen):
    """The statistics of translations that are the references themselves."""
    texts = [example["target"] for example in examples]
    return statistics_of(examples, SimpleNamespace(texts=texts, statistics={}), seen)


@pytest.mark.parametrize("given", ["everywhere", "in the test set", "nowhere"])
def test_a_translation_that_is_the_reference_has_every_word_right(monkeypatch, given):
    config = config_of(**SMALL)
    splits = {split: setup.split_of(config, split) for split in ("train", "test")}
    for split, examples in splits.items():
        if given == "nowhere" or (given == "in the test set" and split == "train"):
            for example in examples:
                del example["source_words"], example["target_words"], example["links"]
    monkeypatch.setattr(setup, "split_of", lambda config, split: splits[split])
    found = of_references(splits["test"], counts_of(config))
    for name in ("frequency", "jump", "fertility") if given != "nowhere" else ("frequency",):
        right, there = np.sum(found[name], axis=0).T
        assert there.sum() > 1000 and (right == there).all(), (name, right, there)


def test_elided_words_and_commas_count_as_seen_in_training():
    config = config_of(**SMALL)
    seen = counts_of(config)
    assert min(seen["l'"], seen["n'"], seen[","]) > 1000
    examples = setup.split_of(config, "test")
    found = of_references(examples, seen)
    known = {word for one in setup.split_of(config, "train") for word in one["target_words"]}
    unknown = sum(word not in known for one in examples for word in one["target_words"])
    never = np.sum(found["frequency"], axis=0)[FREQUENCY_NAMES.index("never")]
    assert never.tolist() == [unknown, unknown] and unknown < 10
