"""A study: its arms, their groups and their names; nothing is computed."""

import json
import os

import pytest

from attention_lab import studies
from attention_lab.studies import budgets
from attention_lab.studies.study import ONE_DEVICE, changed, file_names, structure, study_of
from tests.experiments import tiny_study


def config_of(**fields):
    return {**json.loads(tiny_study.get_config().to_json()), **fields}


def test_arms_of_one_structure_are_one_group(tmp_path):
    study = study_of(config_of(), tmp_path)
    assert [arm.name for arm in study.arms] == ["no attention", "additive", "additive, no dropout"]
    assert [[arm.name for arm in group.arms] for group in study.groups] == [
        ["no attention"],
        ["additive", "additive, no dropout"],
    ]
    last = study.groups[1].replicas[-1]
    assert last.config["seed"] == 1 and last.config["training"]["dropout"] == 0.0


def test_axes_give_the_full_grid(tmp_path):
    axes = {
        "model.decoder.attention.score": ["dot", "general"],
        "model.decoder.kind": ["luong", "bahdanau"],
    }
    study = study_of(config_of(arms={}, axes=axes), tmp_path)
    assert len(study.arms) == 4 == len(study.groups)
    assert study.arms[1].config["model"]["decoder"]["attention"]["score"] == "dot"
    assert study.arms[1].config["model"]["decoder"]["kind"] == "bahdanau"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"arms": {"a": {"model.decoder.knd": "fixed"}}}, "did you mean 'kind'"),
        (
            {"arms": {"a": {"model.decoder.kind.x": 1}}},
            "the value that should contain 'x' has no fields",
        ),
        ({"arms": {"a": {"devices.data": 2}}}, "arm a: devices split one run"),
        ({"arms": {}}, "no arms"),
        ({"seeds": [1, 1]}, "different numbers"),
    ],
)
def test_a_study_that_is_none_is_refused_in_one_line(fields, message, tmp_path):
    with pytest.raises(ValueError, match=message) as error:
        study_of(config_of(**fields), tmp_path)
    assert "\n" not in str(error.value)


def test_an_arm_does_not_change_the_base():
    base = config_of()["base"]
    assert changed(base, {"seed": 7}, "a")["seed"] == 7 and base["seed"] == 0


def test_arms_are_those_that_are_listed_and_then_the_grid(tmp_path):
    axes = {"training.dropout": [0.1, 0.2], "model.decoder.kind": ["luong"]}
    study = study_of(config_of(arms={"plain": {}}, axes=axes, seeds=[4, 2]), tmp_path)
    assert [arm.name for arm in study.arms] == ["plain", "0.1, luong", "0.2, luong"]
    assert study.arms[2].changes == {"training.dropout": 0.2, "model.decoder.kind": "luong"}
    assert (study.seeds, study.folder, study.name) == ((4, 2), tmp_path, "tiny")
    with pytest.raises(ValueError, match=r"two arms are called '0\.1, luong'"):
        study_of(config_of(arms={"0.1, luong": {}}, axes=axes), tmp_path)
    with pytest.raises(ValueError, match="at least one, but are"):
        study_of(config_of(seeds=[]), tmp_path)


@pytest.mark.parametrize("lengths", [(11, 1), (1, 1), (0, 5), (1, 2.5)])
def test_classes_of_lengths_must_increase(lengths, tmp_path):
    with pytest.raises(ValueError, match="lengths must be whole numbers that increase"):
        study_of(config_of(lengths=lengths), tmp_path)


def test_a_group_has_a_folder_and_each_of_its_replicas_one_within(tmp_path):
    _, group = study_of(config_of(also=["more"]), tmp_path).groups
    assert group.name == "additive" and group.also == ("more",)
    assert group.folder == tmp_path / "groups" / "additive"
    assert group.results == group.folder / "results.jsonl"
    replicas = [(one.arm.name, one.seed) for one in group.replicas]
    assert replicas == [
        (arm, seed) for arm in ("additive", "additive, no dropout") for seed in (0, 1)
    ]
    folders = [group.replica_folder(one).relative_to(group.folder) for one in group.replicas]
    assert str(folders[3]) == "additive__no_dropout_seed_1" and len(set(folders)) == 4


def test_what_is_traced_and_names_make_no_other_structure():
    base = config_of()["base"]
    fields = ("learning_rate", "weight_decay", "dropout", "label_smoothing")
    traced = changed(base, {f"training.{name}": 0.123 for name in fields}, "a")
    assert structure({**traced, "seed": 9, "name": "other"}) == structure(base)
    for field in ("training.tokens", "training.clip", "model.decoder.kind", "data.test"):
        assert structure(changed(base, {field: 3}, "a")) != structure(base)


def test_names_of_folders_are_unlike_for_unlike_arms():
    def named(*names):
        return list(file_names(names).values())

    assert named("a b/c", "x-1+2.5", "é") == ["a_b_c", "x-1+2.5", "é"]
    for alike in (("a b", "a_b"), ("A", "a"), ("é", "e\u0301".upper())):
        one, other = named(*alike)
        assert one.lower() != other.lower()
    assert all(len(name.partition("~")[2]) == 12 for name in named("A", "a", "", "dots..."))
    for length, short in ((180, True), (181, False)):
        (name,) = named("x" * length)
        assert (name == "x" * length) == short and name.startswith("x" * 180)
    (cut,) = named("é" * 91)  # of two bytes each
    assert cut.startswith("é" * 90 + "~") and len(cut.encode()) == 193
    assert named("\ud800")[0]


@pytest.mark.parametrize("device", [{"data": 2}, {"heads": 2}, {"shard_state": True}])
def test_an_arm_is_of_one_device(device, tmp_path):
    base = config_of()["base"]
    assert base["devices"] == ONE_DEVICE
    with pytest.raises(ValueError, match="devices split one run"):
        study_of(config_of(base={**base, "devices": {**ONE_DEVICE, **device}}), tmp_path)


def test_a_checked_study_has_its_budgets(tmp_path, monkeypatch):
    config = config_of(arms={"a": {}, "b": {"training.batch_tokens": 400}})
    monkeypatch.setattr(budgets, "balanced", lambda config: {**config, "name": "balanced"})
    assert studies.checked(config, str(tmp_path)).folder == tmp_path
    assert studies.checked(config, tmp_path).name == "balanced"
    assert studies.checked({**config, "seeds": (1, 2)}, tmp_path).config["seeds"] == [1, 2]
    with pytest.raises(ValueError, match="must be"):
        studies.checked({**config, "seeds": [-1]}, tmp_path)
    with pytest.raises(ValueError, match="must be"):
        studies.checked({**config, "arms": {"a": {"training.tokens": 0}}}, tmp_path)


def test_a_study_is_tuned_and_then_trained_as_far_as_it_is_wanted(tmp_path, monkeypatch):
    config, ran = config_of(), []

    def tuned(config, folder, machine):
        ran.append((folder, machine))
        return {**config, "name": "tuned"}

    monkeypatch.setattr(studies.tuning, "tuned", tuned)
    monkeypatch.setattr(studies.setup, "enable_compilation_cache", lambda: ran.append("prepared"))
    monkeypatch.setattr(studies.replicas, "cores_as_devices", lambda count: ran.append(count))
    monkeypatch.setattr(
        studies.scheduler,
        "run",
        lambda study, groups, machine: ran.append((study, groups, machine)),
    )
    study = studies.run(
        config,
        tmp_path,
        wanted=lambda group: group.name == "additive",
        devices=3,
        at_once=2,
        max_minutes=7,
    )
    count, prepared, (folder, machine), (same, groups, again) = ran
    assert count == os.cpu_count() and prepared == "prepared" and folder == tmp_path
    assert (
        same is study and study.name == "tuned" and [group.name for group in groups] == ["additive"]
    )
    assert machine is again and machine[:2] == (3, 2) and machine.interrupt.minutes == 7
