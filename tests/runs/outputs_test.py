"""What arrays become: translations of hypotheses, and the part of the weights that is not padding."""

from types import SimpleNamespace

import numpy as np

from attention_lab.data.tokenizer import train
from attention_lab.models.base import Limits
from attention_lab.runs import outputs
from attention_lab.special_tokens import END, PAD

TOKENIZER = train("word", ["a b c d"], 20)
LIMITS = Limits(4, None)  # of source tokens, END included


def hypotheses(tokens, scores, ended, weights=None):
    return SimpleNamespace(
        tokens=np.array(tokens), scores=np.array(scores), ended=np.array(ended), weights=weights
    )


def ids(text):
    return TOKENIZER.encode(text).ids


def test_sentences_are_ids_that_end_in_end():
    found = TOKENIZER.arrays(["a b", ""])
    assert [one.tolist() for one in found] == [[*ids("a b"), END], [END]]
    assert {one.dtype for one in found} == {np.dtype(np.int32)}


def test_only_sentences_with_a_token_that_fit_are_read():
    sources = TOKENIZER.arrays(["a b", "", "a", "a b c", "a b c d"])
    assert [len(one) for one in outputs.readable(sources, LIMITS)] == [3, 2, 4]


def test_each_sentence_has_its_hypotheses_best_first():
    sources = TOKENIZER.arrays(["a", "", "a b c d", "b c"])
    weights = np.arange(2 * 4 * 1 * 3).reshape(2, 4, 1, 3)  # [N, L, H, K]
    first = hypotheses(
        [[*ids("b c"), END, PAD], [*ids("d c b a")]],
        [-0.5, -0.75],
        [True, False],
        {"cross/0": weights},
    )
    none = hypotheses([[END], [END]], [-np.inf, np.nan], [True, True])
    found = outputs.translations(TOKENIZER, LIMITS, sources, [first, none], None)
    assert [[one.text for one in each] for each in found] == [["b c", "d c b a"], [""], [""], [""]]
    best, second = found[0]
    assert (best.score, best.ended, best.refused) == (-0.5, True, None)
    assert (second.score, second.ended, second.refused) == (-0.75, False, None)
    assert best.ids.tolist() == [*ids("b c"), END] and second.ids.tolist() == ids("d c b a")
    # [H, Q, K] of three tokens and, with END, two source tokens.
    np.testing.assert_array_equal(best.weights["cross/0"], weights[0, :3, :, :2].swapaxes(0, 1))
    np.testing.assert_array_equal(second.weights["cross/0"], weights[1, :, :, :2].swapaxes(0, 1))
    blank, refused, unlikely = (each[0] for each in found[1:])
    assert (blank.score, blank.ended, blank.refused) == (0.0, True, None)
    assert (refused.score, refused.ended) == (unlikely.score, unlikely.ended) == (-np.inf, False)
    assert refused.refused == "5 source tokens, and the model reads at most 4"
    assert "may not be finite" in unlikely.refused
    for one in (blank, refused, unlikely):
        assert one.ids.tolist() == [END] and one.weights == {}
    only = outputs.translations(TOKENIZER, LIMITS, sources, [first, first], 1)
    assert [[one.text for one in each] for each in only] == [["b c"], [""], [""], ["b c"]]


def test_padding_is_cut_from_the_weights_by_the_sides_that_a_layer_compares():
    matrix = np.zeros((2, 9, 9))
    shapes = {
        place: outputs._trim(matrix, 3, (5,), place).shape
        for place in ("encoder/0", "cross/1", "decoder/2")
    }
    assert shapes == {"encoder/0": (2, 5, 5), "cross/1": (2, 3, 5), "decoder/2": (2, 3, 3)}


def test_padding_is_cut_from_the_cells_of_a_square():
    cells = np.arange(16).reshape(4, 4)
    matrix = np.broadcast_to(np.arange(16.0), (2, 9, 16))
    found = outputs._trim(matrix, 3, (2, 3), "cross/0")
    assert found.shape == (2, 3, 6)
    np.testing.assert_array_equal(found[0, 0], cells[:2, :3].ravel())
    own = outputs._trim(
        np.add.outer(100 * np.arange(16.0), np.arange(16))[None], 9, (2, 3), "encoder/0"
    )
    np.testing.assert_array_equal(own[0, :, 0], 100.0 * cells[:2, :3].ravel())
    np.testing.assert_array_equal(own[0, 0], cells[:2, :3].ravel())


def test_each_id_belongs_to_a_word_and_special_tokens_to_none():
    assert outputs.word_of_ids(TOKENIZER, [*ids("a c b"), END]) == [0, 1, 2, -1]
    assert outputs.word_of_ids(TOKENIZER, [END]) == [-1]
