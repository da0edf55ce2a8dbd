"""Rows of ids: windows of long texts, pairs that an objective makes anew in each epoch, and batches of both."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attention_lab.data.documents import Document
from attention_lab.data.objectives import make_objective
from attention_lab.data.pipeline import Batches
from attention_lab.data.rows import Noised, Windows, consecutive
from attention_lab.special_tokens import END, START
from tests.data.small import few

FIRST = (
    10  # the id of the first token: each token of all documents has its own, which says where it is
)


def documents_of(*lengths):
    """Documents of so many tokens, END included."""
    ids = iter(range(FIRST, FIRST + sum(lengths)))
    return [np.array([*(next(ids) for _ in range(n - 1)), END], np.int32) for n in lengths]


def before(documents):
    """What is read where a token is predicted, by token: START, or the token before it in its document."""
    return {
        int(token): int(read)
        for ids in documents
        for read, token in zip([START, *ids[:-1]], ids, strict=True)
        if token != END
    }


def shown(windows, seed, epoch):
    """The windows of an epoch, in their order in the text."""
    row = windows.epoch(seed, epoch)
    return [row(i) for i in range(len(windows.lengths[1]))]


lengths = st.lists(st.integers(2, 30), min_size=1, max_size=6)


@few
@given(lengths, st.integers(1, 12), st.integers(0, 3), st.integers(0, 3))
def test_an_epoch_predicts_each_token_at_most_once_and_nearly_all(lengths, context, seed, epoch):
    documents = documents_of(*lengths)
    windows = Windows(documents, context, {})
    rows, total = shown(windows, seed, epoch), sum(lengths)
    size = min(context, total)
    assert [len(row.target) for row in rows] == windows.lengths[1].tolist() == [size] * len(rows)
    assert not windows.lengths[0].any() and all(row.source.shape == (0,) for row in rows)
    tokens = np.concatenate([row.target for row in rows])
    plain = tokens[tokens != END].tolist()
    assert len(set(plain)) == len(plain)
    assert (tokens == END).sum() <= len(lengths)
    assert total - len(tokens) < max(2 * context - 1, 1)
    # The tokens follow one another as in their documents, and each is predicted from the one before it.
    read = before(documents)
    for row in rows:
        assert {row.inputs.dtype, row.target.dtype} == {np.dtype(np.int32)}
        for token, left in zip(row.target.tolist(), row.inputs.tolist(), strict=True):
            assert token == END or left == read[token]
    ends = np.concatenate([row.inputs for row in rows])[1:]
    joined = tokens[:-1] != END  # after an END, the next document starts
    assert (ends[joined] == tokens[:-1][joined]).all() and (ends[~joined] == START).all()


@few
@given(lengths.filter(lambda lengths: len(lengths) > 1), st.integers(2, 12))
def test_segments_are_equal_within_a_document_and_differ_between_two(lengths, context):
    documents = documents_of(*lengths)
    owner = {int(token): n for n, ids in enumerate(documents) for token in ids if token != END}
    for row in shown(Windows(documents, context, {}), 0, 1):
        assert row.segments.dtype == np.int32 and len(row.segments) == len(row.target)
        starts = row.inputs == START
        assert (np.diff(row.segments) != 0).tolist() == starts[1:].tolist()
        of = {}
        for token, segment in zip(row.target.tolist(), row.segments.tolist(), strict=True):
            if token != END:
                assert of.setdefault(segment, owner[token]) == owner[token]
        assert len(set(of.values())) == len(of)


def test_one_document_has_no_segments():
    assert all(row.segments is None for row in shown(Windows(documents_of(40), 7, {}), 0, 0))


def test_windows_are_a_function_of_seed_epoch_and_index():
    def tokens(seed, epoch):
        return np.stack([row.target for row in shown(Windows(documents, 5, {}), seed, epoch)])

    documents = documents_of(13, 2, 21, 8, 30)
    for seed, epoch in ((0, 0), (3, 1), (0, 7)):
        np.testing.assert_array_equal(tokens(seed, epoch), tokens(seed, epoch))
    alone = Windows(documents, 5, {}).epoch(3, 1)(4)  # whatever was asked for before
    np.testing.assert_array_equal(alone.target, tokens(3, 1)[4])
    assert not np.array_equal(tokens(0, 0), tokens(0, 1))
    assert not np.array_equal(tokens(0, 0), tokens(1, 0))


def test_documents_are_shuffled_and_each_order_occurs():
    windows = Windows(documents_of(3, 3, 3), 9, {})
    orders = set()
    for epoch in range(60):
        (row,) = shown(windows, 0, epoch)
        orders.add(tuple(row.target[row.inputs == START].tolist()))
    assert len(orders) == 6


@pytest.mark.parametrize("total", [5, 9, 12, 14, 23, 24])
def test_every_token_is_predicted_in_some_epoch(total):
    windows = Windows(documents_of(total), 5, {})
    by_epoch = [np.concatenate([row.target for row in shown(windows, 1, e)]) for e in range(200)]
    assert set(np.concatenate(by_epoch).tolist()) == {*range(FIRST, FIRST + total - 1), END}
    firsts = {ids[0] - FIRST for ids in by_epoch}
    left = total - len(by_epoch[0])
    assert firsts == set(range(left + 1))  # all offsets


def test_documents_that_are_shorter_than_the_context_make_one_window():
    windows = Windows(documents_of(3, 4), 64, {})
    (row,) = shown(windows, 0, 0)
    assert windows.lengths[1].tolist() == [7] and sorted(row.inputs.tolist())[:2] == [START, START]
    assert sorted(row.target.tolist()) == [END, END, *range(FIRST, FIRST + 5)]


def test_without_a_document_there_is_no_window():
    windows = Windows([], 8, {"no text": 2})
    assert [side.tolist() for side in windows.lengths] == [[], []]
    with pytest.raises(ValueError, match="there is no example for a batch"):
        Batches(windows, tokens=8, buckets=1)


@few
@given(st.integers(1, 40), st.integers(1, 12))
def test_consecutive_windows_have_every_token_once(length, context):
    (document,) = documents_of(length)
    rows = consecutive(document, context)
    assert [len(row.target) for row in rows[:-1]] == [context] * (len(rows) - 1)
    assert 0 < len(rows[-1].target) <= context
    np.testing.assert_array_equal(np.concatenate([row.target for row in rows]), document)
    read = np.concatenate([row.inputs for row in rows])
    np.testing.assert_array_equal(read, [START, *document[:-1]])


RESERVED = list(range(99, 89, -1))
OBJECTIVES = {
    "next_token": "next_token",
    "prefix": "prefix",
    "span_corruption": {"kind": "span_corruption", "rate": 0.3, "mean": 2},
    "gap_sentences": {"kind": "gap_sentences", "select": "random"},
    "denoising": {"kind": "denoising", "noise": ["permutation", "infilling"]},
}
DOCUMENTS = [
    Document(np.arange(FIRST, FIRST + n, dtype=np.int32), np.arange(n), np.arange(n) // 4)
    for n in (1, 9, 17, 12, 30)
]


def noised(name):
    return Noised(DOCUMENTS, make_objective(OBJECTIVES[name], RESERVED), {})


def sides(row):
    return row.source.tolist(), row.target.tolist()


@pytest.mark.parametrize("name", OBJECTIVES)
def test_noise_is_a_function_of_seed_epoch_and_document_within_its_bounds(name):
    rows, epochs = noised(name), []
    for seed, epoch in [(0, 0), (0, 1), (1, 0), *[(2, e) for e in range(20)]]:
        row = rows.epoch(seed, epoch)
        found = {i: row(i) for i in (4, 0, 3, 1, 2)}  # in no order
        made = [found[i] for i in range(len(DOCUMENTS))]
        again = rows.epoch(seed, epoch)
        for i, (one, *limits) in enumerate(zip(made, *rows.lengths, strict=True)):
            assert sides(one) == sides(again(i))
            assert one.inputs is None and one.segments is None
            for ids, limit in zip((one.source, one.target), limits, strict=True):
                assert ids.dtype == np.int32 and ids[-1] == END and len(ids) <= limit
        epochs.append([sides(one) for one in made])
    if name == "next_token":
        assert all(one == epochs[0] for one in epochs)
    else:
        assert epochs[0] != epochs[1] and epochs[0] != epochs[2]


def test_two_documents_of_equal_length_have_noise_of_their_own():
    twins = Noised([DOCUMENTS[4]] * 2, make_objective(OBJECTIVES["span_corruption"], RESERVED), {})
    drawn = [[sides(twins.epoch(0, epoch)(i)) for i in (0, 1)] for epoch in range(5)]
    assert any(one != other for one, other in drawn)


def batches_of(rows, **options):
    return Batches(rows, **{"tokens": 40, "buckets": 2, **options})


def rows_in(batch):
    """The rows of a batch that are not padding: ids of source, target, and of what else there is, cut to the target."""
    for number, valid in enumerate(batch["target"].valid):
        if valid.any():
            length = int(valid.sum())
            assert valid[:length].all() and not valid[length:].any()  # padded on the right
            others = {name: batch[name] for name in ("inputs", "segments") if name in batch}
            assert all(not rows[number, length:].any() for rows in others.values())
            source = batch["source"]
            ids = (
                source.values[number][source.valid[number]],
                batch["target"].values[number, :length],
            )
            yield *ids, {name: rows[number, :length] for name, rows in others.items()}


@pytest.mark.parametrize("several", [True, False])
def test_batches_of_windows_have_what_the_decoder_reads_and_the_documents(several):
    windows = Windows(documents_of(*((13, 9, 21, 5) if several else (48,))), 6, {})
    batches = batches_of(windows, seed=3, tokens=20)
    assert set(batches[0]) == {"source", "target", "inputs", *["segments"] * several}
    assert batches[0]["source"].values.shape == (3, 0) and batches[0]["inputs"].shape == (3, 6)
    for epoch in range(2):
        row = windows.epoch(3, epoch)
        wanted = [row(i) for i in range(len(windows.lengths[1]))]
        found = [
            one
            for t in range(epoch * batches.per_epoch, (epoch + 1) * batches.per_epoch)
            for one in rows_in(batches[t])
        ]

        def columns(source, target, others):
            return [ids.tolist() for ids in (source, target, *others.values())]

        fields = ["inputs", "segments"][: 1 + several]
        known = [columns(w.source, w.target, {f: getattr(w, f) for f in fields}) for w in wanted]
        assert sorted(columns(*one) for one in found) == sorted(known)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_batches_of_noised_documents_have_other_noise_in_each_epoch(name):
    rows = noised(name)
    batches = batches_of(rows, seed=5)
    for epoch in range(3):
        row = rows.epoch(5, epoch)
        numbers = range(epoch * batches.per_epoch, (epoch + 1) * batches.per_epoch)
        found = [one for t in numbers for one in rows_in(batches[t])]
        assert all(not others for *_, others in found)
        pairs = sorted((source.tolist(), target.tolist()) for source, target, _ in found)
        assert pairs == sorted(sides(row(i)) for i in range(len(DOCUMENTS)))


@pytest.mark.parametrize(
    "make", [lambda: noised("prefix"), lambda: Windows(documents_of(50, 40), 7, {})]
)
def test_the_first_batch_of_each_length_comes_before_the_others_of_that_length(make):
    batches = batches_of(make(), tokens=30)

    def shape(number):
        return tuple(batches[number][side].valid.shape for side in ("source", "target"))

    for start in (0, 1, batches.per_epoch - 1, 2 * batches.per_epoch):
        first = batches.first_of_lengths(start)
        shapes = [shape(number) for number in first]
        assert first == sorted(first) and first[0] == start
        assert len(set(shapes)) == len(batches.buckets)
        for number in range(start, start + 2 * batches.per_epoch):
            assert first[shapes.index(shape(number))] <= number
