"""The command that decides claims: what it prints, what it saves, what it refuses."""

import json

from attention_lab.claims.contracts import HOLDS
from tests.experiments.commands import command


def test_the_mechanism_has_its_claims_measured(tmp_path):
    told = command("claims", "--only=scaling,a set", f"--workdir={tmp_path}")
    assert told.returncode == 0, told.stderr
    lines = [json.loads(line) for line in (tmp_path / "claims.jsonl").read_text().splitlines()]
    assert [(one["name"], one["verdict"]) for one in lines] == [
        ("scaling", HOLDS),
        ("a set", HOLDS),
    ]
    assert all(one["low"] < one["estimate"] < one["high"] for one in lines)
    assert "HOLDS" in told.stdout and not (tmp_path / "crews").exists()


def test_verdicts_that_cannot_be_saved_are_printed_all_the_same(tmp_path):
    (tmp_path / "claims.jsonl").mkdir()
    told = command("claims", "--only=a set", f"--workdir={tmp_path}")
    assert told.returncode == 2 and "HOLDS" in told.stdout
    assert len(told.stderr.strip().splitlines()) == 1


def test_an_unknown_claim_is_told_in_one_line():
    told = command("claims", "--only=headz")
    assert (
        told.returncode == 2 and told.stderr.count("\n") == 1 and "there is no claim" in told.stderr
    )
