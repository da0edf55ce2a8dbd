"""A study: its arms, their groups and their names; nothing is computed."""

import json

import pytest

from attention_lab.studies.study import changed, study_of
from tests.experiments import tiny_study


def config_of(**fields):
    return {**json.loads(tiny_study.get_config().to_json()), **fields}


def test_arms_of_one_structure_are_one_crew(tmp_path):
    study = study_of(config_of(), tmp_path)
    assert [arm.name for arm in study.arms] == ["no attention", "additive", "additive, no dropout"]
    assert [[arm.name for arm in crew.arms] for crew in study.crews] == [
        ["no attention"],
        ["additive", "additive, no dropout"],
    ]
    last = study.crews[1].replicas[-1]
    assert last.config["seed"] == 1 and last.config["training"]["dropout"] == 0.0


def test_axes_give_the_full_grid(tmp_path):
    axes = {
        "model.decoder.attention.score": ["dot", "general"],
        "model.decoder.kind": ["luong", "bahdanau"],
    }
    study = study_of(config_of(arms={}, axes=axes), tmp_path)
    assert len(study.arms) == 4 == len(study.crews)
    assert study.arms[1].config["model"]["decoder"]["attention"]["score"] == "dot"
    assert study.arms[1].config["model"]["decoder"]["kind"] == "bahdanau"


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"arms": {"a": {"model.decoder.knd": "fixed"}}}, "did you mean 'kind'"),
        ({"arms": {"a": {"model.decoder.kind.x": 1}}}, "nothing inside"),
        ({"arms": {"a": {"devices.data": 2}}}, "arm a: devices split one run"),
        ({"arms": {}}, "no arms"),
        ({"seeds": [1, 1]}, "different numbers"),
    ],
)
def test_a_study_that_is_none_is_told_in_one_line(fields, told, tmp_path):
    with pytest.raises(ValueError, match=told) as error:
        study_of(config_of(**fields), tmp_path)
    assert "\n" not in str(error.value)


def test_an_arm_does_not_change_the_base():
    base = config_of()["base"]
    assert changed(base, {"seed": 7}, "a")["seed"] == 7 and base["seed"] == 0
