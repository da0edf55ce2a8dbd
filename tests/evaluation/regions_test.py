"""Where weights lie, counted by loops over cells; and CIDEr-D by loops over its formula."""

import math
from collections import Counter

import numpy as np
import pytest

from attention_lab.evaluation import perception, regions
from attention_lab.evaluation.cider import cider
from attention_lab.evaluation.metrics import Outcome
from attention_lab.evaluation.pointing import Pointer
from attention_lab.evaluation.records import load, make_record, save
from attention_lab.runs.outputs import owners

RNG = np.random.default_rng(0)
BOXES = [(0.0, 0.5, 1.5, 2.0), (1.0, 2.0, 2.0, 3.0)]


def record_of(weights, links, boxes=BOXES, states=(2, 3), words=("a", "cat", "sits"), **others):
    queries = weights.shape[1]
    return make_record(
        [str(k) for k in range(math.prod(states))],
        [f"t{q}" for q in range(queries)],
        {"cross/0": weights, **others},
        source_words=["cat", "dog"][: len(boxes)],
        source_word_of=[-1] * math.prod(states),
        target_words=list(words),
        target_word_of=[0, 1, 1, 2, -1][:queries],
        links=links,
        states=states,
        boxes=boxes,
    )


def drawn(heads=2, queries=5, keys=6):
    weights = RNG.random((heads, queries, keys))
    return weights / weights.sum(-1, keepdims=True)


def inside(box, cell):
    """The part of the cell [y, y + 1) x [x, x + 1) that is in the box, by sampling its area finely."""
    steps = (np.arange(200) + 0.5) / 200
    axes = len(box) // 2
    part = 1.0
    for axis in range(axes):
        at = cell[axis] + steps
        part *= np.mean((at >= box[axis]) & (at < box[axes + axis]))
    return part


def test_the_weight_inside_is_the_sum_over_cells_of_weight_times_the_part_of_the_cell():
    weights = drawn()
    record = record_of(weights, [(0, 0), (0, 1), (1, 1)])
    for pointer, own in ((None, weights.mean(0)), (Pointer("cross/0", 1), weights[1])):
        total = 0.0
        for tokens, boxes in (([0], [0]), ([1, 2], [0, 1])):
            row = np.mean([own[t] for t in tokens], 0)
            for k in range(6):
                total += row[k] * min(1, sum(inside(BOXES[b], divmod(k, 3)) for b in boxes))
        np.testing.assert_allclose(regions.inside_sums([record], pointer), [[total, 2]], rtol=1e-6)
    areas = 1.5 * 1.5 / 6, (1.5 * 1.5 + 1) / 6
    np.testing.assert_allclose(regions.area_sums([record]), [[sum(areas), 2]])


def test_a_word_points_into_its_box_if_the_middle_of_its_greatest_cell_lies_there():
    for k in range(6):
        weights = np.full((1, 5, 6), 0.1)
        weights[0, :, k] = 0.5
        record = record_of(weights, [(0, 1)])
        y, x = divmod(k, 3)
        hit = 0 <= y + 0.5 < 1.5 and 0.5 <= x + 0.5 < 2
        assert regions.pointing_counts([record]).tolist() == [[int(hit), 1]]


def test_frames_are_intervals_of_one_axis():
    weights = np.zeros((1, 2, 4))
    weights[0, 0] = [0.1, 0.6, 0.2, 0.1]
    record = record_of(weights, [(0, 0), (1, 1)], [(0.5, 2.5), (3, 4)], (4,), ("a", "b"))
    assert regions.pointing_counts([record]).tolist() == [[1, 2]]  # the second word has no weight
    np.testing.assert_allclose(regions.inside_sums([record]), [[0.05 + 0.6 + 0.1, 2]])


def test_weights_that_do_not_sum_to_one_are_scaled():
    weights = drawn()
    one, other = (record_of(scale * weights, [(0, 1)]) for scale in (1.0, 3.0))
    np.testing.assert_allclose(regions.inside_sums([one]), regions.inside_sums([other]), rtol=1e-6)


def test_words_without_boxes_do_not_count_and_a_model_without_attention_looks_nowhere():
    assert regions.pointing_counts([record_of(drawn(), [])]).tolist() == [[0, 0]]
    blind = record_of(drawn(), [(0, 0)])._replace(weights={})
    with pytest.raises(ValueError, match="no cross-attention"):
        list(regions.looked(blind))
    with pytest.raises(ValueError, match="nothing to choose from"):
        regions.best_pointer([blind])
    outcome = Outcome([], [], None, [blind])
    metrics = perception.region_pointing(), perception.correctness(), perception.area()
    assert [metric.statistics(outcome) for metric in metrics] == [None] * 3
    unknown = Outcome([], [], None, [record_of(drawn(), [])])
    assert [metric.statistics(unknown) for metric in metrics] == [None] * 3


def test_the_layer_and_head_with_the_most_weight_inside_are_chosen():
    low, high = np.full((2, 5, 6), 1 / 6), np.zeros((2, 5, 6))
    high[0, :, 5] = high[1, :, 1] = 1  # the second head looks into the box
    record = record_of(low, [(0, 1)], **{"cross/1": high})
    assert regions.best_pointer([record]) == Pointer("cross/1", 1)
    outcome = Outcome([], [], None, [record], pointer=Pointer("cross/1", 1))
    assert perception.region_pointing().score_of(outcome) == 100
    assert perception.correctness().score_of(outcome) == pytest.approx(100)
    assert perception.area().score_of(outcome) == pytest.approx(100 * 2.25 / 6)
    assert perception.correctness().score_of(outcome._replace(pointer=None)) == pytest.approx(50)


def test_a_state_belongs_to_the_only_box_that_contains_its_middle():
    assert owners((2, 3), BOXES) == [0, 0, -1, -1, -1, 1]
    assert owners((4,), [(0.0, 1.5), (1.0, 3.0)]) == [0, 1, 1, -1]
    assert owners((3,), [(0.0, 2.0), (1.0, 3.0)]) == [0, -1, 1]
    assert owners((2,), []) == [-1, -1]


def test_records_keep_the_shape_of_their_states_and_their_boxes(tmp_path):
    record = record_of(drawn().astype(np.float32), [(0, 1)])
    save([record], tmp_path / "r")
    (found,) = load(tmp_path / "r")
    assert found.states == (2, 3) and found.boxes == tuple(BOXES)
    np.testing.assert_array_equal(found.weights["cross/0"], record.weights["cross/0"])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"states": (2, 2)}, "a source of 2 x 2 states has 6 tokens"),
        ({"boxes": BOXES[:1]}, "1 boxes for 2 source words"),
        ({"boxes": [(0.0, 1.0), (1.0, 2.0)]}, "needs 4 edges"),
    ],
)
def test_boxes_and_states_that_do_not_fit_are_refused(changes, message):
    given = {"states": (2, 3), "boxes": BOXES, **changes}
    with pytest.raises(ValueError, match=message):
        make_record(
            [str(k) for k in range(6)],
            ["t"],
            {},
            source_words=["cat", "dog"],
            source_word_of=[-1] * 6,
            **given,
        )


def by_the_formula(hypotheses, references):
    """Vedantam et al. 2015, eqs. 1-3, with the D variant's clipping and penalty, one n-gram at a time."""

    def grams(text, n):
        words = text.lower().split()
        return Counter(tuple(words[i : i + n]) for i in range(len(words) - n + 1))

    images = len(references)
    scores = []
    for hypothesis, own in zip(hypotheses, references, strict=True):
        total = 0.0
        for n in range(1, 5):

            def vector(text, n=n):
                found = {}
                for gram, count in grams(text, n).items():
                    df = sum(any(gram in grams(r, n) for r in texts) for texts in references)
                    found[gram] = count * (math.log(images) - math.log(max(1, df)))
                return found

            c = vector(hypothesis)
            for text in own:
                s = vector(text)
                norm = math.sqrt(sum(v * v for v in c.values())) * math.sqrt(
                    sum(v * v for v in s.values())
                )
                dot = sum(min(c[g], s[g]) * s[g] for g in c if g in s)
                gap = len(hypothesis.split()) - len(text.split())
                total += math.exp(-(gap**2) / 72) * (dot / norm if norm else 0) / len(own) / 4
        scores.append(1000 * total)
    return scores


def test_cider_is_its_formula():
    references = [
        ["a red car on the beach", "a car is on the beach"],
        ["two black cats", "two cats in the garden", "cats"],
        ["a dog"],
    ]
    hypotheses = ["a red car is on the beach the beach", "two black cats", "the cat"]
    found = cider(hypotheses, references)
    np.testing.assert_allclose(found, by_the_formula(hypotheses, references), rtol=1e-9)
    assert found[0] > found[1] > found[2] == 0
    perfect = cider(
        ["a red car on the beach", "two black cats in the garden"],
        [["a red car on the beach"], ["two black cats in the garden"]],
    )
    np.testing.assert_allclose(perfect, 1000)


def test_cider_reads_words_in_lower_case_without_punctuation():
    references = [["A dog's house."], ["Two cats"]]
    assert cider(["a dog's house", ""], references).tolist() == pytest.approx([750, 0])
    outcome = Outcome(
        [{"target": "x", "targets": one} for one in references], ["a dog's house", "two cats"]
    )
    assert perception.cider_d().score_of(outcome) == pytest.approx((750 + 500) / 2)
