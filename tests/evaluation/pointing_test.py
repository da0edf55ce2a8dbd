"""Pointing: the sentence with the most weight, by hand and by a loop."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attention_lab.evaluation import metrics
from attention_lab.evaluation.metrics import Outcome
from attention_lab.evaluation.pointing import (
    Pointer,
    best_pointer,
    cross_layers,
    pointed,
    pointing_counts,
    sentence_weights,
)
from attention_lab.evaluation.records import make_record

few = settings(max_examples=50, deadline=None, derandomize=True)
# Two sentences and a question, in words; the second word has two tokens, and END is the last one.
SENTENCES = [0, 0, 1, -1]
WORD_OF = [0, 1, 1, 2, 3, -1]


def answered(*heads, words=("tom",), more=None):
    """A record from the weights of two tokens of the answer, in one word or two, on the tokens of the source."""
    return make_record(
        ["tom", "sle", "pt", "ran", "who", "</s>"],
        ["to", "m", "</s>"],
        {"cross/0": np.array([[*head, [1, 0, 0, 0, 0, 0]] for head in heads]), **(more or {})},
        source_words=["tom", "slept", "ran", "who"],
        target_words=words,
        source_word_of=WORD_OF,
        target_word_of=[0, len(words) - 1, -1],
    )


FIRST = [
    [0.1, 0.1, 0.2, 0.3, 0.3, 0],
    [0.2, 0, 0.2, 0.3, 0.1, 0.2],
]  # .8 on the first, .6 on the second
SECOND = [[0, 0, 0, 0.3, 0.7, 0], [0.1, 0, 0, 0.2, 0, 0.7]]  # .1 on the first, .5 on the second
NOTHING = [[0, 0, 0, 0, 0.5, 0.5], [0, 0, 0, 0, 0, 1]]


def test_a_sentence_has_the_weight_of_its_words_for_the_words_of_the_answer():
    assert pointed(answered(FIRST), SENTENCES) == 0
    assert pointed(answered(SECOND), SENTENCES) == 1
    # END of the answer looks at the first sentence, END of the source and the question get most: none of that counts.
    assert pointed(answered(NOTHING), SENTENCES) == -1
    assert pointed(answered(SECOND), [1, 1, 0, -1]) == 0
    assert pointed(answered(FIRST), [-1, -1, -1, -1]) == -1


def test_weights_of_sentences_are_the_mean_of_the_words_of_the_answer():
    one = sentence_weights(answered(FIRST), SENTENCES)  # two tokens of one word: their mean
    np.testing.assert_allclose(one, [0.4, 0.3], atol=1e-7)
    two = sentence_weights(answered(FIRST, words=("to", "m")), SENTENCES)
    np.testing.assert_allclose(two, [0.4, 0.3], atol=1e-7)
    # By hand: the first word has (.1 + .2) / 2, the second .25, the third .3.
    other = sentence_weights(answered(FIRST), [-1, 2, 1, -1])
    np.testing.assert_allclose(other, [0, 0.3, 0.25], atol=1e-7)


def test_without_a_choice_the_heads_of_the_last_layer_are_averaged():
    above = {"cross/10": np.array([[*FIRST, [0] * 6]] * 2), "cross/9": np.zeros((1, 3, 6))}
    record = answered(FIRST, SECOND, more=above)
    assert cross_layers(record) == ["cross/0", "cross/9", "cross/10"]
    assert pointed(record, SENTENCES) == 0
    assert pointed(record, SENTENCES, Pointer("cross/0")) == 1  # .9 and 1.1
    assert pointed(record, SENTENCES, Pointer("cross/0", 0)) == 0
    assert pointed(record, SENTENCES, Pointer("cross/9")) == -1


cells = st.lists(st.integers(0, 4), min_size=18, max_size=18)


@few
@given(
    heads=st.lists(cells, min_size=1, max_size=3),
    of=st.lists(st.integers(-1, 3), min_size=4, max_size=4),
    words=st.sampled_from([("tom",), ("to", "m")]),
)
def test_it_points_as_a_loop_does(heads, of, words):
    weights = [np.array(cell, float).reshape(3, 6)[:2].tolist() for cell in heads]
    sums = [0.0] * 4
    for head in weights:
        for row in head:
            for weight, word in zip(row, WORD_OF, strict=True):
                if word >= 0 and of[word] >= 0:
                    sums[of[word]] += weight / len(weights)
    found = pointed(answered(*weights, words=words), of)
    if max(sums) == 0:
        assert found == -1
    else:
        assert sums[found] == pytest.approx(max(sums))


def test_the_best_layer_and_head_are_chosen():
    examples = [{"sentence_of": SENTENCES, "supporting": [n]} for n in (1, 0, 1)] + [{"target": ""}]
    upper = [{"cross/1": np.array([[*SECOND, [0] * 6]])}] * 4
    records = [
        answered(FIRST, one, more=more)
        for one, more in zip((SECOND, FIRST, SECOND, NOTHING), upper, strict=True)
    ]
    # Both the second head and the mean of both heads are always right: .9 against 1.1, and 1.6 against 1.2.
    assert best_pointer(records, examples) == Pointer("cross/0", None)
    right = [[1, 1], [1, 1], [1, 1], [0, 0]]
    assert pointing_counts(records, examples, Pointer("cross/0")).tolist() == right
    harder = [answered(FIRST, FIRST, FIRST, one) for one in (SECOND, FIRST, SECOND, NOTHING)]
    # Three heads outvote the right one in their mean.
    assert best_pointer(harder, examples) == Pointer("cross/0", 3)
    assert pointing_counts(harder, examples).tolist() == [[0, 1], [1, 1], [0, 1], [0, 0]]
    assert [str(Pointer("cross/0", n)) for n in (None, 2)] == [
        "cross/0, mean of heads",
        "cross/0, head 2",
    ]


def test_the_metric_counts_examples_with_gold_and_reads_the_chosen_head():
    examples = [{"sentence_of": SENTENCES, "supporting": own} for own in ([0, 1], [1], [])]
    records = [answered(FIRST, SECOND, SECOND)] * 3
    one = Outcome(examples, (), records=records)
    metric = metrics.pointing()
    assert metric.statistics(one).tolist() == [[1, 1], [1, 1], [0, 0]]
    assert metric.score_of(one) == 100
    assert metric.score_of(one._replace(pointer=Pointer("cross/0", 0))) == 50
    assert metric.statistics(one._replace(examples=[{}] * 3)) is None
    alone = make_record(["a"], ["b"], {"decoder/0": np.ones((1, 1, 1))})
    assert metric.statistics(one._replace(records=[alone] * 3)) is None


def test_what_cannot_be_pointed_at_is_refused():
    with pytest.raises(ValueError, match="3 entries for 4 source words"):
        pointed(answered(FIRST), [0, 0, 1])
    alone = make_record(["a"], ["b"], {"decoder/0": np.ones((1, 1, 1))})
    with pytest.raises(ValueError, match="no cross-attention"):
        pointed(alone, [0])
    with pytest.raises(ValueError, match="no cross-attention"):
        best_pointer([alone], [{"sentence_of": [0], "supporting": [0]}])
    with pytest.raises(ValueError, match="none of 1 examples has supporting"):
        best_pointer([answered(FIRST)], [{"sentence_of": SENTENCES}])
