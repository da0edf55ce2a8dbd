"""Groups of replicas shared among processes: leases, failures, shards; and what another folder or other data mean."""

import json

import pytest

from attention_lab import runs
from attention_lab.runs import leases
from attention_lab.studies import plan, results, scheduler, sizes
from attention_lab.studies.rows import VERSION
from attention_lab.studies.study import study_of
from attention_lab.training.interrupt import Interrupt, Stopped
from attention_lab.training.replicas import Layout
from tests.studies.study_test import config_of

ARMS = {
    "fixed": {"model.decoder.kind": "fixed"},
    "additive": {},
    "half": {"training.dropout": 0.5},
    "dot": {"model.decoder.attention.score": "dot"},
}


def study(folder, **fields):
    return study_of(config_of(**{"arms": ARMS, **fields}), folder)


@pytest.fixture
def trained(monkeypatch):
    """The groups that were trained, in order, in place of training any; `fails` may name one, `does` do more."""

    class Trained:
        order, fails, layouts = [], None, []

        def does(self, group):
            pass

    found = Trained()
    found.order, found.layouts = [], []

    def run(group, layout, *rest):
        found.order.append(group.name)
        found.layouts.append(layout)
        assert (group.folder / "lease").is_file()
        with leases.take(group.folder / "lease") as other:
            assert not other
        found.does(group)
        if group.name == found.fails:
            raise ValueError("no pair is short enough")
        group.results.write_text("", encoding="utf-8")

    monkeypatch.setattr(scheduler.replica_group, "run", run)
    monkeypatch.setattr(scheduler, "write_study", lambda study: None)
    monkeypatch.setattr(scheduler, "check_data", lambda study: None)
    monkeypatch.setattr(sizes, "working_of", lambda config, folder=None: 0)
    monkeypatch.setattr(scheduler, "WAIT", 0.01)
    return found


def test_every_group_that_is_wanted_and_not_finished_is_trained_under_its_lease(
    trained, tmp_path, capsys
):
    one = study(tmp_path)
    assert [group.name for group in one.groups] == ["fixed", "additive", "dot"]
    one.groups[2].folder.mkdir(parents=True)
    one.groups[2].results.write_text("", encoding="utf-8")
    assert [group.name for group in scheduler.unfinished(one.groups)] == ["fixed", "additive"]
    scheduler.run(one, one.groups[1:], scheduler.Machine(devices=1))
    assert trained.order == ["additive"]
    assert [group.name for group in scheduler.unfinished(one.groups)] == ["fixed"]
    assert capsys.readouterr().out == (
        "\n== additive, half: 4 replicas, 1 device, 1 at a time on each\n"
    )
    assert not (one.groups[1].folder / "lease").exists()
    scheduler.run(one, one.groups)
    assert trained.order == ["additive", "fixed"]


def test_a_group_whose_lease_is_lost_stops_the_study_and_writes_no_results(trained, tmp_path):
    one = study(tmp_path)
    machine = scheduler.Machine(interrupt=Interrupt())

    def stand_still(group):
        (group.folder / "lease").write_text(json.dumps({"host": "elsewhere", "pid": 7}))
        machine.interrupt.check()

    trained.does = stand_still
    with pytest.raises(Stopped, match="has taken over"):
        scheduler.run(one, one.groups, machine)
    assert not one.groups[0].results.exists() and not machine.interrupt.guards


def test_a_group_that_fails_is_named_once_the_others_are_trained(trained, tmp_path):
    one, trained.fails = study(tmp_path), "fixed"
    with pytest.raises(ValueError, match=r"^fixed: no pair is short enough$"):
        scheduler.run(one, one.groups)
    assert trained.order == ["fixed", "additive", "dot"]


def test_a_group_that_another_process_trains_is_waited_for(trained, tmp_path, monkeypatch):
    one, waits = study(tmp_path), []
    theirs = one.groups[0]
    lease = leases.take(theirs.folder / "lease")
    assert lease.__enter__()

    def sleep(seconds):
        waits.append(seconds)
        if len(waits) == 2:  # they have finished
            theirs.results.write_text("", encoding="utf-8")
            lease.__exit__(None, None, None)

    monkeypatch.setattr(scheduler.time, "sleep", sleep)
    scheduler.run(one, one.groups)
    assert trained.order == ["additive", "dot"] and waits == [0.01, 0.01]


def test_a_group_that_was_finished_while_its_lease_was_asked_for_is_not_trained_again(
    trained, tmp_path, monkeypatch
):
    one, take = study(tmp_path), leases.take

    def late(path):
        if path.parent == one.groups[1].folder:
            path.parent.mkdir(parents=True)
            one.groups[1].results.write_text("", encoding="utf-8")
        return take(path)

    monkeypatch.setattr(scheduler.leases, "take", late)
    scheduler.run(one, one.groups[:2])
    assert trained.order == ["fixed"]


def test_between_groups_it_is_asked_whether_to_stop(trained, tmp_path):
    class Over(Interrupt):
        def check(self):
            raise Stopped("0 minutes are over")

    one = study(tmp_path)
    with pytest.raises(Stopped):
        scheduler.run(one, one.groups, scheduler.Machine(interrupt=Over()))
    assert trained.order == ["fixed"]


def test_data_are_looked_at_again_before_each_group(trained, tmp_path, monkeypatch):
    one, seen = study(tmp_path), []

    def check_data(study):
        seen.append(len(trained.order))
        if len(seen) == 2:
            raise ValueError("other data")

    monkeypatch.setattr(scheduler, "check_data", check_data)
    with pytest.raises(ValueError, match=r"^additive: other data"):
        scheduler.run(one, one.groups)
    assert seen == [0, 1, 1] and trained.order == ["fixed", "dot"]


def test_a_layout_is_chosen_unless_it_is_given(monkeypatch, tmp_path):
    one, asked = study(tmp_path).groups[1], []
    monkeypatch.setattr(sizes, "working_of", lambda config, folder=None: 10)
    monkeypatch.setattr(
        scheduler.replicas, "choose", lambda *given: asked.append(given) or Layout(2, 3)
    )
    machines = [scheduler.Machine(), scheduler.Machine(devices=4), scheduler.Machine(at_once=1)]
    found = [scheduler.layout(one, machine) for machine in machines]
    assert found == [Layout(2, 3), Layout(4, 3), Layout(2, 1)] and set(asked) == {(4, 10)}
    assert scheduler.layout(one) == Layout(2, 3)


def test_shards_share_all_groups():
    groups = list("abcdefg")
    parts = [scheduler.shard(groups, f"{n}/3") for n in (1, 2, 3)]
    assert parts == [list("adg"), list("be"), list("cf")]
    assert scheduler.shard(groups, "1/1") == groups and scheduler.shard(groups, "9/9") == []


@pytest.mark.parametrize("words", ["0/2", "3/2", "1", "/2", "1/", "a/2", "1/b", "-1/2", ""])
def test_a_shard_that_is_none_is_reported(words):
    with pytest.raises(ValueError, match="expected i/n with 1 <= i <= n"):
        scheduler.shard(["a"], words)


@pytest.fixture
def known(monkeypatch):
    """Data that are as they were, and what was looked at."""
    looked = []
    monkeypatch.setattr(scheduler, "check_data", lambda study: looked.append("unchanged"))
    monkeypatch.setattr(scheduler, "check_possible", lambda study: looked.append("possible"))
    monkeypatch.setattr(results, "rows_of", lambda study: looked.append("rows"))
    return looked


def test_a_new_study_is_written_once_it_is_possible_and_then_recognized(known, tmp_path):
    one = study(tmp_path / "new")
    scheduler.write_study(one)
    assert known == ["unchanged", "rows", "possible"]
    written = json.loads((one.folder / "study.json").read_text(encoding="utf-8"))
    assert written == json.loads(json.dumps(one.config))
    known.clear()
    scheduler.write_study(one)
    assert known == ["unchanged", "rows"]
    with pytest.raises(ValueError, match=r"contains another study \(seeds: \[0, 1\], now \[7\]\)"):
        scheduler.write_study(study(tmp_path / "new", seeds=[7]))
    known.clear()
    base = config_of()["base"]
    other = study(tmp_path / "new", base={**base, "data": {**base["data"], "max_length": 7}})
    with pytest.raises(ValueError, match=r"base\.data\.max_length"):
        scheduler.write_study(other)
    assert known == []  # of the data, that they are others is said by their field
    assert written == json.loads((one.folder / "study.json").read_text(encoding="utf-8"))


def test_what_cannot_be_trained_is_not_written(known, monkeypatch, tmp_path):
    def check_possible(study):
        raise ValueError("no pair")

    monkeypatch.setattr(scheduler, "check_possible", check_possible)
    with pytest.raises(ValueError, match="no pair"):
        scheduler.write_study(study(tmp_path / "new"))
    assert not (tmp_path / "new").exists()


def test_each_corpus_is_read_once_and_the_updates_of_each_group_counted(monkeypatch, tmp_path):
    read, counted = [], []
    monkeypatch.setattr(scheduler.setup, "data_of", lambda config, also: read.append(also))
    monkeypatch.setattr(sizes, "updates_of", lambda config, folder: counted.append(folder.name))
    arms = {**ARMS, "short": {"data.max_length": 7}}
    scheduler.check_possible(study(tmp_path, arms=arms, also=["more"]))
    assert read == [("more",)] * 2 and counted == ["fixed", "additive", "dot", "short"]


def started(one, *digests):
    """Writes from which data groups have started; None: not yet."""
    for group, digest in zip(one.groups, digests, strict=True):
        if digest is not None:
            origin = {**runs.origin.FORMATS, "tokenizers": {}, "data": {"test": digest}}
            group.folder.mkdir(parents=True, exist_ok=True)
            (group.folder / "origin.json").write_text(json.dumps(origin), encoding="utf-8")


def test_data_may_not_change_under_a_study(monkeypatch, tmp_path):
    now, read = {"test": "now"}, []

    def data_of(config, also):
        read.append(config["data"]["max_length"])
        return now

    monkeypatch.setattr(scheduler.setup, "data_of", data_of)
    one = study(tmp_path)
    scheduler.check_data(one)
    assert read == []  # nothing to compare
    started(one, None, "now", "now")
    scheduler.check_data(one)
    assert len(read) == 1
    started(one, None, "now", "before")
    with pytest.raises(
        ValueError, match=f"split test are not those on which the study in {tmp_path}"
    ):
        scheduler.check_data(one)


def test_arms_are_tested_on_one_set(monkeypatch, tmp_path):
    digests = {"test": "a", "validation": "b"}
    monkeypatch.setattr(scheduler.setup, "data_of", lambda config, also: dict(digests))
    arms = {"one": {}, "other": {"data.test": "validation"}, "longer": {"data.max_length": 9}}
    one = study(tmp_path, arms=arms)
    with pytest.raises(ValueError, match=r"^the arms one and other have different test sets"):
        scheduler.check_data(one)
    digests["validation"] = "a"
    scheduler.check_data(one)


@pytest.mark.parametrize("field", ["task", "mixture", "data.max_length"])
def test_examples_depend_on_the_task_and_on_the_members_of_a_mixture_too(
    field, monkeypatch, tmp_path
):
    values = {"task": "language", "mixture": {"a": {}}, "data.max_length": 7}
    read = []

    def data_of(config, also):
        read.append(config)
        return {"test": str(len(read))}

    monkeypatch.setattr(scheduler.setup, "data_of", data_of)
    one = study(tmp_path, arms={"one": {}, "other": {field: values[field]}})
    with pytest.raises(ValueError, match=r"^the arms one and other have different test sets"):
        scheduler.check_data(one)
    assert len(read) == 2
    del read[:]
    scheduler.check_data(study(tmp_path, arms={"one": {}, "other": {"model.encoder.layers": 2}}))
    assert not read


def row(group, number, **more):
    replica = group.replicas[number]
    return {"version": VERSION, "arm": replica.arm.name, "seed": replica.seed, "data": {}, **more}


def write(group, rows):
    group.folder.mkdir(parents=True, exist_ok=True)
    text = "".join(json.dumps(one) + "\n" for one in rows)
    group.results.write_text(text, encoding="utf-8")


def test_rows_are_in_the_order_of_arms_and_seeds(tmp_path):
    arms = {"a": {}, "b": {"model.decoder.kind": "fixed"}, "c": {"training.dropout": 0.5}}
    one = study(tmp_path, arms=arms, seeds=[5, 3])
    assert [[arm.name for arm in group.arms] for group in one.groups] == [["a", "c"], ["b"]]
    assert results.rows_of(one) == []
    write(one.groups[0], [row(one.groups[0], n) for n in range(4)])
    found = [(r["arm"], r["seed"]) for r in results.rows_of(one)]
    assert found == [("a", 5), ("a", 3), ("c", 5), ("c", 3)]
    write(one.groups[1], [row(one.groups[1], n) for n in range(2)])
    found = [(r["arm"], r["seed"]) for r in results.rows_of(one)]
    assert found == [(arm, seed) for arm in "abc" for seed in (5, 3)]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"version": VERSION, "arm": "a"}], "is damaged"),
        ([[]], "is damaged"),
        (
            [{"version": VERSION + 1, "arm": "a", "seed": 0}],
            f"rows of version {VERSION + 1}, and this program reads {VERSION}",
        ),
        ([{"arm": "a", "seed": 0}], "rows of version older than 1"),
        ([{"version": VERSION, "arm": "a", "seed": 0}], "does not have the rows of a"),
        (
            [{"version": VERSION, "arm": "a", "seed": n} for n in (1, 0)],
            "does not have the rows of a",
        ),
    ],
)
def test_rows_that_are_none_or_others_are_reported(tmp_path, rows, message):
    one = study(tmp_path, arms={"a": {}})
    write(one.groups[0], rows)
    with pytest.raises(ValueError, match=message):
        results.rows_of(one)


def test_rows_of_different_examples_are_not_put_together(tmp_path):
    base = config_of()["base"]
    arms = {"a": {}, "b": {"model.decoder.kind": "fixed"}, "c": {"data.max_length": 7}}

    def found(**of_last):
        """Digests of the train and test split, and of another, of all three arms; the last has some of its own."""
        digests = {"train": "t", "test": "s", "more": "m"}
        for number, group in enumerate(one.groups):
            data = digests | (of_last if number == which else {})
            write(group, [row(group, n, data=data) for n in range(2)])
        return len(results.rows_of(one))

    one, which = study(tmp_path, arms=arms, also=["more"], base=base), 2
    assert found() == 6
    assert (
        found(train="other") == 6
    )  # its config has other data: what it is trained on may be compared
    for split in ("test", "more"):
        with pytest.raises(ValueError, match=f"split {split} than the results of a, so they"):
            found(**{split: "other"})
    which = 1
    with pytest.raises(ValueError, match="of other examples of the split train"):
        found(train="other")
    found()
    started(one, None, None, "other")
    with pytest.raises(ValueError, match="of other examples of the split test"):
        results.rows_of(one)


def test_a_plan_lists_arms_and_what_differs_in_them(tmp_path):
    tuning = {**config_of()["tuning"], "candidates": [0.1, 0.2], "tokens": 3000}
    one = study(tmp_path, tuning=tuning)
    assert plan.plan(one, one.groups[:2]).splitlines() == [
        "study    tiny: 4 arms, each with seeds 0, 1",
        "  fixed                model.decoder.kind=fixed",
        "  additive             as the base config",
        "  half                 training.dropout=0.5",
        "tuned    training.learning_rate of each arm, 2 values, 3,000 target tokens each, "
        "25 % of the budget and of the warm-up (2 updates)",
    ]
    assert plan.plan(study(tmp_path), one.groups[:1]).count("\n") == 1


def test_a_plan_on_a_machine_adds_up_time(tmp_path, monkeypatch):
    size = sizes.Size(1234, 56, 24 * 10**11, 3 * 2**20)
    monkeypatch.setattr(sizes, "size_of", lambda group, layout: size)
    monkeypatch.setattr(sizes, "working_of", lambda config, folder=None: 0)
    monkeypatch.setattr(sizes, "flops_of", lambda config: 10**11)
    monkeypatch.setattr(plan, "matrix_rate", lambda: 10**11)  # 0.4 of it is reached
    one = study(tmp_path)
    lines = plan.plan(one, one.groups[:2], scheduler.Machine()).splitlines()
    assert lines[2] == "    2 replicas of 1,234 parameters, 56 updates; about 1.0 min, 3 MiB"
    assert lines[5] == "    4 replicas of 1,234 parameters, 56 updates; about 1.0 min, 3 MiB"
    # 2 · 60 s of training, 2 · 70 s beside it
    assert lines[6:] == [
        "total    about 4 min on this machine, in one process: 2.0 for training, the rest for compilation and evaluation"
    ]
    tuning = {**config_of()["tuning"], "candidates": [0.1, 0.2], "seeds": [1, 2, 3]}
    one = study(tmp_path, tuning=tuning)
    *_, tuned, last = plan.plan(one, one.groups, scheduler.Machine()).splitlines()
    # The trials are four arms with two values and three seeds, in three groups: 24 · 2.5 s.
    assert tuned.startswith("tuned    training.learning_rate of each arm, 2 values")
    assert last.startswith(
        "total    about 11 min on this machine, in one process: 4.0 for training"
    )


def test_a_value_is_reported_on_one_line():
    layer = {"kind": "gru", "size": 3, "attention": {"kind": "dot"}, "other": {"size": 1}}
    spans = {"rate": 0.1, "kind": "spans", "mean": 3}
    values = [3, "dot", None, layer, {"size": 3}, {}, spans]
    message = [plan.brief(value) for value in values]
    expected = ["3", "dot", "None", "{gru, dot}", "{..}", "{..}", "{spans, rate=0.1, mean=3}"]
    assert message == expected


def test_time_is_guessed_from_the_rate_of_matrix_products(monkeypatch):
    plan.matrix_rate.cache_clear()
    now = iter([0.0, 8.0, 10.0, 12.0, 20.0, 25.0, 30.0, 37.0, 40.0, 49.0])
    monkeypatch.setattr(plan.time, "perf_counter", lambda: next(now))
    assert plan.matrix_rate() == 2 * 1024**3 / 2.0  # the best of five
    assert plan.training(1024**3) == pytest.approx(1 / 0.4)
    plan.matrix_rate.cache_clear()
