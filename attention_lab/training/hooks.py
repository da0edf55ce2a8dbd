"""Hooks of the training loop: metrics log, progress bar, validation, checkpoints and early stopping."""

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
    """metrics.jsonl: one line for each record. A resumed run reads it, and derives the state of its hooks from it."""

    def __init__(self, path: Path, step: int) -> None:
        """Keeps the records of earlier sessions on the first `step` updates, and removes later ones."""
        self.path, self.writes = path, is_first()
        self.lines = [line for line in read(path) if line["update"] <= step]
        if not self.writes:
            return
        content = "".join(json.dumps(line) + "\n" for line in self.lines)
        files.replace(path, content)

    def write(self, **record: Any) -> None:
        """Appends a record, and writes it to disk at once."""
        self.lines.append(record)
        if not self.writes:
            return
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")

    def of(self, kind: str) -> list[dict[str, Any]]:
        """Returns all records of a kind, such as "train" or "validation", oldest first."""
        return [line for line in self.lines if line["kind"] == kind]


def read(path: Path) -> list[dict[str, Any]]:
    """Reads the records of a metrics log; ignores a truncated last line."""
    records = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
        try:
            records.append(json.loads(line))
        except json.JSONDecodeError:
            break
    return records


class Meter:
    """Logs and prints the loss, the speed and the remaining time; on a terminal, as a progress bar.

    For replicas, the metrics log contains the numbers of each one, and the printed line their mean loss and total
    speed. watch: is called with each update's number and metrics, in order; a line that it returns is printed.
    waited: returns the seconds spent so far on waiting for batches. period: updates between two records. print_every:
    seconds between two printed lines.
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
        """Excludes the time within the context from the training time."""
        started = time.perf_counter()
        yield
        self.idle += time.perf_counter() - started

    def __call__(self, update: Update) -> None:
        """Reads the metrics of earlier updates only, since those of the current one may still be computed."""
        self.window.append((update.number, update.metrics))
        self.bar.update()
        if update.last:
            self.flush(update)
            self.bar.close()
        elif update.number % self.period == 0:
            self._report(update, self.window[:-1])

    def flush(self, update: Update) -> None:
        """Logs all updates so far; before a checkpoint is saved, the metrics log must be complete."""
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
        with np.errstate(invalid="ignore"):  # NaN if every update was skipped
            loss = np.sum(np.multiply(each, losses), axis=0) / tokens
        speed = float(np.sum(tokens)) / seconds
        waiting, self.waited_before = self.waited() - self.waited_before, self.waited()
        self.metrics_log.write(
            kind="train",
            update=update.number,
            tokens=as_json(self.tokens),
            loss=as_json(np.where(np.isnan(loss), None, loss)),
            gradient_norm=as_json(ready[-1]["gradient_norm"]),
            learning_rate=as_json(ready[-1]["learning_rate"]),
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
        """Prints a line to stderr, on the first process, without disturbing the progress bar."""
        if not is_first():
            return
        self.bar.clear()
        print(line, file=sys.stderr, flush=True)
        self.bar.refresh()


def _mean(losses):
    """Returns the mean over the replicas whose loss is not NaN."""
    return np.mean(losses, where=~np.isnan(losses)) if not np.isnan(losses).all() else np.nan


class Validate:
    """Evaluates the parameters of each replica, keeps the best ones, and stops training early.

    evaluate: params [S, ..] -> the score [S] of each metric. better: "higher" or "lower" for each metric; the first
    metric ranks the parameters, and each further one breaks ties. best: the best parameters of each replica so far,
    [S, ..]. patience: the number of consecutive validations without an improvement after which a replica is finished;
    0: never. A finished replica is still computed, since all replicas are one program, but its best parameters no
    longer change; training stops when all are finished. improved: is called with the update if a replica has new best
    parameters. replicas: the number of replicas that are reported; the others are copies that fill the devices.
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
        """Returns a reason to stop if every replica is finished."""
        self.meter.flush(update)  # waits for the update, which is training time
        with self.meter.pause():
            started = time.perf_counter()
            # Every process computes the scores; those of the first decide, since saving is collective.
            scores = from_first(self.evaluate(update.state.params))
            before, _, finished = self._history(len(self.rank(scores)))
            self.metrics_log.write(
                kind="validation",
                update=update.number,
                tokens=as_json(self.meter.tokens),
                seconds=time.perf_counter() - started,
                **{name: as_json(values) for name, values in scores.items()},
            )
            better = np.array(
                [
                    not over and (old is None or new > old)
                    for new, old, over in zip(self.rank(scores), before, finished, strict=True)
                ]
            )
            # On a network disk, another process may have read an outdated metrics log.
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
        """Returns the reason to stop if every replica is finished, in this session or an earlier one; else None."""
        _, since, finished = self._history()
        validations = since.min() if finished.size and finished.all() else 0
        validations = int(from_first({"validations": validations})["validations"])
        return f"no improvement for {validations} validations" if validations else None

    def _history(self, replicas: int = 0) -> tuple[list[Any], np.ndarray, np.ndarray]:
        """Returns for each replica its best rank, the number of validations since, and whether it is finished."""
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
    """Returns a tuple for each replica; tuples compare as the scores rank, and greater is better.

    scores: [S] for each metric, or a number if S is 1. better: as in `Validate`.
    """
    columns = []
    for name, direction in better.items():
        column = np.atleast_1d(np.asarray(scores[name], float))
        columns.append((column if direction == "higher" else -column).tolist())
    return list(zip(*columns, strict=True))


def as_json(values: Any) -> Any:
    """Converts the values of replicas [S] to JSON: a list, or a number if S is 1."""
    values = np.asarray(values)
    return values.item() if values.size == 1 else values.tolist()


class SaveCheckpoint:
    """Saves the latest state and the best parameters, from which training resumes."""

    def __init__(self, checkpoints: Checkpoints, meter: Meter, validate: Validate) -> None:
        self.checkpoints, self.meter, self.validate = checkpoints, meter, validate

    def __call__(self, update: Update) -> None:
        """Saves a checkpoint of this update."""
        self.meter.flush(update)
        with self.meter.pause():
            progress = {"states": update.state, "best": self.validate.best}
            self.checkpoints.save(LATEST, update.number, progress)
