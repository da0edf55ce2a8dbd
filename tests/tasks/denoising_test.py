"""Denoising as a task: documents are cut to fit, and an objective makes pairs of them."""

import numpy as np
import pytest

from attention_lab.data.objectives import OBJECTIVES
from attention_lab.data.rows import Noised, inputs_of
from attention_lab.special_tokens import END
from attention_lab.tasks import TASKS
from attention_lab.tasks.denoising import objective_of
from tests.tasks.tiny import config_of

TASK = TASKS["denoising"]
EXAMPLES = [
    {"source": "the cat sat . the dog ran . a bird sang in the old tree .", "target": "all moved"},
    {"source": " ", "target": "nothing"},
    {"text": "the end ."},
]
ALL = [
    {"kind": "span_corruption", "rate": 0.3, "mean": 2},
    {"kind": "prefix", "fraction": 0.5},
    "next_token",
    "gap_sentences",
    {"kind": "denoising", "noise": ["permutation", "infilling"]},
]


def made(tmp_path, objective=ALL[0], extra=10, length=12):
    fields = {"tokenizer__extra": extra, "data__max_length": length}
    config = {**config_of("denoising", **fields), "objective": objective}
    return config, TASK.prepare(config, EXAMPLES, tmp_path)


def test_one_tokenizer_knows_the_words_of_documents_and_of_targets(tmp_path):
    _, codec = made(tmp_path)
    assert codec.source is codec.target and codec.source.extra == 10
    assert {"cat", "moved", "end"} <= set(codec.source.pieces)


@pytest.mark.parametrize(
    "objective", ALL, ids=lambda one: one if isinstance(one, str) else one["kind"]
)
def test_long_documents_are_cut_so_that_every_pair_fits(tmp_path, objective):
    config, codec = made(tmp_path, objective)
    rows = TASK.encode(config, codec, EXAMPLES, tmp_path)
    assert isinstance(rows, Noised) and rows.left_out == {"no text": 1}
    texts = [EXAMPLES[0]["source"], EXAMPLES[2]["text"]]
    whole = np.concatenate(codec.source.encode_ids(texts))
    np.testing.assert_array_equal(np.concatenate([d.ids for d in rows.documents]), whole)
    assert len(rows.documents) == (2 if config["objective"] == ALL[1] else 3)
    assert max(side.max() for side in rows.lengths) <= 12
    longest = max(len(document.ids) for document in rows.documents)
    if len(rows.documents) == 3:  # one token more would not fit
        assert max(rows.objective.bound(longest + 1)) + 1 > 12
    for epoch in range(3):
        row = rows.epoch(0, epoch)
        for i in range(len(rows.documents)):
            assert max(len(row(i).source), len(row(i).target)) <= 12


def test_every_objective_is_among_these():
    kinds = {one if isinstance(one, str) else one["kind"] for one in ALL}
    assert kinds == set(OBJECTIVES)


def test_examples_are_evaluated_with_the_same_noise_each_time(tmp_path):
    config, codec = made(tmp_path)
    found, again = (TASK.evaluated(config, codec, EXAMPLES) for _ in range(2))
    rows = TASK.encode(config, codec, EXAMPLES, tmp_path)
    row = rows.epoch(0, 0)
    assert len(found) == len(again) == len(rows.documents)
    for number, (one, other) in enumerate(zip(found, again, strict=True)):
        assert one["ids"][-1] == one["source_ids"][-1] == END
        for name, ids in (("source_ids", row(number).source), ("ids", row(number).target)):
            np.testing.assert_array_equal(one[name], ids)
            np.testing.assert_array_equal(one[name], other[name])
        np.testing.assert_array_equal(one["inputs"], inputs_of(one["ids"]))
        assert one["source"] == codec.source.decode(one["source_ids"])
        assert one["target"] == codec.source.decode(one["ids"]) and "extra" not in one["target"]


def test_sentinels_are_the_reserved_tokens_from_the_end(tmp_path):
    config, codec = made(tmp_path)
    (first, *_) = TASK.evaluated(config, codec, EXAMPLES)
    sentinels = [i for i in first["ids"] if i >= len(codec.source) - 10]
    assert sentinels == [len(codec.source) - 1 - n for n in range(len(sentinels))] != []


@pytest.mark.parametrize(
    ("objective", "extra", "message"),
    [
        (
            ALL[0],
            1,
            r"span_corruption needs \d reserved tokens for documents of \d+ tokens, and the tokenizer has 1; ",
        ),
        (ALL[0], 0, "raise tokenizer.extra, or lower data.max_length"),
        ("gap_sentences", 0, "gap_sentences needs a mask, .*reserve one.*tokenizer.extra"),
        ("infilling", 0, "infilling needs a mask, .*tokenizer.extra"),
        ({"kind": "span_corruptoin"}, 9, "did you mean 'span_corruption'"),
        ({"kind": "span_corruption", "rat": 0.2}, 9, "did you mean 'rate'"),
        ({"kind": "span_corruption", "rate": 2}, 9, "rate"),
        ({}, 9, "objective"),
    ],
)
def test_an_objective_that_cannot_be_is_reported_in_one_line(tmp_path, objective, extra, message):
    config, codec = made(tmp_path, objective, extra)
    with pytest.raises(ValueError, match=message) as raised:
        objective_of(config, codec.source)
    assert "\n" not in str(raised.value)
    with pytest.raises(ValueError, match=message):
        TASK.encode(config, codec, EXAMPLES, tmp_path)


def test_nothing_is_generated_and_nats_rank():
    config = config_of("denoising")
    assert [metric.name for metric in TASK.metrics(config)] == ["cross_entropy", "perplexity"]
    assert {need for metric in TASK.metrics(config) for need in metric.needs} == {"losses"}
    assert [metric.name for metric in TASK.ranking(config)] == ["cross_entropy"]
