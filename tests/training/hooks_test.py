"""Hooks: what the metrics log holds, what is said and when, which parameters are the best, and when to stop."""

import io
import json
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from attention_lab.training import hooks
from attention_lab.training.checkpoint import LATEST
from attention_lab.training.hooks import (
    Meter,
    MetricsLog,
    SaveCheckpoint,
    Validate,
    as_json,
    ranks_of,
    read,
)
from attention_lab.training.loop import Update, every, train


@pytest.fixture
def clock(monkeypatch):
    """Time, which passes where a test says so."""
    now = SimpleNamespace(seconds=100.0, tick=0.0)

    def perf_counter():
        now.seconds += now.tick
        return now.seconds

    monkeypatch.setattr(hooks, "time", SimpleNamespace(perf_counter=perf_counter))
    return now


class Terminal(io.StringIO):
    def isatty(self):
        return True


def update(number, tokens=4, loss=2.0, last=False, state=None):
    metrics = {
        "tokens": tokens,
        "loss": loss,
        "gradient_norm": 10 * number,
        "learning_rate": number / 8,
    }
    metrics = {name: np.asarray(value) for name, value in metrics.items()}
    return Update(number, state, metrics, last)


def journal_of(tmp_path, step=0):
    return MetricsLog(tmp_path / "metrics.jsonl", step)


def test_a_journal_keeps_the_lines_up_to_its_update_and_adds_to_them(tmp_path):
    metrics_log = journal_of(tmp_path)
    for number in (1, 2, 3):
        metrics_log.write(kind="train" if number % 2 else "validation", update=number)
    again = journal_of(tmp_path, step=2)
    assert [line["update"] for line in again.lines] == [1, 2]
    assert [line["update"] for line in again.of("train")] == [1]
    again.write(kind="train", update=3, loss=1.5)
    lines = (tmp_path / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line) for line in lines] == again.lines
    assert again.of("train") == [
        {"kind": "train", "update": 1},
        {"kind": "train", "update": 3, "loss": 1.5},
    ]
    assert not list(tmp_path.glob("*.tmp"))


def test_what_follows_a_broken_line_of_a_journal_is_not_read(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"update": 1}\n{"upd\n{"update": 3}\n', encoding="utf-8")
    assert read(path) == [{"update": 1}] and read(tmp_path / "none") == []


def test_only_the_first_process_writes_and_speaks(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(jax, "process_index", lambda: 1)
    metrics_log = journal_of(tmp_path)
    metrics_log.write(kind="train", update=1, tokens=4)
    assert metrics_log.of("train") and not (tmp_path / "metrics.jsonl").exists()
    Meter(metrics_log, 5).print("a line")
    assert capsys.readouterr().err == ""


def test_a_line_of_the_journal_is_the_mean_over_tokens_and_the_speed_since_the_last(
    tmp_path, clock, capsys
):
    waited = iter([1.0, 1.0, 1.5, 1.5])  # asked twice for each line
    metrics_log = journal_of(tmp_path)
    meter = Meter(metrics_log, 9, waited=lambda: next(waited), period=3, print_every=1000.0)
    given = [update(1, 4, 2.0), update(2, 12, 1.0), update(3, 4, 7.0), update(4, 4, 1.0)]
    for one in given[:3]:
        clock.seconds += 2
        meter(one)
    with meter.pause():
        clock.seconds += 50  # no time of training
    clock.seconds += 2
    meter(given[3])
    meter.flush(given[3])
    assert metrics_log.of("train") == [
        {  # the third update may still be computed when it is the third's turn
            "kind": "train", "update": 3, "tokens": 16, "loss": 1.25, "gradient_norm": 20,
            "learning_rate": 0.25, "tokens_per_second": 16 / 6, "waiting": 1 / 6, "seconds": 6.0,
        },
        {
            "kind": "train", "update": 4, "tokens": 24, "loss": 4.0, "gradient_norm": 40,
            "learning_rate": 0.5, "tokens_per_second": 4.0, "waiting": 0.25, "seconds": 2.0,
        },
    ]  # fmt: skip
    meter.flush(given[3])  # of nothing there is no line
    assert len(metrics_log.of("train")) == 2
    assert capsys.readouterr().err == ""


def test_a_meter_resumes_counting_the_tokens_of_its_journal(tmp_path, clock):
    metrics_log = journal_of(tmp_path)
    new = Meter(metrics_log, 9)
    assert (new.done, new.tokens) == (0, 0)
    metrics_log.write(kind="train", update=7, tokens=100)
    meter = Meter(metrics_log, 9)
    assert (meter.done, meter.tokens) == (7, 100)
    clock.seconds += 1
    meter(update(8, last=True))
    assert metrics_log.of("train")[-1]["tokens"] == 104


def test_replicas_have_a_loss_each_and_one_without_is_none(tmp_path, clock, capsys):
    metrics_log = journal_of(tmp_path)
    meter = Meter(metrics_log, 2)
    clock.seconds += 2
    meter(update(1, [2, 4, 0], [1.0, 5.0, 0.0]))
    meter(update(2, [6, 4, 0], [2.0, 3.0, 0.0], last=True))
    (line,) = metrics_log.of("train")
    assert line["loss"] == [1.75, 4.0, None] and line["tokens"] == [8, 8, 0]
    assert line["tokens_per_second"] == 8.0 and line["waiting"] == 0.0
    assert "loss 2.875  8 tokens/s" in capsys.readouterr().err  # the mean of two
    none = update(1, [0], [0.0], last=True)
    clock.seconds += 1
    meter(none)
    assert "loss nan" in capsys.readouterr().err


def test_a_line_is_printed_now_and_then_and_at_the_end(tmp_path, clock, capsys):
    metrics_log = journal_of(tmp_path)
    waited = SimpleNamespace(seconds=0.0)
    meter = Meter(metrics_log, 100, waited=lambda: waited.seconds, period=1)  # each 30 seconds
    messages = []
    for number, (seconds, waiting) in enumerate([(1, 0), (29, 0.8), (20, 9), (10, 2), (1, 0.5)], 1):
        clock.seconds += seconds
        waited.seconds += waiting
        meter(update(number, tokens=40, last=number == 5))
        messages.append(capsys.readouterr().err)
    # Each line is about the updates before its own, the first of which has none.
    assert messages == [
        "",
        "update 2/100  loss 2.000  1 tokens/s  49 min left\n",
        "",
        "update 4/100  loss 2.000  4 tokens/s  16 min left  20% waiting for batches\n",
        "update 5/100  loss 2.000  80 tokens/s  1 min left  50% waiting for batches\n",
    ]


def test_what_a_watch_returns_is_printed_of_each_update_in_order(tmp_path, clock, capsys):
    seen = []

    def watch(number, metrics):
        seen.append((number, float(metrics["loss"])))
        return "the second" if number == 2 else None

    meter = Meter(journal_of(tmp_path), 3, watch, period=2, print_every=1000.0)
    for number in (1, 2, 3):
        clock.seconds += 1
        meter(update(number, loss=float(number), last=number == 3))
    assert seen == [(1, 1.0), (2, 2.0), (3, 3.0)]
    assert capsys.readouterr().err.splitlines()[0] == "the second"


def test_a_terminal_has_a_bar_in_place_of_lines(tmp_path, clock, monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(hooks.sys, "stderr", terminal)
    metrics_log = journal_of(tmp_path)
    metrics_log.write(kind="train", update=1, tokens=4)
    meter = Meter(metrics_log, 4, period=1, print_every=0.0)
    for number in (2, 3):
        clock.seconds += 1
        meter(update(number))
    assert (meter.bar.n, meter.bar.total, meter.bar.initial, meter.bar.unit) == (3, 4, 1, "update")
    assert not meter.bar.disable and not meter.bar.leave
    assert meter.bar.postfix == "loss 2.000, 2 tokens/s"
    assert "update 3/4" not in terminal.getvalue() and "1/4" in terminal.getvalue()
    before = len(terminal.getvalue())
    meter.print("a line")
    output = terminal.getvalue()[before:]
    assert output.index("a line\n") > output.index("\r") and output.rindex("/4") > output.index(
        "a line\n"
    )
    clock.seconds += 1
    meter(update(4, last=True))
    assert meter.bar.disable  # closed


def validated(tmp_path, scores, patience=0, replicas=None):
    """Validates once for each row of (bleu, perplexity) of each replica; reasons to stop, and the best after each."""
    metrics_log, rows, improved, best = journal_of(tmp_path), iter(scores), [], []
    meter = Meter(metrics_log, 99, period=1000, print_every=1000.0)

    def judge(params):
        bleu, perplexity = np.transpose(next(rows))
        return {"bleu": bleu, "perplexity": perplexity}

    count = len(scores[0])
    note = lambda update: improved.append(update.number)  # noqa: E731
    first = {"p": jnp.zeros(count)}
    options = {"patience": patience, "improved": note, "replicas": replicas}
    validate = Validate(judge, metrics_log, meter, first, better=BETTER, **options)
    reasons = []
    for number in range(1, len(scores) + 1):
        one = update(number, state=SimpleNamespace(params={"p": jnp.full(count, number)}))
        meter(one)
        reasons.append(validate(one))
        best.append(validate.best["p"].tolist())
    return reasons, improved, best, metrics_log


BETTER = {"bleu": "higher", "perplexity": "lower"}
SCORES = [(3.0, 9.0), (2.0, 1.0), (3.0, 8.0), (3.0, 8.0), (3.0, 9.0), (4.0, 99.0)]
FALLING = [(6.0, 1.0), (5.0, 1.0), (4.0, 1.0), (9.0, 1.0), (9.5, 1.0), (9.9, 1.0)]
BOTH = [list(pair) for pair in zip(SCORES, FALLING, strict=True)]


def test_the_best_has_more_bleu_or_as_much_and_less_perplexity(tmp_path, clock, capsys):
    clock.tick = 1.0
    reasons, improved, best, metrics_log = validated(tmp_path, [[one] for one in SCORES])
    assert improved == [1, 3, 6]  # an equal one is no better
    assert best == [[1], [1], [3], [3], [3], [6]] and reasons == [None] * 6
    lines = metrics_log.of("validation")
    assert [(line["bleu"], line["perplexity"]) for line in lines] == SCORES
    assert [(line["update"], line["tokens"]) for line in lines] == [(n, 4 * n) for n in range(1, 7)]
    assert {line["seconds"] for line in lines} == {1.0}
    # What still ran is told of before it is judged.
    assert [line["kind"] for line in metrics_log.lines] == ["train", "validation"] * 6
    output = capsys.readouterr().err.splitlines()
    assert output[0] == "validation at update 1: bleu 3.00, perplexity 9.00 (best)"
    assert output[1] == "validation at update 2: bleu 2.00, perplexity 1.00"
    assert [line.endswith("(best)") for line in output] == [True, False, True, False, False, True]


def test_each_replica_has_its_own_best_until_its_patience_has_run_out(tmp_path, clock, capsys):
    clock.tick = 1.0
    reasons, improved, best, metrics_log = validated(tmp_path, BOTH, patience=2)
    # The second is over at 3, and its 9.0 counts no more; the first at 5.
    assert best == [[1, 1], [1, 1], [3, 1], [3, 1], [3, 1], [3, 1]] and improved == [1, 3]
    assert reasons[:4] == [None] * 4 and reasons[4] == "no improvement for 2 validations"
    output = capsys.readouterr().err.splitlines()
    assert output[0] == (
        "validation at update 1: bleu 4.50, perplexity 5.00 (means of replicas; 2 of 2 improved)"
    )
    assert output[3].endswith("(means of replicas; 0 of 2 improved)")
    assert metrics_log.of("validation")[3]["bleu"] == [3.0, 9.0]


def test_what_only_fills_a_device_is_not_reported(tmp_path, clock, capsys):
    clock.tick = 1.0
    validated(tmp_path, [[*pair, (99.0, 99.0)] for pair in BOTH[:2]], replicas=2)
    output = capsys.readouterr().err.splitlines()
    means = "(means of replicas; 2 of 2 improved)"
    assert output[0] == f"validation at update 1: bleu 4.50, perplexity 5.00 {means}"
    assert output[1].endswith("(means of replicas; 0 of 2 improved)")


def test_a_rank_is_that_of_the_first_metric_and_among_equals_of_the_next():
    found = {"bleu": np.array([2.0, 3.0]), "perplexity": np.array([5.0, 4.0]), "chrf": np.ones(2)}
    assert ranks_of(found, BETTER) == [(2.0, -5.0), (3.0, -4.0)]
    assert ranks_of({"bleu": 2.0, "perplexity": 5.0}, BETTER) == [(2.0, -5.0)]
    assert ranks_of(found, {"perplexity": "lower", "chrf": "higher"}) == [(-5.0, 1.0), (-4.0, 1.0)]
    assert ranks_of(found, {"bleu": "lower"}) == [(-2.0,), (-3.0,)]


def test_of_one_replica_a_number_is_written_and_of_many_a_list():
    assert as_json(np.array([2.5])) == 2.5 and as_json(np.array(3)) == 3
    assert as_json(np.array([2.5, 1.0])) == [2.5, 1.0]


@pytest.mark.parametrize(("patience", "stop"), [(1, 2), (2, 5), (3, None), (0, None)])
def test_patience_is_how_many_validations_in_a_row_bring_no_improvement(
    tmp_path, clock, patience, stop
):
    clock.tick = 1.0
    reasons = validated(tmp_path, [[one] for one in SCORES], patience)[0]
    stopped = [n for n, reason in enumerate(reasons, 1) if reason]
    assert stopped == ([] if stop is None else list(range(stop, 7)))  # what is over is over
    again = Validate(None, journal_of(tmp_path, step=4), None, None, better=BETTER, patience=1)
    assert again.reason_to_stop() == "no improvement for 1 validations"  # of an earlier session
    empty = Validate(None, journal_of(tmp_path, step=0), None, None, better=BETTER, patience=1)
    assert empty.reason_to_stop() is None


def test_judging_and_saving_are_no_time_of_training_and_the_journal_lacks_nothing(tmp_path, clock):
    metrics_log, seen = journal_of(tmp_path), []

    class Slow:
        def save(self, kind, step, state):
            seen.append((kind, step, state, len(metrics_log.of("train"))))
            clock.seconds += 30

    def judge(params):
        clock.seconds += 100
        return {"bleu": np.array([1.0]), "perplexity": np.array([1.0])}

    meter = Meter(metrics_log, 9, period=1000)
    validate = Validate(judge, metrics_log, meter, {"p": jnp.zeros(1)}, better=BETTER)
    save = SaveCheckpoint(Slow(), meter, validate)
    for number in (1, 2):
        clock.seconds += 3
        one = update(number, state=SimpleNamespace(params={"p": jnp.full(1, number)}))
        meter(one)
        assert validate(one) is None
        assert save(one) is None
        assert seen[-1][2] == {"states": one.state, "best": {"p": jnp.ones(1)}}
    assert [line["seconds"] for line in metrics_log.of("train")] == [3.0, 3.0]
    assert [line["seconds"] for line in metrics_log.of("validation")] == [100.0, 100.0]
    assert [(kind, step, lines) for kind, step, _, lines in seen] == [
        (LATEST, 1, 1),
        (LATEST, 2, 2),
    ]
    clock.seconds += 3  # a checkpoint is saved where nothing was validated too
    meter(update(3))
    save(update(3, state="state"))
    assert len(metrics_log.of("train")) == 3 and metrics_log.of("train")[-1]["seconds"] == 3.0


class Steps:
    """A state of which only the number of updates is looked at."""

    def __init__(self, step):
        self.step = step


def counted(start, updates, *hooks):
    """The numbers of batches that were read, and the state after."""
    asked = []

    class Numbers:
        def __getitem__(self, number):
            asked.append(number)
            return number

    def step(state, batch):
        return Steps(state.step + 1), {"batch": batch}

    return asked, train(step, Steps(np.asarray(start)), Numbers(), updates, hooks)


def test_a_loop_resumes_from_its_state_and_reports_each_hook_of_each_update():
    seen = []

    def hook(update):
        seen.append(
            (update.number, update.metrics["batch"], update.last, int(np.max(update.state.step)))
        )

    asked, state = counted([2, 2], 5, hook)  # two replicas
    assert asked == [2, 3, 4] and state.step.tolist() == [5, 5]
    assert seen == [(3, 2, False, 3), (4, 3, False, 4), (5, 4, True, 5)]
    assert counted(5, 5, hook)[0] == []


def test_one_hook_that_has_a_reason_ends_the_loop_and_all_are_reported():
    seen = []
    reasons = every(2, lambda update: "enough" if update.number == 4 else None)
    asked, state = counted(0, 9, reasons, lambda update: seen.append(update.number))
    assert asked == [0, 1, 2, 3] and seen == [1, 2, 3, 4] and state.step == 4
