"""What happens beside training: metrics on disk, a progress bar, validation, checkpoints, early stopping."""

import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
from tqdm import tqdm

from attention_lab import files
from attention_lab.mechanism.contracts import Params
from attention_lab.training.checkpoint import LATEST, Checkpoints
from attention_lab.training.loop import Update
from attention_lab.training.processes import from_first, is_first
from attention_lab.training.replicas import where
from attention_lab.training.step import Metrics


class MetricsLog:
    """metrics.jsonl: one line per record, the truth about a run. Read back when the run goes on."""

    def __init__(self, path: Path, step: int) -> None:
        """Keeps what an earlier session wrote about the first `step` updates, and nothing later."""
        self.path, self.writes = path, is_first()
        self.lines = [line for line in read(path) if line["update"] <= step]
        if not self.writes:
            return
        content = "".join(json.dumps(line) + "\n" for line in self.lines)
        files.replace(path, content)

    def write(self, **record: Any) -> None:
        """Adds a line, on disk at once."""
        self.lines.append(record)
        if not self.writes:
            return
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")

    def of(self, kind: str) -> list[dict[str, Any]]:
        """All records of a kind, "train" or "validation", oldest first."""
        return [line for line in self.lines if line["kind"] == kind]


def read(path: Path) -> list[dict[str, Any]]:
    """The records of a metrics log; a last line that was cut off is not one."""
    records = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
        try:
            records.append(json.loads(line))
        except json.JSONDecodeError:
            break
    return records


class Meter:
    """Loss, speed and time left: a bar on a terminal, a plain line now and then elsewhere.

    Of replicas, each has a number in the metrics log; what is said is the mean of losses, the sum of speeds.
    watch: told each update's number and metrics, in order; what it returns is said. waited: the seconds that were
    spent so far on waiting for batches.
    """

    def __init__(
        self,
        metrics_log: MetricsLog,
        updates: int,
        watch: Callable[[int, Metrics], str | None] = lambda number, metrics: None,
        waited: Callable[[], float] = lambda: 0.0,
        *,
        period: int = 50,
        print_every: float = 30.0,
    ) -> None:
        self.metrics_log, self.period, self.print_every = metrics_log, period, print_every
        self.watch, self.waited, self.waited_before = watch, waited, 0.0
        before = metrics_log.of("train")
        self.tokens = np.asarray(before[-1]["tokens"] if before else 0)
        self.window: list[tuple[int, Metrics]] = []
        self.done = before[-1]["update"] if before else 0
        self.updates = updates
        self.clock = time.perf_counter()
        self.idle = 0.0
        self.printed = time.perf_counter()
        self.terminal = sys.stderr.isatty() and is_first()
        self.bar = tqdm(
            total=updates, initial=self.done, unit="update", disable=not self.terminal, leave=False
        )

    @contextmanager
    def pause(self) -> Iterator[None]:
        """What is done within is not training time."""
        started = time.perf_counter()
        yield
        self.idle += time.perf_counter() - started

    def __call__(self, update: Update) -> None:
        """Reads the metrics of earlier updates, never of the one that still runs."""
        self.window.append((update.number, update.metrics))
        self.bar.update()
        if update.last:
            self.flush(update)
            self.bar.close()
        elif update.number % self.period == 0:
            self._report(update, self.window[:-1])

    def flush(self, update: Update) -> None:
        """Tells of all updates so far. Where a checkpoint stands, the metrics log must not lack any of them."""
        if self.window:
            self._report(update, self.window)

    def _report(self, update, window):
        if not window:
            return
        self.window = self.window[len(window) :]
        for number, metrics in window:
            if message := self.watch(number, metrics):
                self.print(message)
        ready = [metrics for _, metrics in window]
        each = [np.asarray(metrics["tokens"]) for metrics in ready]
        losses = [np.asarray(metrics["loss"], float) for metrics in ready]
        tokens = np.sum(each, axis=0)
        now = time.perf_counter()
        seconds, self.clock, self.idle = now - self.clock - self.idle, now, 0.0
        self.tokens = self.tokens + tokens
        with np.errstate(invalid="ignore"):  # no number where every update was skipped
            loss = np.sum(np.multiply(each, losses), axis=0) / tokens
        speed = float(np.sum(tokens)) / seconds
        waiting, self.waited_before = self.waited() - self.waited_before, self.waited()
        self.metrics_log.write(
            kind="train",
            update=update.number,
            tokens=plain(self.tokens),
            loss=plain(np.where(np.isnan(loss), None, loss)),
            gradient_norm=plain(ready[-1]["gradient_norm"]),
            learning_rate=plain(ready[-1]["learning_rate"]),
            tokens_per_second=speed,
            waiting=waiting / seconds,
            seconds=seconds,
        )
        self.bar.set_postfix_str(f"loss {_mean(loss):.3f}, {speed:,.0f} tokens/s")
        if not self.terminal and (update.last or now - self.printed >= self.print_every):
            self.printed = now
            left = (self.updates - update.number) * seconds / max(len(ready), 1)
            self.print(
                f"update {update.number:,}/{self.updates:,}  loss {_mean(loss):.3f}  "
                f"{speed:,.0f} tokens/s  {left / 60:.0f} min left"
                + (
                    f"  {waiting / seconds:.0%} waiting for batches"
                    if waiting > 0.03 * seconds
                    else ""
                )
            )

    def print(self, line: str) -> None:
        """A line that does not tear the bar."""
        if not is_first():
            return
        self.bar.clear()
        print(line, file=sys.stderr, flush=True)
        self.bar.refresh()


def _mean(losses):
    """Of the replicas that have a loss."""
    return np.mean(losses, where=~np.isnan(losses)) if not np.isnan(losses).all() else np.nan


class Validate:
    """Evaluates the parameters of each replica now and then, keeps the best, and ends what no longer improves.

    evaluate: params [S, ..] -> the score [S] of each metric. better: by metric, "higher" or "lower"; the first metric ranks,
    and the next among equals. best: each replica's best parameters so far, [S, ..]. patience: how many validations in a row may
    bring a replica no improvement; 0 is any number. One whose patience has run out is finished: it is trained on,
    since all are one program, but nothing of it counts any more. improved: is called with the update where a
    replica has new best parameters. replicas: how many of S are reported; the others only fill devices.
    """

    def __init__(
        self,
        evaluate: Callable[[Params], dict[str, np.ndarray]],
        metrics_log: MetricsLog,
        meter: Meter,
        best: Params,
        *,
        better: Mapping[str, str],
        patience: int = 0,
        improved: Callable[[Update], None] = lambda update: None,
        replicas: int | None = None,
    ) -> None:
        self.evaluate, self.metrics_log, self.meter = evaluate, metrics_log, meter
        self.best, self.patience, self.improved = best, patience, improved
        self.replicas, self.rank = replicas, partial(ranks_of, better=better)

    def __call__(self, update: Update) -> str | None:
        """Returns a reason to stop where the patience of every replica has run out."""
        self.meter.flush(update)  # what still runs is training time
        with self.meter.pause():
            started = time.perf_counter()
            # Computed by each process, and decided by the first: all save together, or none does.
            scores = from_first(self.evaluate(update.state.params))
            before, _, finished = self._history(len(self.rank(scores)))
            self.metrics_log.write(
                kind="validation",
                update=update.number,
                tokens=plain(self.meter.tokens),
                seconds=time.perf_counter() - started,
                **{name: plain(values) for name, values in scores.items()},
            )
            better = np.array(
                [
                    not over and (old is None or new > old)
                    for new, old, over in zip(self.rank(scores), before, finished, strict=True)
                ]
            )
            # The metrics log of an earlier session may be read late on another machine.
            better = np.asarray(from_first({"better": better})["better"], bool)
            if better.any():
                self.best = where(jnp.asarray(better), update.state.params, self.best)
                self.improved(update)
            better = better[: self.replicas]
            message = ", ".join(
                f"{name} {np.mean(values[: self.replicas]):.2f}" for name, values in scores.items()
            )
            if better.size == 1:
                message += " (best)" if better.all() else ""
            else:
                message += f" (means of replicas; {better.sum()} of {better.size} improved)"
            self.meter.print(f"validation at update {update.number:,}: {message}")
        return self.reason_to_stop()

    def reason_to_stop(self) -> str | None:
        """Whether the patience of every replica has run out, in this session or an earlier one."""
        _, since, finished = self._history()
        over = since.min() if finished.size and finished.all() else 0
        over = int(from_first({"over": over})["over"])
        return f"no better for {over} validations" if over else None

    def _history(self, replicas: int = 0) -> tuple[list[Any], np.ndarray, np.ndarray]:
        """Of each replica the best rank, the validations since, and whether its patience has run out."""
        lines = [self.rank(line) for line in self.metrics_log.of("validation")]
        count = len(lines[0]) if lines else replicas
        best: list[Any] = [None] * count
        since, finished = np.zeros(count, int), np.zeros(count, bool)
        for line in lines:
            for r in np.flatnonzero(~finished):
                better = best[r] is None or line[r] > best[r]
                best[r], since[r] = (line[r], 0) if better else (best[r], since[r] + 1)
                finished[r] = 0 < self.patience <= since[r]
        return best, since, finished


def ranks_of(scores: Mapping[str, Any], better: Mapping[str, str]) -> list[tuple[float, ...]]:
    """A tuple of each replica that is greater where its scores are better.

    scores: of each metric [S], or a number where S is 1. better: as in `Validate`.
    """
    columns = []
    for name, direction in better.items():
        column = np.atleast_1d(np.asarray(scores[name], float))
        columns.append((column if direction == "higher" else -column).tolist())
    return list(zip(*columns, strict=True))


def plain(values: Any) -> Any:
    """A number of each replica as JSON holds it: a list, or of one replica the number."""
    values = np.asarray(values)
    return values.item() if values.size == 1 else values.tolist()


class SaveCheckpoint:
    """Saves the latest state and the best parameters, with which a run is resumed."""

    def __init__(self, checkpoints: Checkpoints, meter: Meter, validate: Validate) -> None:
        self.checkpoints, self.meter, self.validate = checkpoints, meter, validate

    def __call__(self, update: Update) -> None:
        """Saves."""
        self.meter.flush(update)
        with self.meter.pause():
            progress = {"states": update.state, "best": self.validate.best}
            self.checkpoints.save(LATEST, update.number, progress)
