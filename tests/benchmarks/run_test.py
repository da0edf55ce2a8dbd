"""A benchmark from its rounds to its lines, with results that are given."""

import io
import json
import sys

import pytest
from ml_collections import ConfigDict

from attention_lab.benchmarks import rates, run, timing
from attention_lab.benchmarks.cases import Case, Round
from attention_lab.benchmarks.timing import Measured, Result


def case(how, length=8):
    return Case("dot", "dot", how, length, "forward", False)


def test_libraries_that_are_not_installed_are_named_and_left_out(monkeypatch, capsys):
    monkeypatch.setattr(run.importlib.util, "find_spec", lambda name: None)
    turns = [
        Round([case("dense"), case("torch"), case("jax"), case("flex")], 3),
        Round([case("torch")], 2),
    ]
    assert run.available(turns) == [Round([case("dense"), case("jax")], 3)]
    message = "These libraries are not installed and are skipped: flex, torch.\n"
    assert capsys.readouterr().out == message
    monkeypatch.setattr(run.importlib.util, "find_spec", lambda name: name)
    assert run.available(turns) == turns
    assert capsys.readouterr().out == ""


CONFIG = ConfigDict({"heads": 1, "features": 4, "hidden": 2, "seed": 7, "memory_limit_mib": 99})


@pytest.mark.parametrize("terminal", [False, True])
def test_each_round_is_written_when_it_ends(monkeypatch, capsys, terminal):
    lines, flushed = io.StringIO(), []
    monkeypatch.setattr(lines, "flush", lambda: flushed.append(lines.getvalue().count("\n")))
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    meters = {"matmul": rates.Meter(lambda: None, 1.0, "GFLOP/s", "a product")}
    monkeypatch.setattr(rates, "meters", lambda: meters)
    limits = []

    def measure(turn, sizes, limit, meters, report):
        limits.append((tuple(sizes), limit))
        report("measuring")
        results = [Result(one, "measured", (0.002,), 2**20) for one in turn.cases]
        if len(turn.cases) > 1:
            results[1] = Result(turn.cases[1], "failed", reason="no room")
        return Measured(results, {"matmul": 1e6})

    monkeypatch.setattr(timing, "measure", measure)
    turns = [Round([case("dense"), case("jax")], 3), Round([case("dense", 16)], 3)]
    rows = run.run(CONFIG, turns, lines)
    assert flushed == [2, 3] and limits == [((1, 4, 2, 7), 99)] * 2
    assert [json.loads(line) for line in lines.getvalue().splitlines()] == rows
    assert [row["ours"] for row in rows] == [True, False, True]
    assert [row["status"] for row in rows] == ["measured", "failed", "measured"]
    assert len({row["run"] for row in rows}) == 1 and rows[0]["environment"]["cpus"] >= 1
    out, err = capsys.readouterr()
    assert "Rates of this machine" in out and "score  implementation  length" in out
    done = [line.split("\r\033[K")[-1] for line in err.split("\n")[:-1]]
    assert done == [
        "[1/3] dot dense 8 forward  2.0 ms",
        "[2/3] dot jax 8 forward  failed: no room",
        "[3/3] dot dense 16 forward  2.0 ms",
    ]
    bars = [f"{bar} {n}/3  measuring" for n, bar in ((0, "░" * 20), (2, "█" * 13 + "░" * 7))]
    assert all((bar in err) == terminal for bar in bars) and ("\r\033[K" in err) == terminal


def test_a_picture_needs_two_lengths(tmp_path, capsys):
    path = tmp_path / "benchmark.png"
    run.save_plot([], path)
    assert "needs two lengths" in capsys.readouterr().out and not path.exists()
