"""Batches: every pair once an epoch, the same ones for the same seed, with little padding."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attention_lab.data.pipeline import Batches, best_limits
from attention_lab.data.rows import Pairs, encode
from attention_lab.data.tokenizer import train
from attention_lab.special_tokens import END, PAD


def pairs_of(lengths):
    """Pairs whose sentences name themselves by their first id."""

    def row(number, length):
        return np.array([number + 4] + [9] * (length - 2) + [END], np.int32)

    source = [row(n, k) for n, (k, _) in enumerate(lengths)]
    target = [row(n, t) for n, (_, t) in enumerate(lengths)]
    return Pairs(source, target, np.arange(len(lengths)), {})


LENGTHS = [(2 + n * 7 % 13, 2 + n * 5 % 11) for n in range(97)]
many = st.lists(st.tuples(st.integers(2, 40), st.integers(2, 40)), min_size=1, max_size=60)


def members(batches, epoch=0):
    start = epoch * batches.per_epoch
    shown = [batches[t]["target"].values[:, 0] for t in range(start, start + batches.per_epoch)]
    return sorted(int(i) for i in np.concatenate(shown) if i != PAD)


@settings(deadline=None, max_examples=60)
@given(lengths=many, tokens=st.integers(5, 200), buckets=st.integers(1, 5))
def test_an_epoch_shows_every_pair_once_whole(lengths, tokens, buckets):
    pairs = pairs_of(lengths)
    batches = Batches(pairs, tokens=tokens, buckets=buckets)
    assert members(batches) == members(batches, 1) == [n + 4 for n in range(len(lengths))]
    for t in range(batches.per_epoch):
        rows = (zip(*side, strict=True) for side in batches[t].values())
        for (source, real), (target, real_too) in zip(*rows, strict=True):
            if real[0]:
                assert source[0] == target[0]
                assert (source[real] == pairs.source[source[0] - 4]).all()
                assert (target[real_too] == pairs.target[target[0] - 4]).all()
            assert not source[~real].any() and not target[~real_too].any()


def test_a_batch_is_a_function_of_plan_seed_and_number():
    def batch(t, **seeds):
        return Batches(pairs_of(LENGTHS), tokens=40, buckets=3, **seeds)[t]["target"].values

    for t in (0, 5, 61, 3):  # in no order
        np.testing.assert_array_equal(batch(t), batch(t))
    assert any(not np.array_equal(batch(t), batch(t, seed=1)) for t in range(5))
    # Which lengths come when belongs to the plan: all seeds' batches have one shape.
    assert all(batch(t).shape == batch(t, seed=1).shape for t in range(20))
    assert any(batch(t).shape != batch(t, plan_seed=1).shape for t in range(20))


def test_shapes_are_few_and_within_the_budget():
    batches = Batches(pairs_of(LENGTHS), tokens=40, buckets=3)
    shapes = {
        (b["source"].valid.shape, b["target"].valid.shape)
        for b in map(batches.__getitem__, range(40))
    }
    assert len(shapes) <= 3
    assert all(rows * length <= 40 for _, (rows, length) in shapes)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.integers(1, 6), st.integers(1, 6)), min_size=1, max_size=9))
def test_the_limits_hold_all_and_pad_little(lengths):
    def padded(limits):
        fitting = [[k + t for k, t in limits if k >= s and t >= r] for s, r in lengths]
        return sum(map(min, fitting))

    source, target = np.array(lengths).T
    limits = best_limits(source, target, 3)
    last = max(source), max(target)
    assert len(limits) <= 3 and tuple(limits[-1]) == last
    places = itertools.product(set(source.tolist()), set(target.tolist()))
    others = itertools.combinations_with_replacement(places, 2)
    assert padded(limits) <= 1.1 * min(padded([*other, last]) for other in others)


@pytest.mark.parametrize("sides", [1, -1])
def test_pairs_of_two_lengths_in_two_buckets_need_no_padding(sides):
    lengths = [(40, 3)[::sides]] * 6 + [(10, 9)[::sides]] * 6
    batches = Batches(pairs_of(lengths), tokens=120, buckets=2)
    assert sorted(bucket[1:3] for bucket in batches.buckets) == sorted(set(lengths))
    assert all(side.valid.all() for t in range(batches.per_epoch) for side in batches[t].values())


def test_the_share_of_padding_is_what_the_batches_hold():
    batches = Batches(pairs_of(LENGTHS), tokens=60, buckets=2)
    held = [side.valid for t in range(batches.per_epoch) for side in batches[t].values()]
    empty, size = sum((~valid).sum() for valid in held), sum(valid.size for valid in held)
    assert batches.padding == pytest.approx(empty / size)


def test_blank_and_long_pairs_are_left_out_and_counted():
    texts = [("a b", "c"), ("", "c"), ("a", " "), ("a " * 9, "c"), ("b", "c c")]
    examples = [{"source": s, "target": t} for s, t in texts]
    tokenizer = train("word", ["a b c"], 10)
    pairs = encode(examples, tokenizer, tokenizer, max_length=5)
    assert list(pairs.places) == [0, 4]
    assert pairs.left_out == {"a blank side": 2, "more than 5 tokens": 1}
    assert all(ids[-1] == END for ids in pairs.source + pairs.target)
    assert len(encode(examples, tokenizer, tokenizer)) == 3


def test_nothing_to_train_on_is_reported():
    with pytest.raises(ValueError, match="no example"):
        Batches(pairs_of([]), tokens=9, buckets=1)
