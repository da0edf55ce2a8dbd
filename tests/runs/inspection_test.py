"""Where a generated text looked: the weights of each step, by tokens and by words."""

from functools import partial

import jax
import numpy as np
import pytest

from attention_lab.data.words import words_of
from attention_lab.padded import pad
from attention_lab.runs import generate
from attention_lab.runs.inspection import by_words, inspect, matrix
from attention_lab.special_tokens import END, START
from tests.models.small import row
from tests.runs.chat_test import talker
from tests.runs.limits_test import WORDS, run_of

PROMPT = "The cat sat, so"


def stepwise(run, source, text, layer):
    """The weights [H, T - 1, K] with which each token of a text but the first is predicted, step by step."""
    source = row(pad([source], len(source)), 0)
    read, state = jax.jit(run.model.start, static_argnums=2)(run.params, source, len(text))
    step, rows = jax.jit(partial(run.model.step, weights=True)), []
    for token in text[:-1]:
        state, output = step(run.params, read, state, token)
        rows.append(output.weights[layer])
    return np.stack(rows, 1)


@pytest.fixture(scope="module")
def written():
    run = talker()
    text = generate(run, [PROMPT], seed=2, max_length=9)[0][0]
    return run, text, inspect(run, PROMPT, text.ids)


def test_rows_are_the_weights_with_which_each_token_was_predicted(written):
    run, text, inspected = written
    known = run.codec.target.encode(PROMPT).ids
    whole = [START, *known, *text.ids]
    expected = stepwise(run, np.empty(0, np.int32), whole, "decoder/1")[:, len(known) :]
    np.testing.assert_allclose(
        inspected.weights["decoder/1"], expected[..., : len(whole) - 1], atol=1e-5
    )
    assert inspected.layer == "decoder/1" and set(inspected.weights) == {"decoder/0", "decoder/1"}


def test_a_matrix_has_what_was_read_across_and_what_was_written_down(written):
    run, text, inspected = written
    weights, read, down = matrix(run.codec, inspected)
    spelled = [run.codec.target.pieces[i] for i in text.ids]
    assert "".join(read) == "<s>" + PROMPT.replace(" ", "▁") + "".join(read[1 + len(PROMPT) :])
    assert len(down) == len(text.ids) and read[1 + len(PROMPT) :] == down[:-1]
    assert [piece.replace("\n", "\x0b") for piece in down] == spelled
    np.testing.assert_allclose(weights.sum(1), 1, atol=1e-5)
    np.testing.assert_allclose(
        weights, np.mean([matrix(run.codec, inspected, None, head)[0] for head in (0, 1)], 0)
    )
    assert not np.triu(weights, len(PROMPT) + 1 + 1).any()


def test_words_have_the_sum_of_their_tokens_across_and_their_mean_down():
    run = talker()
    ids = run.codec.target.encode(" it is\n").ids
    inspected = inspect(run, PROMPT, ids)
    tokens = matrix(run.codec, inspected, "decoder/0", 1)[0]
    weights, across, down = by_words(run.codec, inspected, "decoder/0", 1, without={"so"})
    assert across == ["The", "cat", "sat,"] and down == ["it", "is"]
    # Characters 0 to 2 are "The", 3 is the space before "cat", and so on; START is before them.
    places = [range(1, 4), range(5, 8), range(9, 13)]
    spaces = [[4], [8]]  # a space belongs to the word before it
    rows = {"it": range(0, 4), "is": range(4, 7)}
    for j, word in enumerate(down):
        for i, own in enumerate(places):
            columns = [*own, *(spaces[i] if i < 2 else [13])]
            expected = np.mean([sum(tokens[q, k] for k in columns) for q in rows[word]])
            assert weights[j, i] == pytest.approx(expected, abs=1e-6)
    np.testing.assert_allclose(weights.sum(1), 1, atol=1e-5)


def test_a_translation_looks_at_its_source():
    run = run_of("learned positions")
    text = generate(run, [WORDS], seed=2, max_length=5)[0][0]
    inspected = inspect(run, WORDS, text.ids)
    assert inspected.layer == "cross/0" and not any("encoder" in one for one in inspected.weights)
    source = [*run.codec.source.encode(WORDS).ids, END]
    expected = stepwise(run, source, [START, *text.ids], "cross/0")
    np.testing.assert_allclose(inspected.weights["cross/0"], expected, atol=1e-5)
    weights, read, _ = matrix(run.codec, inspected)
    assert read == [*words_of(WORDS), "</s>"] and weights.shape == (len(text.ids), len(read))
    by_word, read, written_words = by_words(run.codec, inspected)
    assert read == words_of(WORDS) and len(written_words) == len(by_word)
    np.testing.assert_allclose(by_word.sum(1), 1, atol=1e-5)


def test_of_a_text_longer_than_the_table_its_beginning_is_inspected():
    run = talker()
    text = generate(run, [PROMPT], seed=2, max_length=150, min_length=150)[0][0]
    inspected = inspect(run, PROMPT, text.ids)
    kept = 100 - len(PROMPT)  # the table has 100 positions, of which START has one
    np.testing.assert_array_equal(inspected.written, text.ids[:kept])
    assert inspected.weights["decoder/0"].shape[1:] == (kept, 100)


def test_what_cannot_be_shown_is_refused_in_one_line(written):
    run, _, inspected = written
    translator = run_of("learned positions")
    fixed = jax.tree.map(lambda x: x, inspected)._replace(weights={})
    refused = [
        (lambda: inspect(translator, "", [5]), "the prompt is blank"),
        (lambda: inspect(translator, "cat " * 30, [5]), "reads at most 24"),
        (lambda: matrix(run.codec, inspected, "decoder/2"), "did you mean 'decoder/0'|decoder/1"),
        (lambda: matrix(run.codec, inspected, None, 2), "2 heads, counted from 0, and no head 2"),
        (lambda: matrix(run.codec, inspected, None, -1), "no head -1"),
        (lambda: matrix(run.codec, inspect(run, PROMPT, [])), "no token was written"),
        (lambda: by_words(run.codec, fixed), "the model has none"),
    ]
    for call, message in refused:
        with pytest.raises(ValueError, match=message) as error:
            call()
        assert "\n" not in str(error.value)
