"""Where and how attention is read as an alignment is chosen on validation examples, and only then is the test set seen."""

from types import SimpleNamespace

import numpy as np
import pytest

from attention_lab.evaluation.alignment import best_place
from attention_lab.runs import evaluation
from tests.evaluation.alignment_test import corpus_of

# Of the validation set one head is right, of the test set another.
VALIDATION, TEST = (corpus_of(("cross/0", head, 0)) for head in (2, 1))


def test_a_choice_is_made_on_validation_records_and_the_errors_are_the_test_set_s():
    found, counts = evaluation.aligned(VALIDATION, TEST)
    assert (found["place"], found["head"], found["rule"]) == ("cross/0", 2, "greatest weight")
    # There, all that head 2 says of the test set is wrong: 3 links in each of 4 sentences.
    assert (found["precision"], found["recall"], found["aer"]) == (0, 0, 100)
    assert counts.tolist() == [[3, 0, 0, 3]] * 4
    found, counts = evaluation.aligned(VALIDATION, VALIDATION)
    assert (found["precision"], found["recall"], found["aer"]) == (100, 100, 0)
    assert counts.tolist() == [[3, 3, 3, 3]] * 4 and found["refused"] == 0


def test_sentences_that_cannot_be_read_are_counted_and_have_no_links():
    unread = [record._replace(info={"refused": "too long"}) for record in TEST[:1]]
    found, _ = evaluation.aligned(VALIDATION, [*unread, *VALIDATION])
    assert found["refused"] == 1


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


def run(*places):
    data = {"bleu_tokenize": "13a"}
    config = {"data": data, "decoding": {"beam": 3}, "training": {"matmul_precision": "high"}}
    return SimpleNamespace(config=config, data={}, places=lambda: list(places))


def test_what_is_looked_at_is_validation_first_and_then_the_split(read):
    looked = evaluation.looked_at(run("cross/0"), read["test"])
    assert looked == [[read["validation"][0], read["validation"][2]], read["test"]]


def test_the_first_five_hundred_validation_examples_with_links_are_taken(read):
    one = read["validation"][0]
    read["validation"] = [{"source": "c", "target": "d"}, *([one] * 501)]
    assert len(evaluation.looked_at(run("cross/0"), read["test"])[0]) == 500


@pytest.mark.parametrize(
    ("places", "split", "links", "why"),
    [
        (["encoder/0", "decoder/0"], "test", [(0, 0)], "does not attend to the source"),
        (["cross/0"], "test", [], "no word of the split is linked"),
        (["encoder/0", "cross/1"], "validation", [], "no validation example has links"),
    ],
)
def test_where_there_is_no_alignment_error_it_says_why(read, places, split, links, why):
    for example in read[split]:
        if "links" in example:
            example["links"] = links
    assert evaluation.looked_at(run(*places), read["test"]) == []
    assert why in evaluation.unaligned(run(*places), read["test"])


def test_without_links_nothing_is_looked_at(read):
    del read["test"][1]["links"]
    assert evaluation.looked_at(run("cross/0"), read["test"]) == []
    assert evaluation.unaligned(run("cross/0"), EXAMPLES["test"]) is None


def translation(text, ended=True, refused=None):
    return SimpleNamespace(text=text, ended=ended, refused=refused)


def test_a_split_is_judged_with_the_choice_of_the_first_records(read):
    examples = [{**one, "target": "the cat sat on the mat"} for one in EXAMPLES["test"]] * 2
    found = [
        translation("the cat sat on the mat"),
        translation("the cat sat", ended=False),
        translation("", ended=False, refused="too long"),
        translation("the dog sat on the mat"),
    ]
    judged = evaluation.judged(
        run("cross/0"), "test", examples, found, [VALIDATION, TEST], seconds=7.0, search={"beam": 9}
    )
    results = judged.results
    assert results["alignment"] == evaluation.aligned(VALIDATION, TEST)[0]
    assert results["alignment"]["head"] == best_place(VALIDATION).head == 2
    assert judged.records == TEST
    assert (results["sentences"], results["cut_off"], results["refused"]) == (4, 1, 1)
    assert (results["split"], results["seconds"], results["search"]) == ("test", 7.0, {"beam": 9})
    assert results["matmul_precision"] == "high" and list(results["data"]) == ["test"]
    assert judged.texts == [one.text for one in found]
    assert np.array(judged.parts["bleu"])[:, 0].tolist() == [6, 3, 0, 5]
    assert np.array(judged.parts["aer"]).tolist() == [[3, 0, 0, 3]] * 4
    assert 0 < results["bleu"] < 100 and "unaligned" not in results


def test_links_that_are_not_compared_are_said_to_be_so(read):
    found = [translation("y")] * 2
    judged = evaluation.judged(run(), "test", read["test"], found, [], seconds=1.0)
    assert judged.results["alignment"] is None and judged.records == []
    assert judged.results["unaligned"] == "the model does not attend to the source"
    assert "aer" not in judged.parts and judged.results["search"] == {"beam": 3}
    plain = [{"source": "x", "target": "y"}] * 2
    judged = evaluation.judged(run(), "test", plain, found, [], seconds=1.0)
    assert not {"alignment", "unaligned"} & set(judged.results)
