"""The study that README shows first ends with models that have learned, and with arms that differ clearly."""

import json

import numpy as np
import pytest

import attention_lab
from tests.experiments.commands import command

SHOWCASE = {
    "The cat sat on the mat": "Le chat était assis sur le tapis",
    "I am eating an apple": "Je mange une pomme",
}


@pytest.mark.slow
@pytest.mark.promise
@pytest.mark.xdist_group("first study")
def test_the_first_study_translates_aligns_and_reports_its_arms_apart(tmp_path):
    found = {}
    for arm, folder in (("no attention", "no_attention"), ("additive", "additive")):
        result = command(
            "ablate",
            "--config=configs/ablations/quickstart.py",
            "--config.seeds=(0, 1)",
            f"--workdir={tmp_path}",
            f"--arm={arm}",
        )
        assert result.returncode == 0, result.stderr
        lines = (tmp_path / "groups" / folder / "results.jsonl").read_text(encoding="utf-8")
        found[arm] = [json.loads(line) for line in lines.splitlines()]
    bleu = {
        arm: np.mean([row["scores"]["bleu"]["score"] for row in rows])
        for arm, rows in found.items()
    }
    errors = [row["scores"]["aer"]["score"] for row in found["additive"]]
    assert bleu["additive"] >= 80 and np.mean(errors) <= 25
    assert bleu["additive"] - bleu["no attention"] > 10
    run = attention_lab.load(tmp_path / "groups/additive/additive_seed_0")
    assert [one.text for one in run.translate(list(SHOWCASE))] == list(SHOWCASE.values())
