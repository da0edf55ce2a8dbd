"""Where and how attention is read as an alignment is chosen on validation examples, and only then is the test set seen."""

import contextlib
from types import SimpleNamespace

import numpy as np
import pytest

from attention_lab.evaluation.alignment import best_layer
from attention_lab.runs import TeacherForced, evaluation
from tests.evaluation.alignment_test import corpus_of

# Of the validation set one head is right, of the test set another.
VALIDATION, TEST = (corpus_of(("cross/0", head, 0)) for head in (2, 1))


EXAMPLES = {
    "validation": [
        {"source": "a", "target": "b", "links": [(0, 0)]},
        {"source": "c", "target": "d"},
        {"source": "e", "target": "f", "links": []},
    ],
    "test": [{"source": "x", "target": "y", "links": [(0, 0)]}] * 2,
}


@pytest.fixture
def read(monkeypatch):
    """Splits as they are read; a test changes them."""
    splits = {name: [dict(one) for one in examples] for name, examples in EXAMPLES.items()}
    monkeypatch.setattr(evaluation, "split_of", lambda config, split: splits[split])
    return splits


def run(*layers):
    data = {"bleu_tokenize": "13a"}
    config = {
        "task": "translation",
        "data": data,
        "decoding": {"beam": 3},
        "training": {"matmul_precision": "high"},
    }
    return SimpleNamespace(
        config=config, codec=None, data={}, attention_layers=lambda: list(layers)
    )


def test_how_alignments_are_read_is_chosen_on_validation_examples_with_links(read):
    chosen_on = evaluation.alignment_examples(run("cross/0"), read["test"])
    assert chosen_on == [read["validation"][0], read["validation"][2]]


def test_the_first_five_hundred_validation_examples_with_links_are_taken(read):
    one = read["validation"][0]
    read["validation"] = [{"source": "c", "target": "d"}, *([one] * 501)]
    assert len(evaluation.alignment_examples(run("cross/0"), read["test"])) == 500


@pytest.mark.parametrize(
    ("layers", "split", "links", "why"),
    [
        (["encoder/0", "decoder/0"], "test", [(0, 0)], "does not attend to the source"),
        (["cross/0"], "test", [], "no word of the split is linked"),
        (["encoder/0", "cross/1"], "validation", [], "no validation example has links"),
    ],
)
def test_where_there_is_no_alignment_error_it_says_why(read, layers, split, links, why):
    for example in read[split]:
        if "links" in example:
            example["links"] = links
    assert evaluation.alignment_examples(run(*layers), read["test"]) == []
    assert why in evaluation.unaligned(run(*layers), read["test"])


def test_without_links_nothing_is_chosen(read):
    del read["test"][1]["links"]
    assert evaluation.alignment_examples(run("cross/0"), read["test"]) == []
    assert evaluation.unaligned(run("cross/0"), EXAMPLES["test"]) is None


def translation(text, ended=True, refused=None):
    return SimpleNamespace(text=text, ended=ended, refused=refused)


DATA = {"test": "the digest"}


def forced(records=(), count=4):
    losses = np.array([[2 * np.log(4), 2.0]] * (count - 1) + [[0.0, 0.0]])
    return TeacherForced(losses, list(records))


def test_a_split_is_scored_as_the_validation_records_choose(read):
    examples = [{**one, "target": "the cat sat on the mat"} for one in EXAMPLES["test"]] * 2
    found = [
        translation("the cat sat on the mat"),
        translation("the cat sat", ended=False),
        translation("", ended=False, refused="too long"),
        translation("the dog sat on the mat"),
    ]
    given = DATA, examples, found, forced(TEST), forced(VALIDATION)
    one = evaluation.score_translations(run("cross/0"), *given, seconds=7.0, search={"beam": 9})
    results, scores = one.results, one.results["scores"]
    assert list(scores) == list(one.statistics) == ["bleu", "aer", "chrf", "perplexity"]
    # There, all that head 2 says of the test set is wrong: 3 links in each of 4 sentences.
    assert one.statistics["aer"].tolist() == [[3, 0, 0, 3]] * 4 and scores["aer"] == {"score": 100}
    assert results["alignment"] == {
        **{"precision": 0, "recall": 0, "layer": "cross/0", "head": 2},
        **{"rule": "greatest weight", "refused": 0},
    }
    assert best_layer(VALIDATION).head == 2
    assert one.records == TEST
    assert (results["sentences"], results["cut_off"], results["refused"]) == (4, 1, 1)
    assert (results["split"], results["seconds"], results["search"]) == ("test", 7.0, {"beam": 9})
    assert results["matmul_precision"] == "high" and results["data"] == DATA
    assert one.texts == [each.text for each in found]
    assert one.statistics["bleu"][:, 0].tolist() == [6, 3, 0, 5]
    assert 0 < scores["bleu"]["score"] < 100 and "unaligned" not in results
    assert scores["perplexity"] == {"score": pytest.approx(4)}
    assert [name for name, each in scores.items() if "signature" in each] == ["bleu", "chrf"]
    right = evaluation.score_translations(run("cross/0"), *given[:4], forced(TEST), seconds=7.0)
    assert right.results["scores"]["aer"] == {"score": 0}
    assert [right.results["alignment"][name] for name in ("precision", "recall")] == [100, 100]


class Together:
    """Two runs side by side, of which each translates and attends as it is told to."""

    def __init__(self, records):
        self.records, self.calls = records, []

    def translate(self, sentences, step, progress, **search):
        self.calls.append(("translate", list(sentences), step, search))
        return [[translation(text)] * len(sentences) for text in ("one", "other")]

    def record_bytes(self, examples):
        return 0

    def teacher_forced(self, examples, weights=True, *, layers, progress):
        assert layers("encoder/0")
        self.calls.append(("forced", list(examples), weights))
        found = self.records[len(examples)] if weights else []
        return [forced(found, count=len(examples)) for _ in range(2)]


@pytest.fixture
def together(monkeypatch):
    """Of 3 validation examples one head is right, of 4 test examples another."""
    made = Together({3: VALIDATION[:3], 4: TEST, 0: []})
    monkeypatch.setattr(evaluation.Runs, "of", lambda runs, layout: made)
    return made


def test_runs_are_scored_each_with_its_own_texts_by_a_choice_on_validation_examples(read, together):
    read["test"] *= 2
    read["validation"] = [read["validation"][0]] * 3
    totals = []

    def progress(total, what):
        totals.append((total, what))
        return contextlib.nullcontext(lambda count: None)

    runs = [run("cross/0"), run("cross/0")]
    found = evaluation.evaluate_each(runs, "test", progress, 7, beam=9)
    assert together.calls == [
        ("translate", ["x"] * 4, 7, {"beam": 9}),
        ("forced", read["validation"], True),
        ("forced", read["test"], True),
    ]
    assert totals == [(4, "translating test"), (7, "teacher forcing")]
    assert [one.texts for one in found] == [["one"] * 4, ["other"] * 4]
    for one in found:
        assert (
            one.results["alignment"]["head"] == 2 and one.results["scores"]["aer"]["score"] == 100
        )
        assert one.results["search"] == {"beam": 9} and one.records == TEST
    assert found[0].results["seconds"] == found[1].results["seconds"] >= 0
    for example in read["test"]:
        example.pop("links", None)
    plain, _ = evaluation.evaluate_each(runs, "test", progress)
    assert "alignment" not in plain.results
    assert together.calls[-2:] == [("forced", [], True), ("forced", read["test"], False)]


def test_sentences_that_cannot_be_read_are_counted_and_have_no_links(read):
    unread = [record._replace(info={"refused": "too long"}) for record in TEST[:3]]
    found = [translation("", ended=False, refused="too long")] * 2
    found += [translation("y", ended=False)] * 2
    given = DATA, read["test"] * 2, found, forced([*unread, *TEST[3:]]), forced(TEST)
    results = evaluation.score_translations(run(), *given, seconds=1.0).results
    # Three have no links, since their references are too long as well.
    assert results["alignment"]["refused"] == 3
    assert (results["refused"], results["cut_off"]) == (2, 2)


def test_links_that_are_not_compared_are_printed_to_be_so(read):
    found = [translation("y")] * 2
    one = evaluation.score_translations(
        run(), DATA, read["test"], found, forced(count=2), forced(count=0), seconds=1.0
    )
    assert one.results["alignment"] is None and one.records == []
    assert one.results["unaligned"] == "the model does not attend to the source"
    assert "aer" not in one.statistics and one.results["search"] == {"beam": 3}
    plain = [{"source": "x", "target": "y"}] * 2
    one = evaluation.score_translations(
        run(), DATA, plain, found, forced(count=2), forced(count=0), seconds=1.0
    )
    assert not {"alignment", "unaligned"} & set(one.results)
    some = [read["test"][0], *plain[1:]]  # nor where not all are linked
    one = evaluation.score_translations(
        run(), DATA, some, found, forced(count=2), forced(count=0), seconds=1.0
    )
    assert not {"alignment", "unaligned"} & set(one.results)


def test_the_choice_that_is_shown_is_the_pointer_else_that_of_alignments(tmp_path):
    pointer = {"layer": "cross/1", "head": 2}
    aligned = {"layer": "cross/0", "head": None, "rule": "greatest weight"}
    for number, (results, expected) in enumerate(
        [
            ({"pointer": pointer, "alignment": aligned}, pointer),
            ({"alignment": aligned}, aligned),
            ({"alignment": None}, None),
            ({}, None),
        ]
    ):
        one = evaluation.Evaluation({"split": "test", **results}, [], {}, [])
        assert one.choice == expected
        one.save(tmp_path / str(number))
        assert evaluation.saved_choice(tmp_path / str(number), "test") == expected
        assert evaluation.saved_choice(tmp_path / str(number), "validation") is None
    for damaged in ("{", "[1]"):
        (tmp_path / "0/evaluation/test.json").write_text(damaged, encoding="utf-8")
        assert evaluation.saved_choice(tmp_path / "0", "test") is None
