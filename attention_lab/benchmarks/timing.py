"""Timing: the cases of a round are measured in alternation, so that a slower machine affects all of them alike."""

import statistics
import time
from collections.abc import Callable
from typing import NamedTuple

from attention_lab.benchmarks.cases import Case, Round, Sizes
from attention_lab.benchmarks.programs import Program, prepare
from attention_lab.benchmarks.rates import Meter

MIB = 2**20
Report = Callable[[str], None]  # receives a description of the current activity


class Result(NamedTuple):
    """The outcome of a case.

    status: measured, skipped (because of its memory) or failed. seconds: the time of every repetition.
    temp_bytes: the memory of temporary buffers, or None if it is unknown. reason: why the case was not measured.
    """

    case: Case
    status: str
    seconds: tuple[float, ...] = ()
    temp_bytes: int | None = None
    reason: str = ""

    @property
    def milliseconds(self) -> float | None:
        """The median time of the repetitions, or None if the case was not measured."""
        return 1e3 * statistics.median(self.seconds) if self.seconds else None

    @property
    def temp_mib(self) -> float | None:
        """The temporary memory of the compiled program, which excludes inputs and outputs."""
        return None if self.temp_bytes is None else self.temp_bytes / MIB


class Measured(NamedTuple):
    """The results of a round, in the order of its cases, and the machine's rates during the round, by name."""

    results: list[Result]
    rates: dict[str, float]


def measure(
    round_: Round, sizes: Sizes, memory_limit_mib: int, meters: dict[str, Meter], report: Report
) -> Measured:
    """Measures all cases and meters in alternation, A B C A B C ..., after one call of each that is not timed."""
    results: dict[Case, Result] = {}
    ready: dict[Case, Program] = {}
    for case in round_.cases:
        report(f"compiling {case.label()}")
        try:
            program = prepare(case, sizes)
            if _too_large(program, memory_limit_mib):
                reason = f"its temporary memory exceeds memory_limit_mib={memory_limit_mib}"
                results[case] = Result(case, "skipped", (), program.temp_bytes, reason)
                continue
            program.call()
            ready[case] = program
        except Exception as error:
            results[case] = Result(case, "failed", reason=one_line(error))
    seconds: dict[Case, list[float]] = {case: [] for case in ready}
    measured: dict[str, list[float]] = {name: [] for name in meters}
    for repetition in range(round_.repetitions):
        for name, meter in meters.items():
            measured[name].append(meter.operations / _seconds(meter))
        for case in list(ready):
            report(f"measuring {case.label()}, {repetition + 1} of {round_.repetitions}")
            try:
                seconds[case].append(_seconds(ready[case]))
            except Exception as error:
                results[case] = Result(case, "failed", reason=one_line(error))
                del ready[case]
    for case, program in ready.items():
        results[case] = Result(case, "measured", tuple(seconds[case]), program.temp_bytes)
    rates = {name: statistics.median(values) for name, values in measured.items()}
    return Measured([results[case] for case in round_.cases], rates)


def _seconds(program: Program | Meter) -> float:
    start = time.perf_counter()
    program.call()
    return time.perf_counter() - start


def _too_large(program: Program, limit_mib: int) -> bool:
    """Returns whether the compiled program is known to need more temporary memory than is allowed."""
    return program.temp_bytes is not None and program.temp_bytes > limit_mib * MIB


def one_line(error: BaseException) -> str:
    """Returns the type and the first nonempty line of an error, in at most 100 characters."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = f"{type(error).__name__}: {lines[0] if lines else 'no message'}"
    return text if len(text) <= 100 else text[:97] + "..."
