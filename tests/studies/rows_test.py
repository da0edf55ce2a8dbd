"""A replica's row of results, from records, journals and evaluations that are made by hand."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from attention_lab.evaluation.records import make_record
from attention_lab.runs import TeacherForced
from attention_lab.studies import rows
from attention_lab.studies.study import study_of
from attention_lab.training.nonfinite import PATIENCE
from attention_lab.training.replicas import Layout
from tests.studies.study_test import config_of


def record(*cross, source=None, links=None, **layers):
    """A record of as many words as the weights have, at cross/0, cross/1, ..."""
    weights = {f"cross/{n}": np.array(one, float) for n, one in enumerate(cross)}
    width, height = (weights["cross/0"].shape[2], weights["cross/0"].shape[1]) if cross else (1, 1)
    words = source or [f"s{n}" for n in range(width)]
    return make_record(words, [f"t{n}" for n in range(height)], {**weights, **layers}, links=links)


def test_whole_numbers_are_short_and_others_as_they_are():
    assert json.dumps(rows.plain(np.array([[1.0, 2.0]]))) == "[[1, 2]]"
    assert json.dumps(rows.plain(np.array([1.0, 2.5]))) == "[1.0, 2.5]"
    assert np.isnan(rows.plain(np.array([1.0, np.nan]))[1])


def test_weights_are_scaled_to_one_or_are_nothing():
    found = rows.scaled(np.array([[1.0, 3.0], [0.0, 0.0], [2.0, 0.0]]))
    assert found.tolist() == [[0.25, 0.75], [0, 0], [1, 0]]


def test_places_are_those_of_cross_attention_by_layer():
    one = np.ones((1, 1, 1))
    layers = {f"cross/{n}": one for n in (10, 2)} | {"decoder/0": one}
    many = record(**layers)
    assert rows.cross_layers([many, record()]) == ["cross/2", "cross/10"]
    assert rows.cross_layers([]) == rows.cross_layers([record(**{"encoder/0": one})]) == []


# Two heads of two target words and two source words.
ONE = [[[1, 0], [0, 2]], [[1, 0], [1, 1]]]
OTHER = [[[1, 3], [0, 0]], [[0, 1], [1, 0]]]


def test_entropy_is_the_mean_over_words_heads_layers_and_sentences():
    found = rows.attention_of([record(ONE), record(OTHER)], None)
    quarter = 0.25 * 2 + 0.75 * np.log2(4 / 3)
    # 0, 0, 0, 1 bit; then a quarter, none at all, 0, 0.
    assert found["entropy"] == pytest.approx((1 + quarter) / 7)


def test_heads_agree_by_the_weight_that_they_share():
    found = rows.attention_of([record(ONE), record(OTHER)], None)["agreement"]
    # Of words: [1, 0] and [1, 0]; [0, 1] and [1/2, 1/2]. Then [1/4, 3/4] and [0, 1]; nothing and [1, 0].
    assert found == {"heads": pytest.approx([(1 + 0.5) / 2, (0.75 + 0) / 2])}
    layers = rows.attention_of([record(ONE, OTHER)], None)["agreement"]
    assert layers == {"heads": pytest.approx([(0.75 + 0.375) / 2])}
    assert rows.attention_of([record(ONE[:1])], None)["agreement"] == {}  # one head
    assert rows.attention_of([record(**{"encoder/0": np.ones((1, 1, 1))})], None) == {}
    assert rows.attention_of([], None) == {}


def wide(width, **more):
    return record([np.eye(2, width), np.eye(2, width)[::-1] / 3], **more)


@pytest.mark.parametrize(
    ("widths", "shown"),
    [([5, 6, 10], 6), ([11, 10, 6], 10), ([11, 5], 11), ([5, 11], 5), ([3, 4, 8], 8)],
)
def test_the_example_is_the_first_of_six_to_ten_words(widths, shown):
    found = rows.attention_of([wide(width) for width in widths], None)["example"]
    assert found["source"] == [f"s{n}" for n in range(shown)]


def test_the_example_shows_the_place_and_head_that_were_chosen():
    last = np.full((2, 2, 6), 0.2)
    one = make_record(
        [f"s{n}" for n in range(6)],
        ["t0", "t1"],
        {"cross/0": np.stack([np.eye(2, 6), np.eye(2, 6)[::-1] / 3]), "cross/1": last},
        links=[(1, 1), (0, 0)],
    )
    choice = {"layer": "cross/0", "head": 1}
    found = rows.attention_of([one], choice)["example"]
    assert found["weights"] == [[0, 0.333, 0, 0, 0, 0, 0], [0.333, 0, 0, 0, 0, 0, 0]]
    assert found["target"] == ["t0", "t1"] and found["links"] == [(0, 0), (1, 1)]
    found = rows.attention_of([one], None)["example"]  # the last place, the mean of heads
    assert found["weights"] == [[0.2] * 6 + [0]] * 2
    assert rows.attention_of([wide(6)], None)["example"]["links"] == []


def test_the_example_of_an_image_has_a_map_and_the_boxes_of_each_word():
    def image(words):
        weights = np.zeros((1, words, 4))
        weights[:, :, 3] = 1
        return make_record(
            ["0,0", "0,1", "1,0", "1,1"],
            [f"t{n}" for n in range(words)],
            {"cross/0": weights},
            source_words=["cat"],
            source_word_of=[-1] * 4,
            links=[(0, 1)],
            states=(2, 2),
            boxes=[(0, 0, 1, 1)],
        )

    found = rows.attention_of([image(3), image(7)], None)["example"]
    assert found["target"] == [f"t{n}" for n in range(7)] and "source" not in found
    assert found["weights"] == [[[0, 0], [0, 1]]] * 7
    assert found["boxes"] == [[], [(0, 0, 1, 1)], *[[]] * 5]


def test_the_example_of_an_answer_has_the_sentences_of_its_source():
    examples = [{"source": "a"}, {"sentence_of": (0, 0, 0, 1, 1, 1, -1), "supporting": (1,)}]
    found = rows.attention_of([wide(3), wide(7)], None, examples)["example"]
    assert found["sentence_of"] == [0, 0, 0, 1, 1, 1, -1] and found["supporting"] == [1]
    assert "supporting" not in rows.attention_of([wide(7), wide(3)], None, examples)["example"]


def test_seeds_agree_by_their_mean_over_layers_and_heads():
    even = [[[1, 1], [1, 1]]] * 2
    seeds = [[record(ONE, even)], [record(even, even)], [record(OTHER, OTHER)]]
    # The mean over heads, then layers, of the weights of each target word, scaled.
    means = [[[2, 1], [1.5, 2.5]], [[1, 1], [1, 1]], [[1, 4], [1, 0]]]
    means = [[[a / (a + b), b / (a + b)] for a, b in one] for one in means]

    def alike(one, other):
        each = [sum(map(min, x, y)) for x, y in zip(one, other, strict=True)]
        return sum(each) / len(each)

    expected = [
        [np.mean([alike(one, other) for other in means if other is not one])] for one in means
    ]
    np.testing.assert_allclose(rows.seed_agreement(seeds), expected, rtol=1e-6)
    assert (
        rows.seed_agreement(seeds[:1]) == [] and rows.seed_agreement([[record()], [record()]]) == []
    )
    assert len(rows.seed_agreement([one * 4 for one in seeds])[0]) == 4


def group_of(tmp_path, lines=(), **fields):
    (group,) = study_of(
        config_of(**{"arms": {"a": {}, "b": {"training.dropout": 0.5}}, **fields}), tmp_path
    ).groups
    group.folder.mkdir(parents=True)
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (group.folder / "metrics.jsonl").write_text(text, encoding="utf-8")
    return group


def test_a_curve_is_the_replica_s_own(tmp_path):
    lines = [
        {"kind": "validation", "update": 0, "bleu": [1, 2], "perplexity": [9, 8]},
        {"kind": "train", "update": 1, "tokens": [10, 20]},
        {"kind": "train", "update": 2, "tokens": [30, 40]},
        {"kind": "validation", "update": 2, "bleu": [3, 4], "perplexity": [7, 6]},
        {"kind": "skipped", "update": 3, "skipped": [True, False]},
    ]
    group = group_of(tmp_path, lines)
    assert rows.curve_of(group, 1) == [
        {"tokens": 0, "bleu": 2, "perplexity": 8},
        {"tokens": 40, "bleu": 4, "perplexity": 6},
    ]
    assert [one["tokens"] for one in rows.curve_of(group, 0)] == [0, 30]


@pytest.mark.parametrize(("patience", "kept"), [(0, 6), (1, 4), (2, 5), (3, 6)])
def test_a_curve_ends_where_a_replica_alone_would_have_lost_patience(tmp_path, patience, kept):
    scores = [
        (1, 9),
        (2, 9),
        (2, 8),
        (1, 1),
        (2, 8),
        (0, 1),
    ]  # of the third, the others are no better
    lines = [
        {"kind": "validation", "update": n, "bleu": [n, bleu], "perplexity": [9, perplexity]}
        for n, (bleu, perplexity) in enumerate(scores)
    ]
    group = group_of(tmp_path, lines, arms={"a": {"training.patience": patience}})
    assert [(one["bleu"], one["perplexity"]) for one in rows.curve_of(group, 1)] == scores[:kept]


def test_a_group_of_one_writes_numbers_and_not_lists(tmp_path):
    lines = [
        {"kind": "train", "update": 1, "tokens": 10},
        {"kind": "validation", "update": 1, "bleu": 3, "perplexity": 7},
        {"kind": "skipped", "update": 2, "skipped": True},
    ]
    group = group_of(tmp_path, lines, arms={"a": {}}, seeds=[0])
    assert rows.curve_of(group, 0) == [{"tokens": 10, "bleu": 3, "perplexity": 7}]
    assert rows.skipped_of(group, 0) == {"skipped": 1, "frozen": False}


@pytest.mark.parametrize(
    ("updates", "frozen"),
    [
        (range(5, 5 + PATIENCE), True),
        (range(5, 4 + PATIENCE), False),
        ([*range(1, PATIENCE), *range(PATIENCE + 1, 2 * PATIENCE)], False),
        ([1, *range(20, 20 + PATIENCE), 50], True),
        ([], False),
    ],
)
def test_skipped_updates_are_counted_and_those_in_a_row_freeze(tmp_path, updates, frozen):
    lines = [{"kind": "train", "update": 1, "skipped": [True, True]}]
    lines += [
        {"kind": "skipped", "update": n, "skipped": [n != 3, n in updates]} for n in range(1, 60)
    ]
    found = rows.skipped_of(group_of(tmp_path, lines), 1)
    assert found == {"skipped": len(updates), "frozen": frozen}


def test_training_words_are_counted(monkeypatch):
    asked = []
    splits = {
        "train": [{"target": "le chat, le"}, {"target": "chat"}],
        "held out": [{"target": "un"}],
    }
    monkeypatch.setattr(
        rows.setup, "split_of", lambda config, split: asked.append(split) or splits[split]
    )
    config = {"data": {"test": "held out"}}
    assert rows.counts_of(config) == {"le": 2, "chat,": 1, "chat": 1}
    assert asked == ["train", "held out"]
    # A test set that comes with its words says how the others are cut.
    splits["held out"] = [{"target": "chat, un", "target_words": ["chat", ",", "un"]}]
    assert rows.counts_of(config) == {"le": 2, "chat": 2, ",": 1}
    splits["train"].append({"target": "lechat", "target_words": ["le", "chat"]})
    assert rows.counts_of(config) == {"le": 3, "chat": 3, ",": 1}


EXAMPLES = [
    {"source": "the black cat", "target": "le chat noir", "links": [(0, 0), (2, 1), (1, 2)]},
    {"source": "a", "target": "un", "links": []},
]


def evaluated(texts, **statistics):
    return SimpleNamespace(texts=texts, statistics=statistics)


def test_statistics_are_what_each_sentence_adds():
    examples = [dict(one) for one in EXAMPLES]
    bleu = np.arange(20.0).reshape(2, 10)
    one = evaluated(["le chat blanc", "une"], bleu=bleu)
    found = rows.statistics_of(examples, one, {"le": 1000, "chat": 5, "un": 99})
    assert found["bleu"] == bleu.astype(int).tolist() and found["source_words"] == [3, 1]
    assert set(found) == {"bleu", "source_words", "frequency", "jump", "fertility"}
    none = [0, 0]
    # le: 1000 or more; chat: 1-9; noir: never, and wrong. un: 10-99, and wrong.
    assert found["frequency"] == [
        [[0, 1], [1, 1], none, none, [1, 1]],
        [none, none, [0, 1], none, none],
    ]
    # le: next in order; chat: one away; noir: two away. un is not linked.
    assert found["jump"] == [[[1, 1], [1, 1], [0, 1], none], [none] * 4]
    assert found["fertility"] == [[none, [2, 3], none, none], [[0, 1], none, none, none]]
    del examples[1]["links"]
    assert set(rows.statistics_of(examples, one, {})) == {"bleu", "source_words", "frequency"}


class Evaluated(SimpleNamespace):
    """An evaluation of one replica, and where it was saved."""

    choice = None

    def save(self, folder):
        self.saved.append((folder.name, self.name))


def test_rows_are_each_replica_s_own(tmp_path, monkeypatch):
    group, saved, asked, forced = group_of(tmp_path, also=["more"]), [], [], []
    names = [group.replica_folder(one).name for one in group.replicas]
    assert names == ["a_seed_0", "a_seed_1", "b_seed_0", "b_seed_1"]
    # How far each looks at the first word.
    looks = [[[[[w, 1 - w]]]] for w in (1.0, 0.75, 0.5, 0.0)]

    def evaluate_each(all_, split, bar, step, layout):
        asked.append((split, step, layout))
        return [
            Evaluated(
                name=f"{split} {number}",
                saved=saved,
                texts=[f"text {number}", "", ""],
                results={
                    "scores": {"bleu": {"score": number}},
                    "split": split,
                    "refused": 1 + 10 * (split == "more"),
                    "alignment": None,
                },
                records=[record(*look), record(*look)] if records else [],
            )
            for number, look in enumerate(looks)
        ]

    records = True
    monkeypatch.setattr(
        rows.runs, "load", lambda folder: SimpleNamespace(data={"test": folder.name})
    )

    class Runs(SimpleNamespace):
        @classmethod
        def of(cls, each, layout):
            return cls(each=each)

        def teacher_forced(self, examples):
            forced.append(examples)
            return [
                TeacherForced(
                    None,
                    [record(*look)._replace(info={"refused": "x"} if n else {}) for n in range(2)],
                )
                for look in looks
            ]

    monkeypatch.setattr(rows.runs, "Runs", Runs)
    monkeypatch.setattr(rows.evaluation, "evaluate_each", evaluate_each)
    monkeypatch.setattr(rows.evaluation, "examples_of", lambda run, split: EXAMPLES)
    monkeypatch.setattr(rows.evaluation, "evaluated_examples", lambda run, split: EXAMPLES)
    monkeypatch.setattr(
        rows, "statistics_of", lambda examples, found, seen: (examples, found.name, seen)
    )
    monkeypatch.setattr(rows, "curve_of", lambda group, number: [number])
    found = rows.rows_of(group, Layout(), "seen")
    assert asked == [(split, rows.COARSE, Layout()) for split in ("test", "more")] and not forced
    assert saved == [(name, f"{s} {n}") for s in ("test", "more") for n, name in enumerate(names)]
    assert [
        (row["arm"], row["seed"], row["scores"]["bleu"]["score"], row["curve"]) for row in found
    ] == [
        ("a", 0, 0, [0]),
        ("a", 1, 1, [1]),
        ("b", 0, 2, [2]),
        ("b", 1, 3, [3]),
    ]
    for number, (row, name) in enumerate(zip(found, names, strict=True)):
        assert row["version"] == rows.VERSION and row["split"] == "test" and row["refused"] == 12
        assert row["data"] == {"test": name}
        assert row["statistics"] == {
            s: (EXAMPLES, f"{s} {number}", "seen") for s in ("test", "more")
        }
        assert row["hypotheses"] == [f"text {number}", "", ""]
        assert row["references"] == ["le chat noir", "un"]
        assert (row["skipped"], row["frozen"]) == (0, False)
    # Seeds agree with those of their own arm.
    assert [row["agreement"] for row in found] == [
        {"seeds": pytest.approx([agreed] * 2)} for agreed in (0.75, 0.75, 0.5, 0.5)
    ]
    # Without records, attention is looked at along the references; what cannot be read is left out.
    records = False
    found = rows.rows_of(group, Layout(), "seen")
    assert forced == [EXAMPLES]
    assert found[0]["agreement"] == {"seeds": pytest.approx([0.75])}
