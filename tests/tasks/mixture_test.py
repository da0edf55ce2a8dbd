"""A mixture of tasks: prefixes, members and their metrics."""

import numpy as np
import pytest

from attention_lab.data import sources
from attention_lab.evaluation.metrics import Outcome
from attention_lab.runs import checks, setup
from attention_lab.tasks import TASKS
from attention_lab.tasks.mixture import members, of_member, prefixed
from tests.tasks.tiny import MEMBERS, config_of

TASK = TASKS["mixture"]


def test_a_prefix_is_before_the_source_and_its_words():
    example = {
        "source": "l'homme dort .",
        "target": "man sleeps",
        "source_words": ["l'", "homme", "dort", "."],
        "target_words": ["man", "sleeps"],
        "links": [(1, 0), (2, 1)],
        "sentence_of": [0, 0, 0, 0],
        "supporting": [0],
    }
    before = {**example}
    found = prefixed(example, "into English")
    assert example == before  # which others read too
    assert found == {
        **example,
        "member": "into English",
        "source": "into English: l'homme dort .",
        "source_words": ["into", "English:", "l'", "homme", "dort", "."],
        "links": [(3, 0), (4, 1)],
        "sentence_of": [-1, -1, 0, 0, 0, 0],
    }
    linked = {found["source_words"][i]: found["target_words"][j] for i, j in found["links"]}
    assert linked == {"homme": "man", "dort": "sleeps"}


def test_examples_without_gold_have_a_prefix_only():
    found = prefixed({"source": "a b", "target": "c"}, "x")
    assert found == {"source": "x: a b", "target": "c", "member": "x"}
    story = prefixed({"source": "a b ?", "target": "c", "sentence_of": [0, 0, -1]}, "x")
    assert story["source_words"] == ["x:", "a", "b", "?"] and story["sentence_of"] == [-1, 0, 0, -1]


def test_all_examples_of_all_members_are_read(tmp_path):
    config = config_of("mixture")
    found = TASK.read(config, "validation", tmp_path)
    at = 0
    for prefix, fields in MEMBERS.items():
        data = fields["data"]
        for one in sources.opened(data["name"], "validation", data["options"], tmp_path):
            assert found[at] == prefixed(one, prefix)
            at += 1
    assert at == len(found) == 120
    codec = TASK.prepare(config, found, tmp_path)
    rows = TASK.encode(config, codec, found, tmp_path)
    assert len(rows) == 120 and {"answer:", "summarize:"} <= set(codec.source.pieces)


def test_a_member_has_the_config_of_the_mixture_with_its_own_task_and_data():
    config = config_of("mixture", data__max_length=31)
    found = members(config)
    assert list(found) == ["summarize", "answer"]
    for prefix, (task, own) in found.items():
        fields = MEMBERS[prefix]
        assert task is TASKS[fields["task"]] and own["task"] == fields["task"]
        assert {**own["data"], **fields["data"]} == own["data"] and own["data"]["max_length"] == 31
        assert own["training"] is config["training"]
    assert [one["name"] for one in TASK.corpora(config)] == ["rosetta_headlines", "rosetta_answers"]
    assert setup.names_of(config) == "rosetta_headlines and rosetta_answers"


def test_a_member_needs_no_more_than_a_task_and_the_name_of_a_corpus():
    few = {
        "to French": {"task": "translation", "data": {"name": "rosetta"}},
        "title": {"task": "summarization", "data": {"name": "rosetta_headlines"}},
    }
    config = {**config_of("answering"), "task": "mixture", "mixture": few}
    checks.run(config)
    names = [metric.name for metric in TASK.metrics(config)]
    assert names[1:3] == ["to_French_bleu", "to_French_aer"] and "title_rougeL" in names
    assert all(member["data"]["options"] == {} for _, member in members(config).values())


def test_a_metric_of_a_member_is_that_of_its_own_examples_alone():
    examples = [
        {"target": "a b", "member": "one"},
        {"target": "c", "member": "two"},
        {"target": "d", "member": "one"},
        {"target": "e", "member": "two"},
    ]
    texts, losses = ["a b", "x", "d", "e"], np.array([[1.0, 3], [2, 2], [3, 2], [4, 2]])
    outcome = Outcome(examples, texts, losses)
    metrics = {m.name: m for m in TASKS["answering"].metrics(config_of("answering"))}
    for prefix, mine in (("one", [0, 2]), ("two", [1, 3])):
        alone = Outcome([examples[i] for i in mine], [texts[i] for i in mine], losses[mine])
        for name in ("exact_match", "perplexity"):
            own = of_member(metrics[name], prefix)
            assert own.name == f"{prefix}_{name}" and prefix in own.title
            assert own.score_of(outcome) == pytest.approx(metrics[name].score_of(alone))
            counts = own.statistics(outcome)
            np.testing.assert_array_equal(counts[mine], metrics[name].statistics(alone))
            assert len(counts) == 4 and counts.sum() == counts[mine].sum()
    assert of_member(metrics["exact_match"], "three").statistics(outcome) is None
    assert of_member(metrics["pointing"], "one").statistics(outcome) is None  # without records


def test_metrics_are_the_perplexity_of_all_and_those_of_all_members():
    names = [metric.name for metric in TASK.metrics(config_of("mixture"))]
    assert names == [
        "perplexity",
        *(f"summarize_{name}" for name in ("rougeL", "rouge1", "rouge2", "aer", "perplexity")),
        *(f"answer_{name}" for name in ("exact_match", "pointing", "aer", "perplexity")),
    ]
    assert [metric.name for metric in TASK.ranking(config_of("mixture"))] == ["perplexity"]


@pytest.mark.parametrize(
    ("mixture", "message"),
    [
        ({}, "the task mixture needs members: set mixture to"),
        ({"a": {}}, r"mixture\['a'\] is \{\}; it must have a task and data"),
        ({"a": {"task": "answering"}}, "it must have a task and data"),
        ({"a": {"task": "answering", "data": "rosetta"}}, "it must have a task and data"),
        ({"a": "answering"}, r"mixture\['a'\] is 'answering'; it must have"),
        ({"a": {"task": "answring", "data": {"name": "rosetta"}}}, "did you mean 'answering'"),
        ({"a": {"task": "language", "data": {"name": "rosetta"}}}, "'language'"),
        ({"a": {"task": "answering", "data": {"name": "rosett"}}}, "did you mean 'rosetta'"),
        (["a"], "mixture is .*; it must be"),
    ],
)
def test_a_mixture_that_cannot_be_is_reported_in_one_line(mixture, message):
    with pytest.raises(ValueError, match=message) as raised:
        checks.run({**config_of("mixture"), "mixture": mixture})
    assert "\n" not in str(raised.value)


def test_the_test_split_is_one_of_every_member():
    config = config_of("mixture", data__test="tst")
    with pytest.raises(ValueError, match="did you mean 'test'"):
        checks.run(config)
