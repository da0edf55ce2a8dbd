"""Stories: the same in every process, apart between splits, of any size, and refused in one line."""

import hashlib
import itertools
import json
import os
import re
import subprocess
import sys
import time

import pytest

from attention_lab.data.rosetta import split_of, stories
from attention_lab.data.rosetta.answers import rosetta_answers
from attention_lab.data.rosetta.dice import Dice
from attention_lab.data.rosetta.headlines import rosetta_headlines
from attention_lab.data.rosetta.stories import SIZES, Words
from attention_lab.data.sources import DATASETS, load

pytestmark = pytest.mark.xdist_group("rosetta")  # one process draws the corpus once

CORPORA = {"rosetta_headlines": rosetta_headlines, "rosetta_answers": rosetta_answers}
every_corpus = pytest.mark.parametrize("name", CORPORA)
SMALL = {"size": 25, "vocabulary": 4, "sentences": (5, 6)}


def story_of(example):
    """The story, without a question."""
    words = zip(example["source_words"], example["sentence_of"], strict=True)
    return " ".join(word for word, sentence in words if sentence >= 0)


@every_corpus
def test_sizes_seeds_and_slices(name):
    corpus = CORPORA[name]
    small, large = corpus("train", 20), corpus("train", 60)
    assert small[:] == large[:20] and small[-1] == small[19]
    assert corpus("train", 20, seed=1)[:] != small[:]
    assert load(name, "train", size=20)[:] == small[:]
    assert set(DATASETS[name].splits) == set(SIZES)


@every_corpus
def test_no_story_is_in_two_splits_whatever_the_options(name):
    corpus = CORPORA[name]
    worlds = [SMALL, {**SMALL, "seed": 1}, {"size": 25}]
    of_split = {
        split: {story_of(example) for world in worlds for example in corpus(split, **world)}
        for split in SIZES
    }
    for split, found in of_split.items():
        assert all(split_of(story) == split for story in found)
    for one, other in itertools.combinations(of_split.values(), 2):
        assert not one & other


@every_corpus
def test_no_story_is_told_twice(name):
    for world in (SMALL, {"size": 500}):
        found = [story_of(example) for example in CORPORA[name]("train", **world)]
        assert len(set(found)) == len(found)


@every_corpus
def test_stories_have_as_many_sentences_as_asked_for_and_the_long_ones_more(name):
    for split, low, high in (("train", 5, 6), ("test", 5, 6), ("test_long", 7, 12)):
        examples = CORPORA[name](split, **SMALL)
        assert {max(e["sentence_of"]) + 1 for e in examples} == set(range(low, high + 1))


@every_corpus
def test_a_small_world_has_few_words(name):
    worlds = ({"vocabulary": 4, "sentences": (5, 6)}, {"vocabulary": 6, "sentences": (5, 6)}, {})
    used = []
    for world in worlds:
        examples = CORPORA[name]("train", 300, **world)
        used.append({w.lower() for e in examples for w in (*e["source_words"], *e["target_words"])})
    assert len(used[0]) < len(used[1]) < len(used[2])
    assert len(used[0]) < 140 and len(used[1]) < 200


@every_corpus
def test_words_joined_are_the_text(name):
    for example in CORPORA[name]("train", 300):
        assert " ".join(example["source_words"]) == example["source"]
        assert " ".join(example["target_words"]) == example["target"]
        assert len(example["sentence_of"]) == len(example["source_words"])


@every_corpus
def test_the_english_never_has(name):
    wrong = re.compile(
        r"\b[Aa] (?!uniform)[aeiouEI]|\b[Aa]n (?![aeiouEI])|\b[Tt]he [A-Z](?!nglish|rench|erman|talian)"
        r"|\ba (?:water|milk|bread)|^[a-z]|[.] [a-z]|\b(\w+) \1\b"
    )
    for example in CORPORA[name]("train", 500):
        assert not wrong.search(example["source"]), example["source"]


@every_corpus
@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"split": "dev"}, "split 'dev': expected one of train"),
        ({"size": 0}, "size 0: expected 1 or more"),
        ({"vocabulary": 3}, "vocabulary 3: expected 4 or more"),
        ({"sentences": (2, 5)}, "expected the least and the greatest number"),
        ({"sentences": (7, 6)}, "expected the least and the greatest number"),
        ({"sentences": 5}, "expected the least and the greatest number"),
        ({"sentences": [5, 6, 7]}, "expected the least and the greatest number"),
        ({"sentences": ("5", "6")}, "expected the least and the greatest number"),
    ],
)
def test_a_bad_request_is_answered_in_one_line(name, arguments, message):
    with pytest.raises(ValueError, match=re.escape(message)) as error:
        CORPORA[name](**{"split": "train", **arguments})
    assert "\n" not in str(error.value) and name in str(error.value)


def test_kinds_of_questions_that_do_not_exist_are_refused_with_those_that_do():
    for questions in (["colour"], [], ["color", "where"]):
        with pytest.raises(ValueError, match="expected some of where_person, where_thing"):
            rosetta_answers("train", 5, questions=questions)
    with pytest.raises(ValueError, match="did you mean 'questions'"):
        load("rosetta_answers", "train", question=["color"])


def test_a_world_without_another_story_says_so(monkeypatch):
    monkeypatch.setattr(stories, "_FRUITLESS", 50)
    words = Words(Dice("one"), 4)
    told = [words.any("abc") for _ in range(3)]
    with pytest.raises(ValueError, match="no 5 different stories in train, only about"):
        stories.stories(
            "rosetta_none",
            lambda words, length: told[0],
            lambda story: story,
            split="train",
            size=5,
            seed=0,
            vocabulary=4,
            sentences=(3, 4),
        )


DIGEST = """
import hashlib, json
from attention_lab.data.rosetta.answers import rosetta_answers
from attention_lab.data.rosetta.headlines import rosetta_headlines
for corpus in (rosetta_headlines, rosetta_answers):
    print(hashlib.sha256(json.dumps(corpus("train", 200)[:]).encode()).hexdigest())
"""


def digests():
    return [
        hashlib.sha256(json.dumps(corpus("train", 200)[:]).encode()).hexdigest()
        for corpus in CORPORA.values()
    ]


# sha256 of the first 200 examples of train.
SEALS = [
    "b28d7d8f6b6eac7122d9d4b542ea203455bfdf3c323fcefffb3e3b26db96386c",
    "1e8ccf1016b09462293b9faa933dcda18d8b15941f8d820702653a9075c76474",
]


def test_the_corpora_are_frozen():
    assert digests() == SEALS, (
        "the corpora have changed: figures that were published on them no longer hold; undo the change, or measure "
        "again"
    )


def test_another_process_with_another_hash_seed_draws_the_same():
    for hash_seed in ("1", "2"):
        result = subprocess.run(
            [sys.executable, "-c", DIGEST],
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
        )
        assert result.stdout.split() == digests(), result.stderr


@every_corpus
def test_ten_thousand_stories_take_seconds(name):
    start = time.process_time()
    CORPORA[name]("train", 500, seed=5)
    assert time.process_time() - start < 1.5  # 0.1 and 0.2 on an idle core
