"""How cases are measured: in alternation, within the memory that is allowed, each failure on its own."""

import itertools

import pytest

from attention_lab.benchmarks import rates, timing
from attention_lab.benchmarks.cases import Case, Round, Sizes
from attention_lab.benchmarks.programs import Program

SIZES = Sizes(heads=1, features=4, hidden=2, seed=0)
CASES = [Case("dot", "dot", how, 8, "forward", False) for how in ("dense", "fused", "blockwise")]


class Machine:
    """Programs and a clock: a call of a case or a meter takes a number of seconds that grows with each call."""

    def __init__(self, monkeypatch, seconds, memory={}, fails={}):
        self.now, self.calls, self.seconds = 0.0, [], seconds
        self.memory, self.fails = memory, fails
        monkeypatch.setattr(timing, "prepare", self.prepare)
        monkeypatch.setattr(timing.time, "perf_counter", lambda: self.now)

    def program(self, name):
        turns = itertools.count()

        def call():
            turn = next(turns)
            if self.fails.get(name) == turn:
                raise RuntimeError("\n  no room \n at all")
            self.calls.append(name)
            self.now += self.seconds[name] * (1 + turn)

        return call

    def prepare(self, case, sizes):
        name = case.implementation
        if self.fails.get(name) == "compiling":
            raise ValueError
        return Program(self.program(name), self.memory.get(name))


def measure(machine, repetitions=3, limit=2):
    says = []
    meters = {"matmul": rates.Meter(machine.program("matmul"), 12.0, "GFLOP/s", "")}
    round_ = Round(CASES, repetitions)
    return timing.measure(round_, SIZES, limit, meters, says.append), says


def test_cases_and_meters_are_called_in_alternation_and_the_first_call_is_not_timed(monkeypatch):
    machine = Machine(
        monkeypatch,
        {"dense": 1.0, "fused": 10.0, "blockwise": 100.0, "matmul": 2.0},
        memory={"dense": 2 * 2**20, "fused": 0},
    )
    (results, pace), says = measure(machine)
    assert (
        machine.calls
        == ["dense", "fused", "blockwise"]
        + [
            "matmul",
            "dense",
            "fused",
            "blockwise",
        ]
        * 3
    )
    assert [one.case for one in results] == CASES
    assert [one.seconds for one in results] == [(2, 3, 4), (20, 30, 40), (200, 300, 400)]
    assert [one.milliseconds for one in results] == pytest.approx([3e3, 3e4, 3e5])
    assert [one.temp_mib for one in results] == [2, 0, None]
    assert {one.status for one in results} == {"measured"} and results[0].reason == ""
    assert pace == {"matmul": 3.0}  # of 12 operations in 2, 4 and 6 seconds, the median
    assert says[:3] == [f"compiling {case.label()}" for case in CASES]
    assert says[3] == "measuring dot dense 8 forward, 1 of 3" and says[-1].endswith(", 3 of 3")


def test_a_program_that_needs_too_much_memory_is_never_called(monkeypatch):
    seconds = {"dense": 1.0, "fused": 1.0, "blockwise": 1.0, "matmul": 1.0}
    machine = Machine(monkeypatch, seconds, memory={"dense": 2 * 2**20 + 1, "fused": 2 * 2**20})
    (results, _), _ = measure(machine)
    assert "dense" not in machine.calls
    assert [one.status for one in results] == ["skipped", "measured", "measured"]
    assert results[0].reason == "its temporary memory exceeds memory_limit_mib=2"
    assert (results[0].milliseconds, results[0].temp_bytes) == (None, 2 * 2**20 + 1)


def test_a_case_that_fails_has_a_reason_and_the_others_are_measured(monkeypatch):
    seconds = {"dense": 1.0, "fused": 1.0, "blockwise": 1.0, "matmul": 1.0}
    fails = {"dense": "compiling", "fused": 2}
    machine = Machine(monkeypatch, seconds, fails=fails)
    (results, _), _ = measure(machine)
    assert [one.status for one in results] == ["failed", "failed", "measured"]
    assert [one.reason for one in results] == [
        "ValueError: no message",
        "RuntimeError: no room",
        "",
    ]
    assert machine.calls.count("fused") == 2 and machine.calls.count("blockwise") == 4
    assert [one.milliseconds is None for one in results] == [True, True, False]


def test_an_error_is_a_line_of_at_most_a_hundred_characters():
    whole = timing.one_line(ValueError("x" * 88))
    assert whole == "ValueError: " + "x" * 88 and len(whole) == 100
    cut = timing.one_line(ValueError("x" * 89))
    assert cut == "ValueError: " + "x" * 85 + "..." and len(cut) == 100


def test_rates_are_summarized_by_their_median_and_range():
    meters = {"matmul": rates.Meter(lambda: None, 1.0, "GFLOP/s", "a product")}
    _, line = rates.summary(meters, [{"matmul": 4e9}, {"matmul": 1e9}, {"matmul": 3e9}]).split("\n")
    assert line.split() == ["matmul", "3.00", "GFLOP/s", "1.00", "to", "4.00", "a", "product"]
