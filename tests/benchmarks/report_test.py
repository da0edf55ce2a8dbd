"""The report of a benchmark: rows, their table, and how memory grows."""

import numpy as np
import pytest

from attention_lab.benchmarks import plot, report
from attention_lab.benchmarks.cases import Case, Sizes
from attention_lab.benchmarks.timing import Result

SIZES = Sizes(heads=1, features=4, hidden=2, seed=0)
RATES = {"matmul": 1e6, "tanh_stream": 1e5, "tanh_cache": 2e5}


def row(length, seconds=(), mib=None, *, score="dot", how="dense", direction="forward", **more):
    causal = more.pop("causal", False)
    case = Case(more.pop("group", "dot"), score, how, length, direction, causal)
    memory = None if mib is None else round(mib * 2**20)
    result = Result(case, more.pop("status", "measured"), seconds, memory, more.pop("reason", ""))
    environment = {"device": "cpu", "cpus": 2}
    return report.row(result, SIZES, RATES, environment=environment, **more)


def test_a_row_compares_the_median_with_the_time_that_the_arithmetic_takes():
    found = row(10, (0.001, 0.004, 0.002), 1.5, run="now")
    # 4 H L² D = 1,600 operations at a million per second.
    assert found["milliseconds"] == 2 and found["repetitions_ms"] == [1, 4, 2]
    assert found["bound_ms"] == pytest.approx({"matmul": 1.6})
    assert found["fraction"] == pytest.approx({"matmul": 0.8})
    assert (found["run"], found["temp_mib"], found["status"]) == ("now", 1.5, "measured")
    assert (found["score"], found["length"], found["heads"]) == ("dot", 10, 1)
    tanh = row(10, (0.002,), score="additive")
    assert tanh["bound_ms"] == pytest.approx({"tanh_stream": 2, "tanh_cache": 1})
    assert tanh["fraction"] == pytest.approx({"tanh_stream": 1, "tanh_cache": 0.5})


def test_a_case_without_a_measurement_has_a_reason_in_place_of_fractions():
    found = row(10, (), 2000.0, status="skipped", reason="it needs too much memory", causal=True)
    assert found["milliseconds"] is None and found["fraction"] == {}
    assert found["bound_ms"] == pytest.approx({"matmul": 0.8})
    rows = [
        row(8, (0.002,), 1.0),
        row(16, (1.5,), 1234.5, direction="forward+backward", group="other"),
        found | {"group": "other"},
    ]
    expected = [
        "score  implementation  length  direction         mask         ms  temp MiB  of matmul",
        "── dot ──────────────────────────────────────────────────────────────────────────────",
        "dot    dense                8  forward                       2.0       1.0        51%",
        "── other ────────────────────────────────────────────────────────────────────────────",
        "dot    dense               16  forward+backward          1,500.0   1,234.5         1%",
        "dot    dense               10  forward           causal        –   2,000.0  "
        "skipped: it needs too much memory",
    ]
    assert report.table(rows, ["matmul"]).splitlines() == expected


def test_growth_is_the_slope_of_the_logarithms():
    lengths = (8, 16, 64)
    rows = [row(n, (), float(n**2)) for n in lengths]
    rows += [row(n, (), 3.0 * n, how="blockwise", causal=True) for n in reversed(lengths)]
    rows += [row(n, (), 1.0, how="fused") for n in (8, 16)]  # too few
    rows += [row(n, (), n - 8.0, score="general") for n in lengths]  # one has no memory
    title, *lines = report.growth(rows).splitlines()
    assert "length ^ slope" in title
    assert [line.split() for line in lines] == [
        ["dot", "blockwise", "forward", "causal", "1.00", "8", "to", "64"],
        ["dot", "dense", "forward", "2.00", "8", "to", "64"],
    ]
    assert report.growth(rows[:2]).startswith("The growth of memory is estimated from 3 lengths")


def test_a_plot_shows_both_directions_without_a_mask_where_it_can():
    one = [row(n, (n,), 1.0 * n, causal=True) for n in (8, 16)]
    assert plot.draw([row(8, (1.0,)), row(8, (1.0,), causal=True)]) is None
    assert plot._view(one) == ("forward", True)
    one += [row(n, (n,), direction="forward+backward", causal=True) for n in (8, 16)]
    assert plot._view(one) == ("forward+backward", True)
    one += [row(n, (n,), direction="forward+backward") for n in (8, 16)]
    one += [row(n, (n,)) for n in (8, 16)]
    assert plot._view(one) == ("forward+backward", False)


def test_a_plot_has_the_points_of_each_line_and_lines_of_slope_1_and_2():
    rows = [row(n, (n**2 / 1e3,), 5.0 * n) for n in (16, 8, 64)]
    rows += [row(n, (n**3 / 1e3,), 2.0, how="blockwise", score="general") for n in (8, 32)]
    rows += [row(n, (1.0,), 1.0, how="fused") for n in (8,)]  # one length makes no line
    figure = plot.draw(rows)
    assert [text.get_text() for text in figure.texts] == [
        "Self-attention, forward",
        "heads: 1 of 4 features, float32 · cpu, 2 processors",
    ]
    time, memory = figure.axes
    lines = [line for line in time.lines if line.get_transform() is not time.transAxes]
    points = [np.transpose(line.get_data()).tolist() for line in lines]
    measured = {"dense": [[8, 64], [16, 256], [64, 4096]], "blockwise": [[8, 512], [32, 32768]]}
    assert points[:2] == [measured["dense"], measured["blockwise"]]
    assert [line.get_color() for line in lines[:2]] == [plot.COLORS[how] for how in measured]
    assert lines[0].get_marker() != lines[1].get_marker()
    slopes = [np.diff(np.log(np.transpose(both)), axis=1) for both in points[2:]]
    assert [float(up[0] / right[0]) for right, up in slopes] == pytest.approx([1, 2])
    assert all(np.transpose(both)[0].tolist() == [16, 64] for both in points[2:])
    # Both are below the points: 64² at length 64, from 16² there.
    assert [both[0][1] for both in points[2:]] == pytest.approx([128, 128])
    names = {text.get_text() for text in time.texts}
    assert names == {"dot · dense", "general · blockwise", "∝ length", "∝ length²"}
    assert [label.get_text() for label in time.get_xticklabels()] == ["8", "16", "32", "64"]
    assert (time.get_title("left"), memory.get_title("left")) == ("Time", "Temporary memory")


@pytest.mark.parametrize(
    ("wanted", "heights"),
    [
        ([], []),
        ([0.2, 0.8], [0.2, 0.8]),
        ([0.5, 0.5], [0.5 - plot.LABEL_GAP / 2, 0.5 + plot.LABEL_GAP / 2]),
        ([0.3, 0.3, 0.3], [0.3 - plot.LABEL_GAP, 0.3, 0.3 + plot.LABEL_GAP]),
    ],
)
def test_labels_are_as_near_to_their_lines_as_the_gap_allows(wanted, heights):
    assert plot._spread(wanted) == pytest.approx(heights)


def test_a_plot_names_every_line_at_its_end():
    rows = [row(100 * n, (0.1 * n,), n) for n in (1, 2, 4)]
    rows += [row(100 * n, (0.2 * n,), n, how="jax") for n in (1, 2)]
    figure = plot.draw(rows)
    time = figure.axes[0]
    figure.canvas.draw()
    names = {text.get_text(): text for text in time.texts}
    assert set(names) == {"dot · dense", "dot · jax", "∝ length", "∝ length²"}
    assert names["dot · jax"].xy == (200, 400)  # it ends before the others: inside the panel
    outside = [text for name, text in names.items() if name != "dot · jax"]
    assert all(text.get_position()[0] > 1 for text in outside)
    to_axes = time.transAxes.inverted()
    ends = {
        tuple(np.round(to_axes.transform(time.transData.transform(end)), 6))
        for line in time.lines
        if line.get_transform() == time.transData
        for end in [(line.get_xdata()[-1], line.get_ydata()[-1])]
        if end[0] == 400
    }
    leaders = [line for line in time.lines if line.get_transform() == time.transAxes]
    starts = {
        (round(line.get_xdata()[0] - 0.015, 6), round(line.get_ydata()[0], 6)) for line in leaders
    }
    assert len(leaders) == len(outside) == 3 and starts == ends
    heights = sorted(text.get_position()[1] for text in outside)
    assert heights == pytest.approx(sorted(line.get_ydata()[-1] for line in leaders))
