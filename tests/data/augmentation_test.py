"""Augmentation: what it may change, and that it is a pure function of seed, epoch and example."""

import numpy as np
import pytest

from attention_lab.data.augmentation import Masks, Shifts
from attention_lab.data.perceived import Perceived

FRAMES = np.random.default_rng(0).normal(size=(50, 12)).astype(np.float32)
IMAGE = np.random.default_rng(1).uniform(-1, 1, (9, 7, 3)).astype(np.float32)


def generators(count):
    return map(np.random.default_rng, range(count))


def runs(hidden):
    """The lengths of the runs of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], hidden, [False]]).astype(int)))
    return (edges[1::2] - edges[::2]).tolist()


def test_one_band_of_features_is_hidden_of_each_width_and_at_each_place():
    widths, places = set(), set()
    for rng in generators(400):
        hidden = (Masks(frequency_masks=1, frequency_width=3)(FRAMES, rng) == 0).all(0)
        found = runs(hidden)
        assert len(found) <= 1
        widths.add(sum(found))
        places |= set(np.flatnonzero(hidden).tolist())
    assert widths == {0, 1, 2, 3}
    assert places == set(range(12))


def test_times_are_hidden_up_to_their_width_and_their_share():
    for masks, most in (
        (Masks(time_masks=1, time_width=7), 7),
        (Masks(time_masks=1, time_width=40), 10),
    ):
        hidden = [(masks(FRAMES, rng) == 0).all(1).sum() for rng in generators(300)]
        assert max(hidden) == most and min(hidden) == 0


def test_what_is_not_hidden_is_unchanged_and_the_source_stays_as_it_is():
    before = FRAMES.copy()
    for rng in generators(20):
        found = Masks(2, 4, 2, 6)(FRAMES, rng)
        assert np.all((found == FRAMES) | (found == 0))
    np.testing.assert_array_equal(FRAMES, before)


def test_a_width_beyond_all_bands_hides_all_of_them_at_most():
    assert Masks(frequency_masks=1, frequency_width=99)(FRAMES, np.random.default_rng(3)).shape == (
        50,
        12,
    )


def test_an_image_moves_and_its_edge_fills_what_becomes_free():
    seen = set()
    for rng in generators(200):
        moved = Shifts(shift=2)(IMAGE, rng)
        (place,) = (
            (y, x)
            for y in range(-2, 3)
            for x in range(-2, 3)
            if all(
                np.array_equal(moved[i, j], IMAGE[min(max(i - y, 0), 8), min(max(j - x, 0), 6)])
                for i in range(9)
                for j in range(7)
            )
        )
        seen.add(place)
    assert len(seen) == 25


def test_light_changes_within_its_bounds():
    gray = np.full((2, 2, 3), 0.5, np.float32)
    values = [Shifts(contrast=0.4, brightness=0.2)(gray, rng)[0, 0, 0] for rng in generators(300)]
    assert 0.1 <= min(values) < 0.2 and 0.8 < max(values) <= 0.9
    white = np.ones((2, 2, 3), np.float32)
    assert max(Shifts(brightness=1.0)(white, rng).max() for rng in generators(9)) == 1


def rows(augment):
    return Perceived(lambda index: FRAMES + index, np.full(3, 50), [np.array([3])] * 3, {}, augment)


def test_it_belongs_to_the_seed_the_epoch_and_the_example():
    row = rows(Masks(time_masks=2, time_width=9))
    sources = {
        (seed, epoch, index): (row.epoch(seed, epoch)(index).source - index).tobytes()
        for seed in (0, 1)
        for epoch in (0, 1)
        for index in (0, 1)
    }
    assert len(set(sources.values())) == 8
    again = row.epoch(1, 0)(1).source - 1
    assert again.tobytes() == sources[1, 0, 1]


@pytest.mark.parametrize(
    ("make", "words", "message"),
    [
        (Masks, {"time_masks": -1}, "time_masks is -1"),
        (Masks, {"frequency_width": 1.5}, "frequency_width is 1.5"),
        (Masks, {"time_share": 2.0}, "time_share is 2.0"),
        (Shifts, {"shift": 0.5}, "shift is 0.5"),
        (Shifts, {"contrast": -0.1}, "contrast is -0.1"),
    ],
)
def test_what_cannot_be_is_refused(make, words, message):
    with pytest.raises(ValueError, match=message):
        make(**words)
