"""The command that decides claims: what it prints, what it saves, what it refuses."""

import json

from attention_lab.claims.contracts import HOLDS
from tests.experiments.commands import command


def test_the_mechanism_has_its_claims_measured(tmp_path):
    result = command("claims", "--only=scaling,a set", f"--workdir={tmp_path}")
    assert result.returncode == 0, result.stderr
    lines = [json.loads(line) for line in (tmp_path / "claims.jsonl").read_text().splitlines()]
    assert [(one["name"], one["verdict"]) for one in lines] == [
        ("scaling", HOLDS),
        ("a set", HOLDS),
    ]
    assert all(one["low"] < one["estimate"] < one["high"] for one in lines)
    assert "HOLDS" in result.stdout and not (tmp_path / "groups").exists()


def test_verdicts_that_cannot_be_saved_are_printed_all_the_same(tmp_path):
    (tmp_path / "claims.jsonl").mkdir()
    result = command("claims", "--only=a set", f"--workdir={tmp_path}")
    assert result.returncode == 2 and "HOLDS" in result.stdout
    assert len(result.stderr.strip().splitlines()) == 1


def test_an_unknown_claim_is_refused_in_one_line():
    result = command("claims", "--only=headz")
    assert (
        result.returncode == 2
        and result.stderr.count("\n") == 1
        and "there is no claim" in result.stderr
    )
